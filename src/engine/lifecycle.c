// SPDX-License-Identifier: LGPL-2.1-or-later
#include "src/engine/lifecycle.h"
#include "src/util/error.h"

#include <signal.h>
#include <string.h>
#include <sys/wait.h>

static const char *const state_names[] = {
    [LIFECYCLE_CREATING] = "creating",   [LIFECYCLE_ABORTING] = "aborting",
    [LIFECYCLE_PREPARING] = "preparing", [LIFECYCLE_RUNNING] = "running",
    [LIFECYCLE_PAUSED] = "paused",       [LIFECYCLE_STOPPING] = "stopping",
    [LIFECYCLE_LEAVING] = "leaving",     [LIFECYCLE_TERMINATING] = "terminating",
    [LIFECYCLE_KILLING] = "killing",     [LIFECYCLE_ENDED] = "ended",
};
G_STATIC_ASSERT(G_N_ELEMENTS(state_names) == LIFECYCLE_STATES);

static const char *const event_names[] = {
    [LIFECYCLE_MADE] = "made: QEMU is there, paused",
    [LIFECYCLE_FAILED] = "failed: it could not be made",
    [LIFECYCLE_CREATED] = "created: the hooks before the start have run",
    [LIFECYCLE_HOOK_FAILED] = "a hook failed",
    [LIFECYCLE_STOP] = "stop asked for",
    [LIFECYCLE_FORCE] = "forced end asked for",
    [LIFECYCLE_DEADLINE] = "deadline",
    [LIFECYCLE_PAUSE] = "pause asked for",
    [LIFECYCLE_RESUME] = "resume asked for",
    [LIFECYCLE_REBOOT] = "reboot asked for",
    [LIFECYCLE_RESET] = "reset asked for",
    [LIFECYCLE_HALTED] = "disk I/O error: QEMU has paused the guest",
    [LIFECYCLE_GUEST_LEAVES] = "the guest powered off or crashed",
    [LIFECYCLE_ENGINE_BACK] = "the engine was lost, and this is the next",
    [LIFECYCLE_FOUND_RUNNING] = "the next engine finds the guest running",
    [LIFECYCLE_FOUND_PAUSED] = "the next engine finds it paused",
    [LIFECYCLE_FOUND_HALTED] = "the next engine finds it paused by a disk I/O error",
    [LIFECYCLE_QEMU_EXITED] = "QEMU exited",
};
G_STATIC_ASSERT(G_N_ELEMENTS(event_names) == LIFECYCLE_EVENTS);

static const char *const action_names[] = {
    "run the guest's CPUs",
    "halt the guest's CPUs",
    "ask the guest to power off, each second",
    "deadline: stop-timeout after the stop",
    "SIGTERM to QEMU, deadline: 0.5 s",
    "SIGKILL to QEMU, deadline: 30 s",
    "ask the guest to reboot",
    "reset",
    "run the hooks before the start",
    "read what is left of the console, and end",
};
G_STATIC_ASSERT(1 << (G_N_ELEMENTS(action_names) - 1) == LIFECYCLE_FINISH);

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
        ON(MADE, PREPARING, LIFECYCLE_PREPARE),
        ON(FAILED, ENDED, LIFECYCLE_FINISH),
        ON(STOP, ABORTING, LIFECYCLE_TIMEOUT),
        /* The supervisor ends what there is of QEMU: nobody here knows it yet. */
        ON(FORCE, ENDED, LIFECYCLE_FINISH),
    },
    [LIFECYCLE_ABORTING] = {
        ON(MADE, TERMINATING, LIFECYCLE_TERM),
        ON(FAILED, ENDED, LIFECYCLE_FINISH),
        ON(FORCE, ENDED, LIFECYCLE_FINISH),
        ON(DEADLINE, ENDED, LIFECYCLE_FINISH),
    },
    [LIFECYCLE_PREPARING] = {
        ON(CREATED, RUNNING, LIFECYCLE_RUN),
        ON(HOOK_FAILED, TERMINATING, LIFECYCLE_TERM),
        ON(STOP, TERMINATING, LIFECYCLE_TERM),
        ON(FORCE, TERMINATING, LIFECYCLE_TERM),
        ON(GUEST_LEAVES, LEAVING, 0),
        ON(QEMU_EXITED, ENDED, LIFECYCLE_FINISH),
    },
    [LIFECYCLE_RUNNING] = {
        ON(STOP, STOPPING, LIFECYCLE_ASK | LIFECYCLE_TIMEOUT),
        ON(FORCE, TERMINATING, LIFECYCLE_TERM),
        ON(HOOK_FAILED, TERMINATING, LIFECYCLE_TERM),
        ON(PAUSE, PAUSED, LIFECYCLE_SUSPEND),
        ON(HALTED, PAUSED, 0),
        ON(REBOOT, RUNNING, LIFECYCLE_ASK_REBOOT),
        ON(RESET, RUNNING, LIFECYCLE_DO_RESET),
        ON(GUEST_LEAVES, LEAVING, 0),
        /* What was decided and not done: here, a resume. */
        ON(FOUND_PAUSED, RUNNING, LIFECYCLE_RUN),
        ON(FOUND_HALTED, PAUSED, 0),
        ON(QEMU_EXITED, ENDED, LIFECYCLE_FINISH),
    },
    [LIFECYCLE_PAUSED] = {
        /* A paused guest hears no power button. */
        ON(STOP, STOPPING, LIFECYCLE_RUN | LIFECYCLE_ASK | LIFECYCLE_TIMEOUT),
        ON(FORCE, TERMINATING, LIFECYCLE_TERM),
        ON(HOOK_FAILED, TERMINATING, LIFECYCLE_TERM),
        ON(RESUME, RUNNING, LIFECYCLE_RUN),
        ON(RESET, PAUSED, LIFECYCLE_DO_RESET),
        ON(GUEST_LEAVES, LEAVING, 0),
        ON(FOUND_RUNNING, PAUSED, LIFECYCLE_SUSPEND),
        ON(QEMU_EXITED, ENDED, LIFECYCLE_FINISH),
    },
    [LIFECYCLE_STOPPING] = {
        ON(STOP, TERMINATING, LIFECYCLE_TERM),
        ON(FORCE, TERMINATING, LIFECYCLE_TERM),
        ON(DEADLINE, TERMINATING, LIFECYCLE_TERM),
        /* A full disk has halted it, and there is room again. */
        ON(RESUME, STOPPING, LIFECYCLE_RUN),
        ON(GUEST_LEAVES, LEAVING, 0),
        ON(ENGINE_BACK, STOPPING, LIFECYCLE_TIMEOUT),
        ON(FOUND_RUNNING, STOPPING, LIFECYCLE_ASK),
        ON(FOUND_PAUSED, STOPPING, LIFECYCLE_RUN | LIFECYCLE_ASK),
        ON(FOUND_HALTED, STOPPING, LIFECYCLE_RUN | LIFECYCLE_ASK),
        ON(QEMU_EXITED, ENDED, LIFECYCLE_FINISH),
    },
    [LIFECYCLE_LEAVING] = {
        /* Usually over in milliseconds; but QEMU may hang in a flush to a dead disk. */
        ON(STOP, LEAVING, LIFECYCLE_TIMEOUT),
        ON(ENGINE_BACK, LEAVING, LIFECYCLE_TIMEOUT),
        ON(FORCE, TERMINATING, LIFECYCLE_TERM),
        ON(DEADLINE, TERMINATING, LIFECYCLE_TERM),
        ON(QEMU_EXITED, ENDED, LIFECYCLE_FINISH),
    },
    [LIFECYCLE_TERMINATING] = {
        ON(DEADLINE, KILLING, LIFECYCLE_KILL),
        ON(ENGINE_BACK, TERMINATING, LIFECYCLE_TERM),
        ON(QEMU_EXITED, ENDED, LIFECYCLE_FINISH),
    },
    [LIFECYCLE_KILLING] = {
        /* The kernel does not let go of it, for the sake of a dead disk perhaps. */
        ON(DEADLINE, ENDED, LIFECYCLE_FINISH),
        ON(ENGINE_BACK, KILLING, LIFECYCLE_KILL),
        ON(QEMU_EXITED, ENDED, LIFECYCLE_FINISH),
    },
    [LIFECYCLE_ENDED] = {
        ON(ENGINE_BACK, ENDED, LIFECYCLE_FINISH),
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

const char *lifecycle_event_name(enum lifecycle_event event)
{
    return event_names[event];
}

static void describe_actions(GString *text, unsigned actions)
{
    const char *separator = "";
    for (gsize i = 0; i < G_N_ELEMENTS(action_names); i++) {
        if (actions & 1U << i) {
            g_string_append_printf(text, "%s%s", separator, action_names[i]);
            separator = "; ";
        }
    }
}

char *lifecycle_describe(void)
{
    GString *text = g_string_new("| in state | event | next state | and the engine's work |\n"
                                 "|---|---|---|---|\n");
    for (int state = 0; state < LIFECYCLE_STATES; state++) {
        for (int event = 0; event < LIFECYCLE_EVENTS; event++) {
            struct lifecycle_step step = lifecycle_step(state, event);
            if (table[state][event].next == 0) {
                continue; /* nothing happens */
            }
            g_string_append_printf(text, "| %s | %s | %s | ", state_names[state],
                                   event_names[event], state_names[step.next]);
            describe_actions(text, step.actions);
            g_string_append(text, " |\n");
        }
    }
    return g_string_free(text, FALSE);
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
    bool died = facts->status_known && WIFSIGNALED(status);
    if (facts->disowned && (!died || WTERMSIG(status) == SIGKILL)) {
        *message = g_strdup("libvirt could not take the VM over, and has ended it; libvirt.log in "
                            "the root directory's log tells why");
        return ERROR_INTERNAL;
    }
    if (died) {
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

static int outcome_without_report(const struct lifecycle_facts *facts, char **message)
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

int lifecycle_outcome(const struct lifecycle_facts *facts, char **message)
{
    int status = outcome_without_report(facts, message);
    if (facts->helper_lost && (status == 0 || status == KILLED) && !facts->force_asked) {
        g_free(*message);
        *message = g_strdup("the guest was stopped, since a program that serves one of its devices "
                            "has ended");
        return ERROR_UNAVAILABLE;
    }
    if (status != 0 || !facts->guest_ran || !facts->guest_reported) {
        return status;
    }
    g_free(*message);
    *message =
        g_strdup_printf("the guest powered off and reported exit status %d", facts->guest_status);
    return facts->guest_status;
}
