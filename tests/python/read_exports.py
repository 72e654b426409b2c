"""Reads exported files with the readers of others, and tells every sample and value.

Reads one JSON object on stdin, prints one on stdout:
in   {wfdb: [path without ending], edf: [path], parquet: [path]}
out  {wfdb: [{names, units, rate, gains, baselines, begins, counts: [[count or null]]}],
      edf: [{labels, units, rate, begins, physical: [[value]], counts: [[count]], notes: [[onset, duration, text]]}],
      parquet: [{columns, rows: [{...}]}]}
"""

import json
import sys

import numpy
import pyarrow.parquet
import pyedflib
import wfdb

wish = json.load(sys.stdin)
said = {"wfdb": [], "edf": [], "parquet": []}

for path in wish.get("wfdb", []):
    # Physical values first: a record over segments is put together in physical units only.
    record = wfdb.rdrecord(path)
    signals = record.p_signal.T
    header = wfdb.rdheader(path, rd_segments=True)
    segment = next(it for it in header.segments if it is not None and it.sig_len)
    gains, baselines = segment.adc_gain, segment.baseline
    counts = []
    for values, gain, baseline in zip(signals, gains, baselines):
        exact = numpy.round(values * gain + baseline)
        counts.append([None if numpy.isnan(it) else int(it) for it in exact])
    said["wfdb"].append({
        "names": record.sig_name,
        "units": record.units,
        "rate": record.fs,
        "gains": gains,
        "baselines": baselines,
        "begins": f"{record.base_date}T{record.base_time}",
        "counts": counts,
    })

for path in wish.get("edf", []):
    with pyedflib.EdfReader(path) as file:
        count = file.signals_in_file
        onsets, durations, texts = file.readAnnotations()
        said["edf"].append({
            "labels": file.getSignalLabels(),
            "units": [file.getPhysicalDimension(at) for at in range(count)],
            "rate": file.getSampleFrequency(0),
            "begins": file.getStartdatetime().isoformat(),
            "patient": file.getPatientCode(),
            "counts": [file.readSignal(at, digital=True).tolist() for at in range(count)],
            "physical": [file.readSignal(at).tolist() for at in range(count)],
            "notes": [list(map(str, it)) for it in zip(onsets, durations, texts)],
        })

for path in wish.get("parquet", []):
    table = pyarrow.parquet.read_table(path)
    said["parquet"].append({
        "columns": {field.name: str(field.type) for field in table.schema},
        "rows": [
            {name: it.value if hasattr(it, "value") else it for name, it in row.items()}
            for row in table.cast(
                pyarrow.schema([
                    pyarrow.field(field.name, pyarrow.int64())
                    if pyarrow.types.is_timestamp(field.type)
                    else field
                    for field in table.schema
                ])
            ).to_pylist()
        ],
    })

json.dump(said, sys.stdout)
