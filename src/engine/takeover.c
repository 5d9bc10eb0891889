// SPDX-License-Identifier: LGPL-2.1-or-later
#include "src/engine/calls.h"
#include "src/engine/internal.h"
#include "src/engine/launch.h"
#include "src/host/process.h"
#include "src/host/helper.h"
#include "src/util/error.h"
#include "src/util/log.h"

#include <signal.h>

/*
 * A VM that is there already: another engine made it, and died. QEMU has gone on. What can be done
 * without libvirt is done at once: the end of QEMU is noticed, a deadline counts on, the console
 * goes on where it was. libvirt is then asked how the VM is, and the table says what is still to be
 * done: that way a stop which was under way goes on.
 */

static bool ask_libvirt(void *data, GError **error)
{
    struct engine *e = data;
    const struct vm_spec *spec = e->config->spec;
    e->hypervisor = hypervisor_open(e->config->root->path, engine_on_hypervisor_event, e, error);
    if (e->hypervisor == NULL) {
        return false;
    }
    e->made.found = hypervisor_find(e->hypervisor, spec->name);
    if (e->made.found == HYPERVISOR_FOUND_NONE || e->made.console >= 0) {
        return true;
    }
    e->made.console = helper_connect(spec->console_socket, error);
    return e->made.console >= 0;
}

/* QEMU lives, and libvirt does not know it: nobody could stop it in order any more. */
static gboolean end_stranger(gpointer data)
{
    struct engine *e = data;
    if (e->legacy->state < LIFECYCLE_TERMINATING) {
        g_set_error(&e->error, ERROR_DOMAIN, ERROR_INTERNAL,
                    "libvirt does not know the running VM any more, which has been ended; "
                    "%s/log may tell more",
                    e->config->root->path);
        engine_handle(e, LIFECYCLE_FORCE);
    }
    return G_SOURCE_REMOVE;
}

static void go_on(struct engine *e)
{
    switch (e->made.found) {
    case HYPERVISOR_FOUND_NONE:
        g_timeout_add(ENGINE_LAST_WORD_MS, end_stranger, e); /* unless it is about to end */
        break;
    case HYPERVISOR_FOUND_RUNNING:
        if (!e->legacy->facts.guest_ran) {
            start_note_running(e);
        }
        engine_handle(e, LIFECYCLE_FOUND_RUNNING);
        break;
    case HYPERVISOR_FOUND_PAUSED:
        engine_handle(e, LIFECYCLE_FOUND_PAUSED);
        break;
    case HYPERVISOR_FOUND_HALTED:
        engine_handle(e, LIFECYCLE_FOUND_HALTED);
        if (e->legacy->state == LIFECYCLE_PAUSED && !e->legacy->pause_asked) {
            halt_begin(e);
        }
        break;
    case HYPERVISOR_FOUND_OFF:
        engine_on_hypervisor_event(HYPERVISOR_POWERED_OFF, e);
        engine_handle(e, LIFECYCLE_FORCE);
        break;
    case HYPERVISOR_FOUND_CRASHED:
        engine_on_hypervisor_event(HYPERVISOR_CRASHED, e);
        engine_handle(e, LIFECYCLE_FORCE);
        break;
    }
}

static void on_asked(void *data, GError *error)
{
    struct engine *e = data;
    e->taking_over = false;
    if (e->legacy->state == LIFECYCLE_ENDED) {
        return;
    }
    if (error != NULL) {
        /* As an engine that dies: the supervisor tries again, and ends the VM if that is in vain.
         */
        log_error("cannot take the VM over: %s", error->message);
        raise(SIGKILL);
    }
    if (e->console == NULL && e->made.console >= 0) {
        start_attach_console(e);
    }
    e->agent = agent_create(e->hypervisor);
    log_info("the VM is taken over after %.0f ms", engine_ms_since(e->began_at));
    go_on(e);
}

static void open_qemu(struct engine *e)
{
    struct legacy *legacy = e->legacy;
    e->instance.qemu = legacy->qemu;
    e->instance.qemu_started = legacy->qemu_started;
    e->instance.status = INSTANCE_RUNNING;
    e->pidfd = process_reopen(legacy->qemu, legacy->qemu_started);
    if (e->pidfd >= 0) {
        engine_watch_qemu(e);
        helpers_watch(e->helpers);
    }
}

void takeover_begin(struct engine *e)
{
    e->began_at = g_get_monotonic_time();
    launch_note_version(e->config->root, e->config->spec);
    open_qemu(e);
    if (e->made.console >= 0) {
        start_attach_console(e);
    }
    engine_handle(e, LIFECYCLE_ENGINE_BACK);
    if (e->legacy->state == LIFECYCLE_ENDED) {
        return;
    }
    if (e->pidfd < 0) {
        engine_await_last_word(e);
        return;
    }
    e->taking_over = true;
    calls_push(e->requests, ask_libvirt, on_asked, e);
}
