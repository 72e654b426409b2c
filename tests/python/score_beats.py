"""Scores found beats against an MIT annotation file, by its own reading of both.

    score_beats.py RECORD.atr RECORD.csv WINDOW FIRST

Prints one JSON object: beats found, missed and invented, from sample FIRST on. A detection belongs to the free beat
nearest to it within WINDOW samples; detections are asked in order of their distance, so that nearest pairs come first.
Ventricular flutter, between `[` and `]`, is left out.
"""

import bisect
import json
import struct
import sys

BEATS = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 25, 30, 34, 35, 38, 41}
FLUTTER_BEGINS, FLUTTER_ENDS = 32, 33
SKIP, FIELDS, TEXT = 59, (60, 61, 62), 63


def marks(path):
    """Yields the sample and the code of each mark."""
    data = open(path, "rb").read()
    at = sample = 0
    while at + 2 <= len(data):
        (word,) = struct.unpack_from("<H", data, at)
        at += 2
        code, step = word >> 10, word & 0x3FF
        if word == 0:
            return
        if code == SKIP:
            high, low = struct.unpack_from("<hH", data, at)
            sample += (high << 16) + low
            at += 4
        elif code == TEXT:
            at += step + step % 2
        elif code not in FIELDS:
            sample += step
            yield sample, code


def main():
    reference, found_in, window, first = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
    beats, flutter, since = [], [], None
    for sample, code in marks(reference):
        if code in BEATS:
            beats.append(sample)
        elif code == FLUTTER_BEGINS:
            since = sample
        elif code == FLUTTER_ENDS:
            flutter.append((since, sample))
    lines = open(found_in).read().split()
    assert lines[0] == "sample", lines[0]
    found = [int(line) for line in lines[1:]]

    pairs = []
    for index, sample in enumerate(found):
        near = bisect.bisect_left(beats, sample - window)
        while near < len(beats) and beats[near] <= sample + window:
            pairs.append((abs(beats[near] - sample), near, index))
            near += 1
    beat_of, find_of = {}, {}
    for _, beat, find in sorted(pairs):
        if beat not in find_of and find not in beat_of:
            find_of[beat], beat_of[find] = find, beat

    def counts(sample):
        return sample >= first and not any(start <= sample <= end for start, end in flutter)

    print(json.dumps({
        "true_positives": sum(1 for beat in find_of if counts(beats[beat])),
        "false_negatives": sum(1 for i, s in enumerate(beats) if i not in find_of and counts(s)),
        "false_positives": sum(1 for i, s in enumerate(found) if i not in beat_of and counts(s)),
    }))


main()
