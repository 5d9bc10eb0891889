// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/* What the supervisor tells the engine: one message per packet of a SOCK_SEQPACKET socket. */

#include <sys/types.h>

enum link_kind {
    LINK_SIGNAL, /* value: a signal's number that the supervisor has got */
    LINK_EXITED, /* pid: an orphan that was reaped; value: its status as of waitpid(2) */
};

struct link_message {
    enum link_kind kind;
    pid_t pid;
    int value;
};
