// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/* What the files of the engine share; for engine.c, start.c, takeover.c, control.c, halt.c and
 * health.c alone. */

#include "src/engine/control.h"
#include "src/engine/engine.h"
#include "src/engine/helpers.h"
#include "src/engine/hypervisor.h"
#include "src/engine/legacy.h"
#include "src/engine/lifecycle.h"
#include "src/host/instance.h"

/* QEMU is reaped, and libvirt's word on why it ended is still on its way. */
#define ENGINE_LAST_WORD_MS 300

struct engine {
    const struct engine_config *config;
    const struct engine_begin *begin;
    GMainLoop *loop;
    GThreadPool *workers;  /* each for one blocking call */
    GThreadPool *requests; /* the same, one after the other */
    struct hypervisor *hypervisor;
    struct console *console;
    struct agent *agent; /* once there is a VM */
    struct hooks *hooks;
    struct helpers *helpers;
    struct helpers_events helpers_events;
    struct instance instance; /* as instance.json has it */
    struct legacy *legacy;    /* the state, and what has been decided: not this engine's alone */
    GError *error;            /* why there is no VM */

    struct {
        pid_t pid;
        int pidfd;
        int console; /* a socket */
        enum hypervisor_found found;
        bool reboots;        /* libvirt was about to reset the guest, before it was asked */
        bool off;            /* the guest had powered off, and not for that */
        bool lives;          /* QEMU has answered */
    } made;                  /* by the worker; the main loop gets it when that is done */
    int pidfd;               /* QEMU's; -1: not known yet */
    bool taking_over;        /* libvirt is still to be asked how the VM is */
    gint64 began_at;         /* to take over; µs, monotonic */
    GHashTable *early_exits; /* pid → status, of processes reaped before QEMU's pid was known */
    bool agent_asked;
    bool asking_to_reboot; /* that is under way */
    bool libvirt_stopped;  /* libvirt has said its last word */
    bool drained;          /* all that the guest has written is read */

    guint deadline; /* GSource ids; 0: not set */
    guint asking;
    guint last_word;
    guint noting;       /* instance.json could not be written */
    gint64 rebooted_at; /* µs, monotonic: the last time */

    struct {
        guint number;    /* of the present halt, or of what came after it */
        gint64 began_at; /* µs, monotonic */
        gint64
            resumed_at; /* when the last one was ended for room that there seemed to be; 0: never */
        guint wait_ms;  /* how long this one lasts at least */
        bool in_vain;   /* this one came at once after the last */
    } halt;             /* halt.c's */

    struct {
        GSList *observers;   /* of const struct engine_observer */
        GError *last_error;  /* of the last call that was a request; NULL: it has succeeded */
        GThreadPool *asking; /* NULL: nothing has been asked yet */
        int questions;       /* not answered yet */
    } control;               /* control.c's */

    struct {
        struct watch *watch; /* NULL: the console has nothing to do with it */
        gint64 output_at;    /* µs, monotonic: the last */
        guint rest;          /* GSource id; 0: not set */
        bool port_accepts;
    } health; /* health.c's */
};

/* An event for the table, and what follows from it. */
void engine_handle(struct engine *e, enum lifecycle_event event);
/* Has the guest power off, for whatever reason; nothing if that is under way. */
void engine_begin_stop(struct engine *e, gint64 asked_at); /* µs, monotonic */
/* False and @error: there is no libvirt to ask: the engine before this one was lost, and QEMU is
 * gone as well. */
bool engine_has_libvirt(const struct engine *e, GError **error);
/* QEMU's pidfd is known: its end is to be noticed. */
void engine_watch_qemu(struct engine *e);
/* QEMU has ended. The supervisor tells its status, and libvirt why; if they do not, the end counts
 * all the same. */
void engine_await_last_word(struct engine *e);
hypervisor_handler engine_on_hypervisor_event;
/* All that the guest has written is read. @data: the engine. */
void engine_on_drained(void *data);
/* QEMU is gone: what is left is its console's last bytes. */
void engine_finish(struct engine *e);
/* Ends the main loop, once there is nothing more to wait for. */
void engine_quit_if_over(struct engine *e);
double engine_ms_since(gint64 then);
/* The deadline is stop_timeout_ms after the stop was asked for. */
void engine_renew_deadline(struct engine *e);

/* For others to know of: control.c. */
void control_tell(struct engine *e, enum engine_news news);
/* How a call that was a request went; @error: NULL: well. */
void control_called(struct engine *e, const GError *error);
console_tap control_output;

/* Whether it is alive and ready: health.c. */
void health_begin(struct engine *e);
void health_output(struct engine *e, const char *bytes, gsize length);
/* Something has changed. */
void health_note(struct engine *e);
void health_note_reboot(struct engine *e);

/* QEMU has paused the guest, since there is no room for what it writes: halt.c. */
void halt_begin(struct engine *e);
/* It goes on, or whether it does is no more for halt.c to decide. */
void halt_end(struct engine *e);

/* The start, up to the guest that runs: start.c. */
bool start_begin(struct engine *e, GError **error);
void start_prepare(struct engine *e);
void start_resume(struct engine *e);
hooks_done start_on_hooks_done;
/* instance.json anew, with what has changed in e->legacy: who helps QEMU, what the console has
 * shown.
 */
void start_note(struct engine *e);
/* The guest runs. */
void start_note_running(struct engine *e);
/* The console of the VM that e->made is of. */
void start_attach_console(struct engine *e);

/* The same for a VM that another engine has made: takeover.c. */
void takeover_begin(struct engine *e);
