// SPDX-License-Identifier: LGPL-2.1-or-later
#include "src/engine/lifecycle.h"
#include "src/util/error.h"

#include <signal.h>
#include <string.h>
#include <sys/wait.h>

static const char *const state_names[] = {
    [LIFECYCLE_CREATING] = "creating",
    [LIFECYCLE_ABORTING] = "aborting",
    [LIFECYCLE_RUNNING] = "running",
    [LIFECYCLE_PAUSED] = "paused",
    [LIFECYCLE_STOPPING] = "stopping",
    [LIFECYCLE_LEAVING] = "leaving",
    [LIFECYCLE_TERMINATING] = "terminating",
    [LIFECYCLE_KILLING] = "killing",
    [LIFECYCLE_ENDED] = "ended",
};
G_STATIC_ASSERT(G_N_ELEMENTS(state_names) == LIFECYCLE_STATES);

/*
 * One line per event that means something: in this state, ON(event, next state, actions). A cell
 * that is not written down stays where it is and does nothing; to tell it, .next is a state + 1.
 */
#define ON(event, state, actions)                                                                  \
    [LIFECYCLE_##event] = {                                                                        \
        LIFECYCLE_##state + 1,                                                                     \
        actions,                                                                                   \
    }

/* clang-format off */
static const struct lifecycle_step table[LIFECYCLE_STATES][LIFECYCLE_EVENTS] = {
    [LIFECYCLE_CREATING] = {
        ON(CREATED, RUNNING, LIFECYCLE_RUN),
        ON(FAILED, ENDED, LIFECYCLE_FINISH),
        ON(STOP, ABORTING, LIFECYCLE_TIMEOUT),
        /* The supervisor ends what there is of QEMU: nobody here knows it yet. */
        ON(FORCE, ENDED, LIFECYCLE_FINISH),
    },
    [LIFECYCLE_ABORTING] = {
        ON(CREATED, TERMINATING, LIFECYCLE_TERM),
        ON(FAILED, ENDED, LIFECYCLE_FINISH),
        ON(FORCE, ENDED, LIFECYCLE_FINISH),
        ON(DEADLINE, ENDED, LIFECYCLE_FINISH),
    },
    [LIFECYCLE_RUNNING] = {
        ON(STOP, STOPPING, LIFECYCLE_ASK | LIFECYCLE_TIMEOUT),
        ON(FORCE, TERMINATING, LIFECYCLE_TERM),
        ON(PAUSE, PAUSED, LIFECYCLE_SUSPEND),
        ON(HALTED, PAUSED, 0),
        ON(REBOOT, RUNNING, LIFECYCLE_ASK_REBOOT),
        ON(RESET, RUNNING, LIFECYCLE_DO_RESET),
        ON(GUEST_LEAVES, LEAVING, 0),
        ON(QEMU_EXITED, ENDED, LIFECYCLE_FINISH),
    },
    [LIFECYCLE_PAUSED] = {
        /* A paused guest hears no power button. */
        ON(STOP, STOPPING, LIFECYCLE_RUN | LIFECYCLE_ASK | LIFECYCLE_TIMEOUT),
        ON(FORCE, TERMINATING, LIFECYCLE_TERM),
        ON(RESUME, RUNNING, LIFECYCLE_RUN),
        ON(RESET, PAUSED, LIFECYCLE_DO_RESET),
        ON(GUEST_LEAVES, LEAVING, 0),
        ON(QEMU_EXITED, ENDED, LIFECYCLE_FINISH),
    },
    [LIFECYCLE_STOPPING] = {
        ON(STOP, TERMINATING, LIFECYCLE_TERM),
        ON(FORCE, TERMINATING, LIFECYCLE_TERM),
        ON(DEADLINE, TERMINATING, LIFECYCLE_TERM),
        ON(GUEST_LEAVES, LEAVING, 0),
        ON(QEMU_EXITED, ENDED, LIFECYCLE_FINISH),
    },
    [LIFECYCLE_LEAVING] = {
        /* Usually over in milliseconds; but QEMU may hang in a flush to a dead disk. */
        ON(STOP, LEAVING, LIFECYCLE_TIMEOUT),
        ON(FORCE, TERMINATING, LIFECYCLE_TERM),
        ON(DEADLINE, TERMINATING, LIFECYCLE_TERM),
        ON(QEMU_EXITED, ENDED, LIFECYCLE_FINISH),
    },
    [LIFECYCLE_TERMINATING] = {
        ON(DEADLINE, KILLING, LIFECYCLE_KILL),
        ON(QEMU_EXITED, ENDED, LIFECYCLE_FINISH),
    },
    [LIFECYCLE_KILLING] = {
        ON(QEMU_EXITED, ENDED, LIFECYCLE_FINISH),
    },
};
/* clang-format on */

struct lifecycle_step lifecycle_step(enum lifecycle_state state, enum lifecycle_event event)
{
    struct lifecycle_step step = table[state][event];
    step.next = step.next == 0 ? state : step.next - 1;
    return step;
}

const char *lifecycle_state_name(enum lifecycle_state state)
{
    return state_names[state];
}

enum { CRASHED = 128 + SIGABRT, KILLED = 128 + SIGKILL };

static int outcome_of_force(const struct lifecycle_facts *facts, char **message)
{
    const char *rung = facts->sent_kill ? "SIGKILL, since SIGTERM did not help" : "SIGTERM";
    if (!facts->guest_ran && !facts->force_asked) {
        *message = g_strdup("stopped before the guest ran");
        return 0;
    }
    if (facts->force_asked) {
        *message = facts->sent_term ? g_strdup_printf("the guest was ended at once, as asked: QEMU "
                                                      "got %s",
                                                      rung)
                                    : g_strdup("the start was ended at once, as asked");
    } else {
        *message =
            g_strdup_printf("the guest did not power off within its stop-timeout and was ended: "
                            "QEMU got %s",
                            rung);
    }
    return KILLED;
}

static int outcome_of_exit(const struct lifecycle_facts *facts, char **message)
{
    int status = facts->qemu_status;
    if (facts->status_known && WIFSIGNALED(status)) {
        int signal = WTERMSIG(status);
        const char *hint = "";
        if (signal == SIGKILL && facts->oom_killed) {
            hint = ": the kernel's OOM killer ended it; raise the container's memory limit or give "
                   "the guest less";
        } else if (signal == SIGKILL) {
            hint = ", which ocivirt did not send; the kernel's OOM killer is the likely cause";
        }
        *message =
            g_strdup_printf("QEMU died of signal %d (%s)%s", signal, strsignal(signal), hint);
        return 128 + signal;
    }
    if (facts->host_shutdown) {
        *message = g_strdup("QEMU was asked to end by a signal that ocivirt did not send");
        return 128 + SIGTERM;
    }
    if (facts->status_known && WIFEXITED(status) && WEXITSTATUS(status) != 0) {
        *message = g_strdup_printf("QEMU exited with status %d", WEXITSTATUS(status));
        return ERROR_INTERNAL;
    }
    if (!facts->status_known) {
        *message = g_strdup("QEMU has ended, and nobody could tell its exit status");
        return ERROR_INTERNAL;
    }
    *message = g_strdup("the guest powered off");
    return 0;
}

int lifecycle_outcome(const struct lifecycle_facts *facts, char **message)
{
    if (facts->guest_crashed) {
        *message = g_strdup("the guest crashed; its last words are on the console");
        return CRASHED;
    }
    if (facts->guest_powered_off && !facts->sent_kill) {
        *message = g_strdup("the guest powered off");
        return 0;
    }
    if (facts->sent_term || facts->force_asked || (facts->stop_asked && !facts->guest_ran)) {
        return outcome_of_force(facts, message);
    }
    return outcome_of_exit(facts, message);
}
