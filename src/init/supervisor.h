// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/*
 * PID 1 of the container, or the subreaper of what a shell started: one child, the engine, and
 * whatever that leaves behind. It reaps, forwards, starts an engine that died again, and keeps the
 * terminal's settings. Plain C on libc: nothing here may fail for want of memory.
 */

#include "src/init/link.h"

#include <stdbool.h>

/* What an engine starts from. */
struct supervisor_start {
    int link; /* struct link_message comes and goes here; end of file: the supervisor is gone */
    int kept; /* what an earlier engine has sent with LINK_KEEP; -1: nothing */
    int lost_signal; /* that killed the engine before this one; 0: this is the first */
    bool lost_hung;  /* it did not answer, and was killed for that */
};

struct supervisor_config {
    /* The engine: runs in a child process of its own. Returns an exit status. */
    int (*run)(const struct supervisor_start *start, void *data);
    /*
     * The engine has died without an exit status: whether the VM is one that the next can take
     * over. If not, all that is left of it is ended before that starts.
     */
    bool (*can_take_over)(void *data);
    void *data;
};

/* What became of the engine, when it did not end with an exit status. */
struct supervisor_report {
    int engine_signal; /* that killed the last engine; 0: none */
    int engines_lost;  /* how many died without an exit status */
    int leftovers;     /* processes that had to be ended at the end */
    bool survivors;    /* some of these are still there, and hang in the kernel */
    int saved_errno;   /* the supervisor could not start; 0: it could */
    int fork_errno;    /* why there could not be another engine at last; 0: there could */
};

/*
 * Blocks every signal that the supervisor handles, so that none is lost before its loop runs: PID 1
 * ignores what it has no handler for. To be called first of all, and before any thread.
 */
void supervisor_block_signals(void);

/*
 * Runs the engine, again when it has died or hangs, and waits until it and all its descendants are
 * gone. Returns the exit status of the engine; or -1 when it died too often, or never started, and
 * @report says how.
 */
int supervisor_run(const struct supervisor_config *config, struct supervisor_report *report);
