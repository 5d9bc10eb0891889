// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/*
 * PID 1 of the container, or the subreaper of what a shell started: one child, the engine, and
 * whatever that leaves behind. It reaps, forwards, and keeps the terminal's settings. Plain C on
 * libc: nothing here may fail for want of memory.
 */

#include "src/init/link.h"

#include <stdbool.h>

/*
 * The engine: runs in a child process of its own. @link is its end of the socket on which
 * struct link_message arrive, until end of file: the supervisor is gone. Returns an exit status.
 */
typedef int supervisor_child(int link, void *data);

/* What became of the engine, when it did not end with an exit status. */
struct supervisor_report {
    int engine_signal; /* that killed the engine; 0: none */
    int leftovers;     /* processes that had to be ended after it */
    int saved_errno;   /* the supervisor could not start; 0: it could */
};

/*
 * Blocks every signal that the supervisor handles, so that none is lost before its loop runs: PID 1
 * ignores what it has no handler for. To be called first of all, and before any thread.
 */
void supervisor_block_signals(void);

/*
 * Runs @child and waits until it and all its descendants are gone. Returns the exit status of the
 * engine, or -1 when it died without one and @report says how.
 */
int supervisor_run(supervisor_child *child, void *data, struct supervisor_report *report);
