"""Flips one bit of the newest sealed chunk of a channel, in the bytes of the database's file.

In: {"path": …, "channel": …, "part": 0.0 to 1.0}. Out: {"at": the byte, "from_ms": …, "to_ms": …, "items": …}.
"""

import json
import sqlite3
import sys

wish = json.load(sys.stdin)
database = sqlite3.connect(wish["path"])
# A log that stands beside the file would hide it.
database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
ask = """SELECT chunk.bytes, min_at, max_at, count FROM chunk
         JOIN series ON series.org = chunk.org AND series.id = chunk.series
         WHERE channel = ? ORDER BY first DESC LIMIT 1"""
blob, min_at, max_at, count = database.execute(ask, [wish["channel"]]).fetchone()
database.close()

with open(wish["path"], "r+b") as file:
    whole = file.read()
    begin = whole.find(blob)
    assert begin >= 0, "the chunk stands in one piece"
    at = begin + int((len(blob) - 1) * wish["part"])
    # A page keeps what was written over in its free room; which of them counts does not matter.
    while begin >= 0:
        place = begin + int((len(blob) - 1) * wish["part"])
        file.seek(place)
        file.write(bytes([whole[place] ^ 0x08]))
        begin = whole.find(blob, begin + 1)

json.dump({"at": at, "from_ms": min_at // 1_000_000, "to_ms": max_at // 1_000_000, "items": count}, sys.stdout)
