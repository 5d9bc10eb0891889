#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""usage: metrics.py <TEXT

Whether TEXT is in Prometheus' text format 0.0.4, taken more strictly than Prometheus itself does:
each family has one HELP and one TYPE, in that order, and all its samples behind them; no sample is
there twice; a counter ends with _total, and nothing else does; labels and values are written as they
must be. Says what is wrong, and exits with 1; or else how many samples there are.
"""

import re
import sys

NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
LABEL = r'[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\["\\n])*"'
SAMPLE = re.compile(rf"({NAME})(\{{{LABEL}(?:,{LABEL})*\}})? (NaN|[+-]Inf|-?[0-9.]+(?:e[+-]?[0-9]+)?)")


def fail(number, why, line):
    sys.exit(f"line {number}: {why}: {line}")


def check(text):
    if not text.endswith("\n"):
        sys.exit("the last line has no end")
    kind, described, family, seen, families = None, None, None, set(), set()
    for number, line in enumerate(text[:-1].split("\n"), 1):
        if match := re.fullmatch(rf"# HELP ({NAME}) \S.*", line):
            described = match[1]
            if described in families:
                fail(number, "a family in two places", line)
            families.add(described)
        elif match := re.fullmatch(rf"# TYPE ({NAME}) (counter|gauge)", line):
            family, kind = match[1], match[2]
            if family != described:
                fail(number, "a TYPE without its HELP before it", line)
            if (kind == "counter") != family.endswith("_total"):
                fail(number, "a name that does not fit the type", line)
        elif match := SAMPLE.fullmatch(line):
            if match[1] != family:
                fail(number, "a sample outside of its family", line)
            names = re.findall(r'([a-zA-Z0-9_]+)="(?:[^"\\]|\\.)*"', match[2] or "")
            if len(names) != len(set(names)):
                fail(number, "a label twice", line)
            if (match[1], match[2]) in seen:
                fail(number, "a sample twice", line)
            if kind == "counter" and not float(match[3]) >= 0:
                fail(number, "a counter below 0", line)
            seen.add((match[1], match[2]))
        else:
            fail(number, "neither comment nor sample", line)
    unused = families - {name for name, _ in seen}
    if unused:
        sys.exit(f"families without a sample: {unused}")
    if not seen:
        sys.exit("no samples")
    print(f"{len(seen)} samples")


check(sys.stdin.read())
