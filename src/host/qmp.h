// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/* What QEMU's monitor says of itself (QEMU Machine Protocol), without libvirt. */

#include <glib.h>

/* The RunState ("running", "paused", "shutdown" …) in an answer to query-status, which is JSON;
 * NULL: there is none in it. The caller owns it. */
char *qmp_run_state(const char *answer, gsize length);

/* A connection to the monitor of the one VM of the root directory @root. QEMU takes one client at a
 * time: until it is closed all others wait, libvirt too. -1: there is no monitor, or too many wait
 * already. The caller closes it. */
int qmp_connect(const char *root);

/* QEMU's RunState as it is now, also where an earlier question was answered too late. NULL: no
 * answer within a second. Blocks. */
char *qmp_ask_run_state(int monitor);
