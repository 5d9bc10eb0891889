# SPDX-License-Identifier: LGPL-2.1-or-later
"""The table, and what its reader has to know."""

import json
import os
import platform
import re
import shutil
import statistics
import subprocess
import sys
import textwrap
from pathlib import Path


def progress(text):
    if sys.stderr.isatty():
        print(f"\r\x1b[K{text}", end="", file=sys.stderr, flush=True)


def summary(values, floor):
    numbers = [value for value in values if value is not None]
    result = {"samples": values}
    if numbers:
        result |= {"median": statistics.median(numbers), "min": min(numbers), "max": max(numbers)}
        if floor:
            result["ratio"] = result["median"] / floor
    return result


def summaries(bench):
    """row → contender's name → summary."""
    rows = {}
    for row in bench.options.rows:
        samples = bench.samples[row]
        floor = statistics.median(samples.get(bench.raw.name) or [0])
        rows[row] = {name: summary(values, floor) for name, values in samples.items()}
    return rows


def cell(result, unit, is_floor):
    if result is None:
        return "–"
    if "median" not in result:
        return "never"
    digits = 1 if unit == "MiB" else 0
    low, median, high = (f"{result[key]:.{digits}f}" for key in ("min", "median", "max"))
    text = f"{median} ({low}–{high})" if len(result["samples"]) > 1 else f"{median} (once)"
    return text + (f" {result['ratio']:6.2f}×" if "ratio" in result and not is_floor else "")


def print_table(bench, rows, titles):
    names = [contender.name for contender in bench.contenders]
    lines = [["", *names]]
    for row, results in rows.items():
        title, unit = titles[row]
        cells = [cell(results.get(name), unit, name == bench.raw.name) for name in names]
        lines.append([f"{title}, {unit}", *cells])
    widths = [max(map(len, column)) for column in zip(*lines)]
    lines.insert(1, ["─" * width for width in widths])
    for title, *cells in lines:
        cells = [text.rjust(width) for text, width in zip(cells, widths[1:])]
        print("  ".join([title.ljust(widths[0]), *cells]))


def notes(bench):
    yield (
        "Each cell: median (lowest–highest), and how many times raw QEMU. Rounds in which the "
        f"contenders took turns: {bench.options.runs}; in the first row every warm start counts."
    )
    yield (
        "exec: the moment before execve(2). Guest runs: the RESUME event, on a second QMP monitor "
        "that all contenders' QEMUs have. Cold: a new root directory each time, with no cache of "
        "what QEMU can do; raw QEMU needs none."
    )
    yield (
        "raw QEMU: libvirt's command line for ocivirt, less -no-shutdown (with it QEMU waits for "
        "libvirt to end it); the sockets are ours, and “cont” is sent as soon as it can be."
    )
    if bench.said:
        said, late = zip(*bench.said)
        yield (
            f"ocivirt's own “guest running after N ms”: N = {statistics.median(said):.0f} "
            f"({min(said)}–{max(said)}), counted from its main(). The line comes "
            f"{statistics.median(late):.1f} ms after RESUME."
        )
    if bench.wants("userland"):
        yield "First line of guest userland: “guest: up”, as it reaches who reads the console."
    if bench.wants("poweroff"):
        yield "Guest powers off: the SHUTDOWN event. All gone: no process is left, QEMU included."
    if bench.wants("stop"):
        yield (
            "Stop signal: SIGTERM while the guest listens for its power button, which it obeys; "
            "for raw QEMU it is QMP system_powerdown."
        )
    if bench.wants("rss", "pss", "written"):
        yield (
            "Memory: of all processes but QEMU, when the guest is up. RSS counts twice what two "
            "processes share; PSS divides it, also by strangers that use the same libraries; what "
            "is private and written to is nobody else's in any case."
        )
    if bench.wants("pid1", "pid1-cold"):
        yield (
            "As PID 1: in a PID namespace made by unshare(1), whose own start is included; at most "
            "three times, virt-qemu-run once."
        )
    if len(bench.contenders) > 2:
        yield (
            "virt-qemu-run: child of an init that reaps, whose memory is not counted, and with "
            "ocivirt's domain XML. Stopped, it does not ask the guest: its signal handler destroys "
            "it."
        )
    else:
        yield "virt-qemu-run is not installed (Debian: libvirt-daemon-driver-qemu)."
    for name, times in bench.void_caches.items():
        yield (
            f"{name}: {len(times)} of its warm starts found the cache void, and probed QEMU anew. "
            f"They took {statistics.median(times):.0f} ms."
        )
    yield from bench.remarks


def first_line(*command):
    try:
        result = subprocess.run(command, capture_output=True, text=True, check=True)
        return result.stdout.splitlines()[0]
    except (OSError, subprocess.CalledProcessError, IndexError):
        return f"{command[0]}, of unknown version"


def circumstances(bench):
    model = re.search(r"^model name\s*: (.*)", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    return {
        "ocivirt": first_line(bench.ocivirt.program, "--version"),
        "qemu": first_line(bench.raw.emulator, "--version"),
        "kernel": platform.release(),
        "cpu": model[1] if model else platform.machine(),
        "cpus": os.cpu_count(),
        "load": os.getloadavg()[0],
        "accel": bench.options.accel,
    }


def report(bench, titles):
    progress("")
    rows = summaries(bench)
    about = circumstances(bench)
    print("{ocivirt} · {qemu} · Linux {kernel}".format(**about))
    print("{cpus} × {cpu}, load average {load:.2f} · accel {accel}\n".format(**about))
    print_table(bench, rows, titles)
    print()
    width = min(120, shutil.get_terminal_size((120, 0)).columns)
    for note in notes(bench):
        print(textwrap.fill(note, width, initial_indent="· ", subsequent_indent="  "))
    if bench.options.json:
        data = {
            "circumstances": about,
            "runs": bench.options.runs,
            "units": {row: unit for row, (_, unit) in titles.items()},
            "rows": rows,
            "ocivirt_says_ms": [said for said, _ in bench.said],
            "void_caches_ms": bench.void_caches,
            "remarks": bench.remarks,
        }
        Path(bench.options.json).write_text(json.dumps(data, indent=2, ensure_ascii=False) + "\n")
