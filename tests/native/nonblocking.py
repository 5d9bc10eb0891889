#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""usage: nonblocking.py COMMAND...

Prints what COMMAND prints, which has a pipe for that: one that does not block who writes, and is full before it is read.
"""

import os
import subprocess
import sys
import time

read_end, write_end = os.pipe()
os.set_blocking(write_end, False)
with subprocess.Popen(sys.argv[1:], stdout=write_end) as command:
    os.close(write_end)
    time.sleep(2)
    with open(read_end, "rb") as said:
        sys.stdout.buffer.write(said.read())
sys.exit(command.returncode)
