// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/* What supervisor and engine tell each other: one message per packet of a SOCK_SEQPACKET socket. */

#include <sys/types.h>

enum link_kind {
    /* to the engine */
    LINK_SIGNAL, /* value: a signal's number that the supervisor has got */
    LINK_EXITED, /* pid: an orphan that was reaped; value: its status as of waitpid(2) */
    LINK_PING,   /* to be answered at once */
    /* to the supervisor */
    LINK_PONG,
    LINK_KEEP, /* with a descriptor (SCM_RIGHTS), to be handed to the next engine */
};

/* Without padding, which would be sent as it comes. */
struct link_message {
    enum link_kind kind;
    pid_t pid;
    long long value;
    long long came_at; /* of a signal, for which there may have been no engine; ms, monotonic */
};

/* The engine's end. A descriptor goes with a LINK_KEEP, and stays the caller's. Never blocks. */
void link_answer(int link);
void link_keep(int link, int fd);
