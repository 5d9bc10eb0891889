// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/*
 * What an engine that dies leaves to the next one: memory that all engines of one supervisor share.
 * Only one of them lives at a time. It holds what was decided and done; how the VM is by now the
 * next engine asks libvirt.
 */

#include "src/engine/lifecycle.h"
#include "src/engine/watch.h"
#include "src/host/instance.h"

#include <glib.h>
#include <sys/types.h>

struct legacy {
    enum lifecycle_state state;
    struct lifecycle_facts facts;
    pid_t qemu;             /* 0: not known yet */
    guint64 qemu_started;   /* as in struct instance */
    gint64 stop_asked_at;   /* µs, monotonic */
    gint64 stop_by_hand_at; /* the same, by a signal or a key; 0: not */
    guint64 stop_timeout_ms;
    guint64 own_stop_timeout_ms; /* the setting, whatever a client of the API has asked for */
    bool agent_connected;        /* when libvirt last told */
    guint64 oom_kills;           /* when the first engine began */
    guint engines_lost;          /* before the one that lives */
    bool was_ready;              /* once */
    bool pause_asked;            /* and not taken back */
    bool exit_asked;             /* by a reset of a guest that is not to be started again */
    bool adopted;                /* and not yet taken over: it is as its last ocivirt left it */
    bool gave_up;                /* the engine before: it could not take the VM over */
    struct watch_memory console;
    struct instance_process helpers[INSTANCE_HELPERS_MAX]; /* as helpers.h orders them */
};

/* Of a VM that is about to be made. In memory that outlives this process's children; NULL: there is
 * none, and errno says why. */
struct legacy *legacy_create(guint64 stop_timeout_ms);

/* Whether there is a VM in which the guest runs, has run or is about to, for another engine to take
 * over. */
bool legacy_has_vm(const struct legacy *legacy);
