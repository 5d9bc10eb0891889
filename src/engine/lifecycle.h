// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/*
 * The life of a VM as a table: in which state which event has which effect. Pure: time, libvirt and
 * QEMU are the engine's; here is only what follows from what.
 */

#include <stdbool.h>

enum lifecycle_state {
    LIFECYCLE_CREATING,    /* libvirt makes the VM; the guest has not run yet */
    LIFECYCLE_ABORTING,    /* the same, and it is to end as soon as it is there */
    LIFECYCLE_PREPARING,   /* it is there, and hooks run before the guest does */
    LIFECYCLE_RUNNING,     /* the guest is left to itself */
    LIFECYCLE_PAUSED,      /* by request, or since a disk is full */
    LIFECYCLE_STOPPING,    /* the guest has been asked to power off */
    LIFECYCLE_LEAVING,     /* it has, or it crashed: QEMU is about to exit by itself */
    LIFECYCLE_TERMINATING, /* QEMU got SIGTERM from us */
    LIFECYCLE_KILLING,     /* QEMU got SIGKILL from us */
    LIFECYCLE_ENDED,       /* QEMU is gone, or never came */
    LIFECYCLE_STATES,
};

enum lifecycle_event {
    LIFECYCLE_MADE,          /* the VM is there, paused */
    LIFECYCLE_FAILED,        /* it could not be made */
    LIFECYCLE_CREATED,       /* what there is to do before the guest runs is done */
    LIFECYCLE_HOOK_FAILED,   /* one before it runs, or one for when it does */
    LIFECYCLE_STOP,          /* graceful end asked for */
    LIFECYCLE_FORCE,         /* end at once asked for */
    LIFECYCLE_DEADLINE,      /* the time of the present rung is over */
    LIFECYCLE_PAUSE,         /* asked for */
    LIFECYCLE_RESUME,        /* asked for */
    LIFECYCLE_REBOOT,        /* asked for */
    LIFECYCLE_RESET,         /* asked for */
    LIFECYCLE_HALTED,        /* QEMU has paused the guest: a disk is full */
    LIFECYCLE_GUEST_LEAVES,  /* the guest powered off or crashed */
    LIFECYCLE_ENGINE_BACK,   /* the engine died, and this is the next */
    LIFECYCLE_FOUND_RUNNING, /* which has heard from libvirt that the guest runs, */
    LIFECYCLE_FOUND_PAUSED,  /* is paused, */
    LIFECYCLE_FOUND_HALTED,  /* or is paused since a disk is full */
    LIFECYCLE_QEMU_EXITED,   /* */
    LIFECYCLE_EVENTS,
};

/* What the engine has to do on the way into the next state. */
enum lifecycle_action {
    LIFECYCLE_RUN = 1 << 0,        /* let the guest's CPUs run */
    LIFECYCLE_SUSPEND = 1 << 1,    /* halt them */
    LIFECYCLE_ASK = 1 << 2,        /* ask the guest to power off, now and again */
    LIFECYCLE_TIMEOUT = 1 << 3,    /* the deadline is stop-timeout from now */
    LIFECYCLE_TERM = 1 << 4,       /* SIGTERM to QEMU; the deadline is the kill delay from now */
    LIFECYCLE_KILL = 1 << 5,       /* SIGKILL to QEMU */
    LIFECYCLE_ASK_REBOOT = 1 << 6, /* */
    LIFECYCLE_DO_RESET = 1 << 7,   /* */
    LIFECYCLE_PREPARE = 1 << 8,    /* run the hooks that come before the guest */
    LIFECYCLE_FINISH = 1 << 9,     /* there is nothing more to wait for */
};

struct lifecycle_step {
    enum lifecycle_state next;
    unsigned actions; /* of enum lifecycle_action */
};

struct lifecycle_step lifecycle_step(enum lifecycle_state state, enum lifecycle_event event);

const char *lifecycle_state_name(enum lifecycle_state state);
const char *lifecycle_event_name(enum lifecycle_event event);

/* The table as people read it (docs/lifecycle.md): Markdown. The caller owns it. */
char *lifecycle_describe(void);

/* All that is known at the end. */
struct lifecycle_facts {
    bool guest_ran;
    bool guest_powered_off; /* QEMU said so: the guest's own doing */
    bool guest_crashed;     /* panic device, internal error */
    bool host_shutdown;     /* QEMU was asked to end by a signal */
    bool stop_asked;
    bool force_asked;
    bool sent_term; /* the rungs that were climbed */
    bool sent_kill;
    bool disowned;       /* libvirt did not take over a VM that was there */
    bool helper_lost;    /* a program beside QEMU that the guest cannot do without */
    bool oom_killed;     /* the OOM killer has struck in the meantime */
    bool status_known;   /* of QEMU */
    int qemu_status;     /* as of waitpid(2) */
    bool guest_reported; /* a status of its own: */
    int guest_status;
};

/* The exit status that the facts mean (README, "Exit statuses"). @message becomes a sentence
 * for the log; the caller owns it. */
int lifecycle_outcome(const struct lifecycle_facts *facts, char **message);
