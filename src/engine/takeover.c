// SPDX-License-Identifier: LGPL-2.1-or-later
#include "src/engine/calls.h"
#include "src/engine/internal.h"
#include "src/engine/launch.h"
#include "src/engine/logs.h"
#include "src/host/process.h"
#include "src/host/helper.h"
#include "src/host/qmp.h"
#include "src/util/error.h"
#include "src/util/log.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#define LOOK_FOR_ROOM_EVERY_MS 1000

#define ASK_OF_REBOOT 5 /* a second each */
#define REBOOT_NOTE "<fakereboot/>"

/*
 * A VM that is there already: another engine made it, and died. QEMU has gone on. What can be done
 * without libvirt is done at once: the end of QEMU is noticed, a deadline counts on, the console
 * goes on where it was. QEMU and libvirt are then asked how the VM is, and the table says what is
 * still to be done: that way a stop which was under way goes on.
 */

/* libvirt's notes of the VM. */
static char *notes_path(const struct engine *e)
{
    g_autofree char *name = g_strconcat("run/qemu/", e->config->spec->name, ".xml", NULL);
    return root_file(e->config->root, name);
}

/* libvirt reboots a guest by having it power off; whether it was about to is in its notes alone:
 * where in there. -1: it was not. */
static off_t find_reboot(const char *path)
{
    g_autofree char *notes = NULL;
    const char *reboot =
        g_file_get_contents(path, &notes, NULL, NULL) ? strstr(notes, REBOOT_NOTE) : NULL;
    return reboot != NULL ? reboot - notes : -1;
}

/* In place, since there may be no room for another file. */
static void forget_reboot(const char *path, off_t where)
{
    static const char nothing[] = "             ";
    G_STATIC_ASSERT(sizeof(nothing) == sizeof(REBOOT_NOTE));
    int fd = open(path, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0 || pwrite(fd, nothing, strlen(nothing), where) < 0) {
        log_warning("%s cannot be written: %s; libvirt may reset the guest", path,
                    g_strerror(errno));
    } else {
        log_warning("the guest was asked to reboot, and was paused before it had; should it "
                    "still obey, it will power off instead");
    }
    if (fd >= 0) {
        close(fd);
    }
}

/*
 * Whether libvirt is about to reset the guest, which has powered off for it. libvirt would take one
 * that is paused, and was asked to reboot, for such a guest.
 */
static bool is_rebooting(const struct engine *e, int monitor)
{
    g_autofree char *path = notes_path(e);
    off_t where = find_reboot(path);
    if (where < 0) {
        return false;
    }
    g_autofree char *state = NULL;
    for (int tries = 0; tries < ASK_OF_REBOOT && monitor >= 0 && state == NULL; tries++) {
        state = qmp_ask_run_state(monitor);
    }
    if (g_strcmp0(state, "paused") != 0) {
        return true;
    }
    forget_reboot(path, where);
    return false;
}

/* Without it libvirt would end the VM. QEMU goes on meanwhile, and can be ended without libvirt. */
static void wait_for_room(const struct root *root)
{
    bool told = false;
    while (!root_has_room_to_take_over(root)) {
        if (!told) {
            log_error("there is no space left in %s: the VM goes on, and is taken over once there "
                      "is; make room there",
                      root->path);
            told = true;
        }
        g_usleep(LOOK_FOR_ROOM_EVERY_MS * 1000);
    }
}

/*
 * libvirt ends a VM whose guest has powered off meanwhile while it takes it over, and does not say
 * so. QEMU itself therefore has the first word. libvirt, which is connected at once, waits until
 * that is spoken; what happens later it tells as an event.
 */
static bool ask_qemu(void *data, GError **error)
{
    struct engine *e = data;
    const char *root = e->config->root->path;
    wait_for_room(e->config->root);
    int monitor = qmp_connect(root);
    e->made.reboots = is_rebooting(e, monitor);
    e->hypervisor = hypervisor_open(root, engine_on_hypervisor_event, e, error);
    if (monitor >= 0) {
        g_autofree char *state = qmp_ask_run_state(monitor);
        e->made.off = g_strcmp0(state, "shutdown") == 0;
        e->made.lives = state != NULL;
        close(monitor);
    }
    return e->hypervisor != NULL;
}

static bool ask_libvirt(void *data, GError **error)
{
    struct engine *e = data;
    const struct vm_spec *spec = e->config->spec;
    if (!engine_has_libvirt(e, error)) {
        return false;
    }
    e->made.found = hypervisor_find(e->hypervisor, spec->name);
    if (e->made.found == HYPERVISOR_FOUND_NONE || e->made.console >= 0) {
        return true;
    }
    e->made.console = helper_connect(spec->console_socket, error);
    return e->made.console >= 0;
}

/* As an engine that dies: the supervisor tries again, a few times. */
static void give_up(struct engine *e, const GError *error)
{
    log_error("cannot take the VM over: %s", error->message);
    e->legacy->gave_up = true;
    raise(SIGKILL);
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

/* QEMU waits to be ended; it may have to flush its disks first. */
static void end_qemu(struct engine *e, enum hypervisor_event why)
{
    engine_on_hypervisor_event(why, e);
    process_signal(e->pidfd, SIGTERM);
}

/* It has gone with the guest that reboots, perhaps unheard. */
static void forget_agent(struct engine *e)
{
    engine_on_hypervisor_event(HYPERVISOR_AGENT_DOWN, e);
}

static void go_on_running(struct engine *e)
{
    if (!e->legacy->facts.guest_ran) {
        start_note_running(e);
    }
    engine_handle(e, LIFECYCLE_FOUND_RUNNING);
}

static void go_on(struct engine *e)
{
    bool adopted = e->legacy->adopted;
    e->legacy->adopted = false;
    switch (e->made.off ? HYPERVISOR_FOUND_OFF : e->made.found) {
    case HYPERVISOR_FOUND_NONE:
        e->legacy->facts.disowned = e->made.lives;
        g_timeout_add(ENGINE_LAST_WORD_MS, end_stranger, e); /* unless it is about to end */
        break;
    case HYPERVISOR_FOUND_RUNNING:
        e->legacy->exit_asked = false;
        go_on_running(e);
        break;
    case HYPERVISOR_FOUND_PAUSED:
        if (e->made.reboots) { /* libvirt has reset it, and is about to have it run */
            forget_agent(e);
            go_on_running(e);
        } else if (adopted && e->legacy->state == LIFECYCLE_RUNNING) { /* somebody wanted it so */
            log_info("the guest is paused, as it was found; CONT resumes it");
            engine_request(e, ENGINE_PAUSE);
        } else {
            engine_handle(e, LIFECYCLE_FOUND_PAUSED);
        }
        break;
    case HYPERVISOR_FOUND_HALTED:
        engine_handle(e, LIFECYCLE_FOUND_HALTED);
        if (e->legacy->state == LIFECYCLE_PAUSED && !e->legacy->pause_asked) {
            halt_begin(e);
        }
        break;
    case HYPERVISOR_FOUND_OFF:
        if (e->made.reboots) {
            forget_agent(e);
            go_on_running(e);
        } else {
            end_qemu(e, HYPERVISOR_POWERED_OFF);
        }
        break;
    case HYPERVISOR_FOUND_CRASHED:
        end_qemu(e, HYPERVISOR_CRASHED);
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
        give_up(e, error);
    }
    if (e->console == NULL && e->made.console >= 0) {
        start_attach_console(e);
    }
    e->agent = agent_create(e->hypervisor);
    start_note(e); /* and whose it is now: an ocivirt that has adopted it is another one */
    log_info("the VM is taken over after %.0f ms", engine_ms_since(e->began_at));
    go_on(e);
}

static void on_qemu_asked(void *data, GError *error)
{
    struct engine *e = data;
    if (e->made.off && e->legacy->state == LIFECYCLE_STOPPING) {
        e->made.reboots = false; /* off is what was asked for since */
    }
    if (e->made.off && e->made.reboots) {
        forget_agent(e);
    }
    e->made.off &= !e->made.reboots;
    if (e->made.off) {
        engine_on_hypervisor_event(HYPERVISOR_POWERED_OFF, e);
    }
    if (error != NULL && e->legacy->state != LIFECYCLE_ENDED) {
        give_up(e, error);
    }
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
        logs_watch(e->config->root);
    }
}

void takeover_begin(struct engine *e)
{
    e->began_at = g_get_monotonic_time();
    e->legacy->gave_up = false;
    launch_note_version(e->config->root, e->config->spec);
    open_qemu(e);
    if (e->made.console >= 0) {
        start_attach_console(e);
    }
    engine_handle(e, LIFECYCLE_ENGINE_BACK);
    if (e->legacy->state == LIFECYCLE_ENDED) {
        return;
    }
    e->taking_over = true;
    if (e->pidfd < 0) { /* nor will there be a libvirt to ask */
        engine_await_last_word(e);
        return;
    }
    calls_push(e->requests, ask_qemu, on_qemu_asked, e);
    calls_push(e->requests, ask_libvirt, on_asked, e);
}
