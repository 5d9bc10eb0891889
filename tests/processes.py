# SPDX-License-Identifier: LGPL-2.1-or-later
"""What /proc says of processes, for the suites in Python."""

from pathlib import Path


def children(pid):
    try:
        lists = [file.read_text() for file in Path(f"/proc/{pid}/task").glob("*/children")]
        return [int(child) for child in " ".join(lists).split()]
    except OSError:
        return []


def name_of(pid):
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return ""
