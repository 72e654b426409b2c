"""Holds what clients were told against what is stored: everything acknowledged is there, and nothing is there twice.

usage: check_acks.py TOLD DUMP [--data FOLDER DEVICE=PATIENT=VALUES… --waves DEVICE=WAVES]

TOLD has one JSON object a line, from publisher.py; DUMP is what `wardline store dump` printed, a record a line.
With --data it is also looked up behind the journal: each VALUES is the `values.csv` of a device's export, and FOLDER
the data directory, whose records.sqlite says on whom each device was. By MQTT and by HTTPS, an acknowledged reading
  - is in the journal once, with the value that was sent;
  - is in the series once, with that value, at the time that docs/guide and the decisions on time promise;
  - is the patient's who is told, in the export and in the table of associations.
What the server refused and never took later is in none of them.
A block of a waveform is in the journal once, byte for byte as it was sent; with --waves, WAVES is what a nurse was
answered for the patient, and its samples are those of all blocks in the journal: each once, in order, at its time.
Ends with 1 and names what is wrong; else prints a line of figures for each of the three.
"""

import base64
import collections
import csv
import decimal
import json
import pathlib
import re
import shutil
import sqlite3
import sys
import tempfile
import uuid

PRINTED_MAX = 20
SECOND_NS = 1_000_000_000
# A device that is further off than this is not believed.
OFFSET_MAX_NS = 2 * SECOND_NS
# To so much an instant is shown.
SHOWN_TO_NS = 1_000_000


def lines(path):
    with open(path, encoding="utf-8", errors="replace") as file:
        for line in file:
            try:
                yield json.loads(line)
            except json.JSONDecodeError:
                # Only the last line of a killed writer may be half.
                if line.endswith("\n"):
                    raise


def nanos(text):
    """An instant of RFC 3339 in UTC as nanoseconds since 1970, without a float on the way."""
    found = re.fullmatch(r"(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))?Z", text)
    year, month, day, hour, minute, second = (int(part) for part in found.groups()[:6])
    # Days since 1970 by the rule of the calendar: years begin in March.
    year, month = (year - 1, month + 9) if month <= 2 else (year, month - 3)
    days = 365 * year + year // 4 - year // 100 + year // 400 + (153 * month + 2) // 5 + day - 719_469
    return ((days * 24 + hour) * 60 + minute) * 60 * SECOND_NS + second * SECOND_NS + int((found[7] or "").ljust(9, "0"))


def stored(dump):
    """How often each message (device, seq) became a record, and its record if it is of readings or a waveform."""
    times, records = collections.Counter(), {}
    for record in lines(dump):
        body = record["body"]
        if record["name"] in ("readings", "wave") and body["counted"]:
            key = (body["device"], body["counted"]["seq"])
            times[key] += 1
            records[key] = record
        elif record["name"] == "upward" and body["leaf"] == "log":
            found = re.match(rb"([0-9a-f-]{36})#(\d+)#", base64.b64decode(body["payload"]))
            # Others may send logs too.
            if found:
                times[(found[1].decode(), int(found[2]))] += 1
        elif record["name"] == "unreadable":
            sys.exit(f"the journal holds a record that cannot be read: {record}")
    return times, records


def number(text):
    return decimal.Decimal((text or "NaN").split(" ")[0])


def taken_at(record):
    """When the body was measured, by the clocks that the journal kept."""
    body = record["body"]
    first = body["samples"][0] if "samples" in body else body
    device_at, received_at = nanos(first["device_at"]), nanos(record["received_at"])
    offset = body["clock_offset_ns"]
    if offset is not None and abs(offset) <= OFFSET_MAX_NS:
        now = nanos(body["device_now"]) if body["device_now"] else device_at
        return min(device_at - offset, received_at - max(now - device_at, 0))
    gateway_at = nanos(body["gateway_at"]) if body["gateway_at"] else received_at
    return gateway_at - (nanos(body["device_now"]) - device_at)


def series_of(path):
    """The rows of a device's export by their value; a heart rate of a device is never sent twice."""
    rows = collections.defaultdict(list)
    with open(path, encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            if row["channel"] == "MDC_ECG_HEART_RATE" and row["value"]:
                rows[number(row["value"])].append(row)
    return rows


def associations(data):
    """On whom each device was put, oldest first, read from a copy of the database."""
    with tempfile.TemporaryDirectory() as folder:
        for path in pathlib.Path(data).glob("records.sqlite*"):
            shutil.copy(path, folder)
        with sqlite3.connect(pathlib.Path(folder, "records.sqlite")) as database:
            found = database.execute(
                "SELECT device, subject, valid_from FROM association ORDER BY valid_from, log_offset, row_index"
            ).fetchall()
    history = collections.defaultdict(list)
    for device, subject, valid_from in found:
        on = str(uuid.UUID(bytes=subject)) if subject else None
        history[str(uuid.UUID(bytes=device))].append((valid_from, on))
    return history


def look_behind(data, asked, sent, acked, times, records):
    """What is wrong behind the journal, and how many readings were looked up there."""
    history, wrong, looked_up = associations(data), [], 0
    for device, patient, path in (it.split("=", 2) for it in asked):
        rows = series_of(path)
        for key in sorted(key for key in sent if key[0] == device and sent[key].get("value")):
            found = rows.pop(number(sent[key]["value"]), [])
            if times[key] == 0:
                if found:
                    wrong.append(f"{key} is in the series and not in the journal")
                continue
            if len(found) != 1:
                told = "was acknowledged and" if key in acked else "is in the journal and"
                wrong.append(f"{key} {told} is {len(found)} times in the series")
                continue
            looked_up += 1
            [row], record = found, records[key]
            at, want = nanos(row["at"]), taken_at(record)
            if at != want:
                wrong.append(f"{key} is at {row['at']} in the series, {at - want} ns from what its clocks say")
            if abs(nanos(row["received_at"]) - nanos(record["received_at"])) > 0:
                wrong.append(f"{key} was received otherwise: {row['received_at']}, {record['received_at']}")
            lay = [on for valid_from, on in history[device] if valid_from <= at]
            if row["patient"] != patient or not lay or lay[-1] != patient:
                wrong.append(f"{key} is {row['patient']}'s in the export, of {lay} in the records, not {patient}'s")
        wrong += [f"{device} has {value} in the series, which it never sent" for value in rows]
    return wrong, looked_up


def look_at_waves(device, path, sent, records):
    """What is wrong with the waveform that people were shown, and how many samples were looked up there."""
    with open(path, encoding="utf-8") as file:
        spans = json.load(file)
    blocks = sorted(key for key in records if key[0] == device)
    want = [(key, sample) for key in blocks for sample in sent.get(key, {}).get("samples", [])]
    shown = [sample for span in spans for sample in span["samples"]]
    if not shown or shown != [sample for _, sample in want]:
        return [f"of {device} {len(shown)} samples are shown, and not the {len(want)} of the journal in their order"], 0
    wrong, at, first, known = [], 0, None, set()
    for span in spans:
        step_ns = SECOND_NS / span["rate_hz"]
        if want[at][0] not in known:
            # A piece begins where its first block does, and in it the device's clock counts.
            record = records[want[at][0]]
            first = (taken_at(record), nanos(record["body"]["device_at"]))
        for place, (key, _) in enumerate(want[at : at + len(span["samples"])]):
            if key in known:
                continue
            known.add(key)
            device_at = nanos(records[key]["body"]["device_at"])
            off = nanos(span["start"]) + place * step_ns - first[0] - (device_at - first[1])
            if abs(off) > SHOWN_TO_NS:
                wrong.append(f"{key} is shown {off / 1e6} ms from what its clocks say")
        at += len(span["samples"])
    return wrong, len(want)


def main(told, dump, *more):
    sent, acked, refused, wrong = {}, set(), 0, []
    payloads = collections.defaultdict(set)
    for line in lines(told):
        key = (line["device"], line["seq"])
        if line["what"] == "sent":
            sent[key] = line
        elif line["what"] == "refused":
            refused += 1
        elif line["what"] == "dated":
            payloads[key].add(line["payload"])
        elif line["code"] < 0x80:
            acked.add(key)
        else:
            wrong.append(f"{key} was refused with code {line['code']}")
    times, records = stored(dump)
    wrong += [f"{key} was acknowledged and is not in the journal" for key in sorted(acked - times.keys())]
    wrong += [f"{key} is in the journal {times[key]} times" for key in records if times[key] != 1]
    counted = [key for key in records if (sent.get(key) or {}).get("value")]
    traced = [key for key in records if key in payloads]
    senders = {device for device, _ in sent}
    wrong += [f"{key} is in the journal and was never sent" for key in times.keys() - sent.keys() if key[0] in senders]
    for key in counted:
        found, want = number(records[key]["body"]["samples"][0]["value"]), sent[key]["value"]
        if found != decimal.Decimal(want):
            wrong.append(f"{key} is {found} in the journal and was sent as {want}")
    for key in traced:
        if records[key]["body"]["payload"] not in payloads[key]:
            wrong.append(f"{key} is in the journal otherwise than it was sent")
    looked_up = samples = None
    if more:
        _, data, *asked, _, waves = more
        behind, looked_up = look_behind(data, asked, sent, acked, times, records)
        before, samples = look_at_waves(*waves.split("=", 1), sent, records)
        wrong += behind + before
    for line in wrong[:PRINTED_MAX]:
        print(line, file=sys.stderr)
    if wrong:
        sys.exit(f"{len(wrong)} messages of {len(sent)} are not as the clients were told")
    also = f", {refused} refusals" if refused else ""
    print(f"checked: {len(sent)} sent{also}, {len(acked)} acknowledged, {len(times)} in the journal, none lost or doubled")
    if looked_up is not None:
        print(f"checked: {looked_up} in the series and on their patients, each once, as it was sent and when")
    if samples:
        print(f"checked: {samples} samples of {len(traced)} waveform blocks as a nurse sees them, each once and in order")


main(*sys.argv[1:])
