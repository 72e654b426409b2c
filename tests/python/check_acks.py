"""Holds what clients were told against the journal: everything acknowledged is there, and nothing is there twice.

usage: check_acks.py TOLD DUMP

TOLD has one JSON object a line, from publisher.py; DUMP is what `wardline store dump` printed, a record a line.
Ends with 1 and names what is wrong; else prints one line of figures.
"""

import base64
import collections
import decimal
import json
import re
import sys

PRINTED_MAX = 20


def lines(path):
    with open(path, encoding="utf-8", errors="replace") as file:
        for line in file:
            try:
                yield json.loads(line)
            except json.JSONDecodeError:
                # Only the last line of a killed writer may be half.
                if line.endswith("\n"):
                    raise


def stored(dump):
    """How often each message (device, seq) became a record, and the value of its first sample."""
    times, values = collections.Counter(), {}
    for record in lines(dump):
        body = record["body"]
        if record["name"] == "readings" and body["counted"]:
            key = (body["device"], body["counted"]["seq"])
            times[key] += 1
            values[key] = body["samples"][0]["value"]
        elif record["name"] == "upward" and body["leaf"] == "log":
            found = re.match(rb"([0-9a-f-]{36})#(\d+)#", base64.b64decode(body["payload"]))
            times[(found[1].decode(), int(found[2]))] += 1
        elif record["name"] == "unreadable":
            sys.exit(f"the journal holds a record that cannot be read: {record}")
    return times, values


def main(told, dump):
    sent, acked, wrong = {}, set(), []
    for line in lines(told):
        key = (line["device"], line["seq"])
        if line["what"] == "sent":
            sent[key] = line
        elif line["code"] < 0x80:
            acked.add(key)
        else:
            wrong.append(f"{key} was refused with code {line['code']}")
    times, values = stored(dump)
    wrong += [f"{key} was acknowledged and is not in the journal" for key in sorted(acked - times.keys())]
    counted = [key for key in times if (sent.get(key) or {}).get("value")]
    wrong += [f"{key} is in the journal {times[key]} times" for key in counted if times[key] != 1]
    wrong += [f"{key} is in the journal and was never sent" for key in times.keys() - sent.keys()]
    for key in counted:
        number, want = (values[key] or "").split(" ")[0], sent[key]["value"]
        if decimal.Decimal(number) != decimal.Decimal(want):
            wrong.append(f"{key} is {number} in the journal and was sent as {want}")
    for line in wrong[:PRINTED_MAX]:
        print(line, file=sys.stderr)
    if wrong:
        sys.exit(f"{len(wrong)} messages of {len(sent)} are not as the clients were told")
    print(f"checked: {len(sent)} sent, {len(acked)} acknowledged, {len(times)} in the journal, none lost or doubled")


main(*sys.argv[1:])
