"""Writes recordings and tables with the writers of others, as they write them by themselves.

Reads one JSON object on stdin, prints one on stdout:
in   {folder, begins_ms}
out  {wfdb: {16: [count], 212: [count]}, edf: [count], physical: [value], parquet: [[at_ns, value or null]]}
"""

import datetime
import json
import sys

import numpy
import pyarrow
import pyarrow.parquet
import pyedflib
import wfdb

wish = json.load(sys.stdin)
folder = wish["folder"]
begins = datetime.datetime.fromtimestamp(wish["begins_ms"] / 1000, datetime.timezone.utc)
plain = begins.replace(tzinfo=None)
said = {"wfdb": {}}

place = numpy.arange(3000)
for form in ("16", "212"):
    counts = (place * 7919 % 3001 - 1500).astype(numpy.int64)
    wfdb.wrsamp(
        f"foreign{form}",
        fs=360,
        units=["mV"],
        sig_name=["MLII"],
        d_signal=counts.reshape(-1, 1),
        fmt=[form],
        adc_gain=[200.0],
        baseline=[1024],
        base_time=plain.time(),
        base_date=plain.date(),
        write_dir=folder,
    )
    said["wfdb"][form] = counts.tolist()

counts = (place * 6151 % 60001 - 30000).astype(numpy.int32)
with pyedflib.EdfWriter(f"{folder}/foreign.edf", 1, file_type=pyedflib.FILETYPE_EDFPLUS) as file:
    file.setSignalHeader(0, {
        "label": "Lead 2", "dimension": "mV", "sample_frequency": 250,
        "physical_min": -1.0, "physical_max": 1.0,
        "digital_min": -32768, "digital_max": 32767,
        "transducer": "", "prefilter": "",
    })
    file.setStartdatetime(plain.replace(microsecond=0))
    file.writeSamples([counts], digital=True)
said["edf"] = counts.tolist()
with pyedflib.EdfReader(f"{folder}/foreign.edf") as file:
    said["physical"] = file.readSignal(0).tolist()

times = [begins + datetime.timedelta(seconds=2 * at, microseconds=at) for at in range(500)]
values = [None if at % 7 == 3 else 60 + at % 50 + 0.25 * (at % 4) for at in range(500)]
table = pyarrow.table({
    "time": pyarrow.array(times, pyarrow.timestamp("us", tz="UTC")),
    "pulse": pyarrow.array(values, pyarrow.float64()),
    "nurse": pyarrow.array([f"nurse {at % 3}" for at in range(500)]),
})
pyarrow.parquet.write_table(table, f"{folder}/foreign.parquet")
said["parquet"] = [
    [int(at.timestamp()) * 10**9 + at.microsecond * 1000, value]
    for at, value in zip(times, values)
]

json.dump(said, sys.stdout)
