// SPDX-License-Identifier: LGPL-2.1-or-later
#include "src/engine/calls.h"
#include "src/engine/internal.h"
#include "src/engine/launch.h"
#include "src/engine/logs.h"
#include "src/host/process.h"
#include "src/host/helper.h"
#include "src/host/disks.h"
#include "src/host/first_boot.h"
#include "src/host/limits.h"
#include "src/util/error.h"
#include "src/util/log.h"
#include "src/vm/domain_xml.h"

#include <string.h>
#include <sys/wait.h>

/*
 * From nothing to a guest that runs: libvirt makes the VM, paused; hooks; the guest's CPUs run;
 * hooks. Each part ends with an event for the table (lifecycle.h), which says what is next.
 */

/* After libvirt has lost a QEMU: the supervisor tells that it has ended. */
#define REAPED_WITHIN_MS 100
/* After instance.json could not be written. */
#define NOTE_AGAIN_MS 2000

static void note_time(const struct engine *e, const char *what)
{
    if (e->config->timings) {
        log_info("timing: %-18s %7.1f ms", what, engine_ms_since(e->config->started_at));
    }
}

/* The disks, made ready on a thread of their own: of their time and of that which libvirt needs to
 * open, most is waiting. */
struct disks_thread {
    const struct vm_spec *spec;
    GThread *thread;
    GError *error;
};

static void *prepare_disks(void *data)
{
    struct disks_thread *disks = data;
    disks_prepare(disks->spec, &disks->error);
    return NULL;
}

static bool join_disks(struct disks_thread *disks, GError **error)
{
    g_thread_join(disks->thread);
    if (disks->error != NULL) {
        g_propagate_error(error, disks->error);
        return false;
    }
    return true;
}

static bool open_libvirt(struct engine *e, GError **error)
{
    e->hypervisor = hypervisor_open(e->config->root->path, engine_on_hypervisor_event, e, error);
    note_time(e, "libvirt opened");
    return e->hypervisor != NULL;
}

/* A disk that is wrong is the better reason. */
static bool prepare_and_open(struct engine *e, GError **error)
{
    g_autoptr(GError) local = NULL;
    struct disks_thread disks = {.spec = e->config->spec};
    disks.thread = g_thread_new("disks", prepare_disks, &disks);
    bool opened = open_libvirt(e, &local);
    if (!join_disks(&disks, error)) {
        return false;
    }
    note_time(e, "disks ready");
    if (!opened) {
        g_propagate_error(error, g_steal_pointer(&local));
    }
    return opened;
}

/* Where libvirt has no notes on QEMU yet it is asked for them, as it would ask itself a moment
 * later. That QEMU cannot be probed is said when the VM is made. */
static char *describe_vm(const struct engine *e)
{
    struct vm_spec *spec = e->config->spec;
    launch_note_version(e->config->root, spec);
    if (spec->nics->len > 0 && spec->emulator_version == 0) {
        hypervisor_probe(e->hypervisor, spec, NULL);
        launch_note_version(e->config->root, spec);
    }
    return domain_xml(spec);
}

static bool write_instance(const struct engine *e, enum instance_status status, GError **error)
{
    g_autofree char *path = root_file(e->config->root, "instance.json");
    struct instance instance = e->instance;
    instance.status = status;
    instance.console_seen = e->legacy->console.seen ? (char *)e->config->ready_pattern : NULL;
    memcpy(instance.helpers, e->legacy->helpers, sizeof(instance.helpers));
    return instance_write(&instance, path, error);
}

static bool make_vm(void *data, GError **error)
{
    struct engine *e = data;
    const struct engine_config *config = e->config;
    if (!root_write_qemu_conf(config->root, config->spec->security_model, error) ||
        !launch_prepare(config->root, config->spec, error) ||
        !helpers_start_first(e->helpers, error) ||
        !write_instance(e, INSTANCE_CREATING, error) || /* that they are there */
        !first_boot_prepare(config->spec, error)) {
        return false;
    }
    note_time(e, "root prepared");
    if (!prepare_and_open(e, error)) {
        return false;
    }
    g_autofree char *xml = describe_vm(e);
    if (!hypervisor_create(e->hypervisor, config->spec, xml, &e->made.pid, error)) {
        launch_explain(config->spec, error);
        helpers_explain(e->helpers, error);
        return false;
    }
    launch_log_warnings(config->spec);
    note_time(e, "QEMU started");
    if (!helpers_start_last(e->helpers, error)) {
        return false;
    }
    e->made.pidfd = process_open_sibling(e->made.pid, error);
    if (e->made.pidfd < 0) {
        return false;
    }
    e->made.console = helper_connect(config->spec->console_socket, error);
    return e->made.console >= 0;
}

static bool note_status(struct engine *e, enum instance_status status, GError **error)
{
    e->instance.status = status;
    return write_instance(e, status, error);
}

static gboolean note_again(gpointer data)
{
    struct engine *e = data;
    if (e->legacy->state != LIFECYCLE_ENDED && !write_instance(e, e->instance.status, NULL)) {
        return G_SOURCE_CONTINUE;
    }
    e->noting = 0;
    return G_SOURCE_REMOVE;
}

/* Who asks gets an old answer for a while, and the VM goes on. */
static void try_to_note_status(struct engine *e, enum instance_status status)
{
    g_autoptr(GError) error = NULL;
    if (e->legacy->state == LIFECYCLE_ENDED) {
        return; /* what is noted by then is the end */
    }
    if (note_status(e, status, &error)) {
        return;
    }
    log_warning("%s", error->message);
    if (e->noting == 0) {
        e->noting = g_timeout_add(NOTE_AGAIN_MS, note_again, e);
    }
}

void start_note(struct engine *e)
{
    try_to_note_status(e, e->instance.status);
}

static void on_escape(void *data)
{
    engine_request(data, ENGINE_STOP);
}

void start_attach_console(struct engine *e)
{
    if (e->made.console != e->begin->console) {
        e->begin->keep_console(e->made.console, e->begin->data);
    }
    const struct console_handlers handlers = {on_escape, engine_on_drained, e};
    e->console = console_create(e->made.console, e->config->console, &handlers);
    console_set_tap(e->console, control_output, e);
    if (console_is_raw(e->console)) {
        log_info("the keyboard is the guest's; Ctrl-] three times within a second stops it");
    }
}

/* A process that has ended of a signal, before anybody knew who it was; 0: there is none. */
static int find_killed(const struct engine *e)
{
    GHashTableIter iterator;
    gpointer pid, status;
    g_hash_table_iter_init(&iterator, e->early_exits);
    while (g_hash_table_iter_next(&iterator, &pid, &status)) {
        if (WIFSIGNALED(GPOINTER_TO_INT(status)) &&
            !helpers_own(e->helpers, GPOINTER_TO_INT(pid))) {
            return GPOINTER_TO_INT(status);
        }
    }
    return 0;
}

/* libvirt has no words for a QEMU that is killed while it makes the VM. */
static gboolean fail(gpointer data)
{
    struct engine *e = data;
    int killed = find_killed(e);
    if (killed != 0) {
        log_debug("%s", e->error->message);
        g_clear_error(&e->error);
        e->legacy->facts.status_known = true;
        e->legacy->facts.qemu_status = killed;
    }
    engine_handle(e, LIFECYCLE_FAILED);
    return G_SOURCE_REMOVE;
}

static void on_vm_made(void *data, GError *error)
{
    struct engine *e = data;
    if (error != NULL) {
        e->error = g_error_copy(error);
        root_explain(e->config->root, &e->error);
        disks_explain(e->config->spec, &e->error);
        bool clear = e->error->code != ERROR_INTERNAL || find_killed(e) != 0;
        g_timeout_add(clear ? 0 : REAPED_WITHIN_MS, fail, e);
        return;
    }
    e->legacy->qemu = e->made.pid;
    e->pidfd = e->made.pidfd;
    e->instance.qemu = e->legacy->qemu;
    e->instance.qemu_started = e->legacy->qemu_started = process_start_time(e->legacy->qemu);
    e->agent = agent_create(e->hypervisor);
    engine_watch_qemu(e);
    helpers_watch(e->helpers);
    logs_watch(e->config->root);
    bool prepared = !hooks_any(e->hooks, HOOK_PRESTART, HOOK_CREATE_CONTAINER);
    if (!note_status(e, prepared ? INSTANCE_CREATED : INSTANCE_CREATING, &e->error)) {
        engine_handle(e, LIFECYCLE_FAILED);
        return;
    }
    engine_handle(e, LIFECYCLE_MADE);

    gpointer status;
    if (g_hash_table_lookup_extended(e->early_exits, GINT_TO_POINTER(e->legacy->qemu), NULL,
                                     &status)) {
        engine_process_exited(e, e->legacy->qemu, GPOINTER_TO_INT(status));
    }
}

static void on_prepared(struct engine *e)
{
    start_attach_console(e);
    note_time(e, "console attached");
    engine_handle(e, LIFECYCLE_CREATED);
}

/* The terminal is not the guest's yet: Ctrl-C stops a hook that hangs. */
void start_prepare(struct engine *e)
{
    if (hooks_any(e->hooks, HOOK_PRESTART, HOOK_CREATE_CONTAINER)) {
        hooks_start(e->hooks, HOOK_PRESTART, HOOK_CREATE_CONTAINER, INSTANCE_CREATING,
                    e->legacy->qemu);
    } else {
        on_prepared(e);
    }
}

static void on_hook_failed(struct engine *e, const GError *error)
{
    if (e->legacy->state == LIFECYCLE_STOPPING) {
        log_warning("%s; the guest is being stopped anyway", error->message);
    } else if (e->legacy->state < LIFECYCLE_STOPPING) {
        g_clear_error(&e->error);
        e->error = g_error_copy(error);
        engine_handle(e, LIFECYCLE_HOOK_FAILED);
    } else {
        log_info("%s: the VM has come to its end", error->message);
    }
}

void start_on_hooks_done(void *data, GError *error)
{
    struct engine *e = data;
    if (error != NULL) {
        on_hook_failed(e, error);
    } else if (e->legacy->state == LIFECYCLE_PREPARING) {
        note_time(e, "hooks have run");
        try_to_note_status(e, INSTANCE_CREATED);
        on_prepared(e);
    }
    engine_quit_if_over(e);
}

static gboolean end_unresumed(gpointer data)
{
    engine_handle(data, LIFECYCLE_FORCE);
    return G_SOURCE_REMOVE;
}

void start_note_running(struct engine *e)
{
    double ms = engine_ms_since(e->config->started_at);
    bool over = e->legacy->state >= LIFECYCLE_LEAVING;
    e->legacy->facts.guest_ran = true;
    if (!over) {
        try_to_note_status(e, INSTANCE_RUNNING); /* first: who reads the line may ask for it */
    }
    health_note(e);
    log_info("guest running after %.0f ms", ms);
    if (over && hooks_any(e->hooks, HOOK_POSTSTART, HOOK_POSTSTART)) {
        log_info("the poststart hooks are not run: the VM has come to its end");
    } else if (hooks_any(e->hooks, HOOK_POSTSTART, HOOK_POSTSTART)) {
        hooks_start(e->hooks, HOOK_POSTSTART, HOOK_POSTSTART, INSTANCE_RUNNING, e->legacy->qemu);
    }
}

static void on_resumed(void *data, GError *error)
{
    struct engine *e = data;
    control_called(e, error);
    if (error != NULL) {
        if (e->legacy->state >= LIFECYCLE_LEAVING) {
            return;
        }
        if (e->legacy->facts.guest_ran) {
            log_warning("%s", error->message);
        } else if (e->error == NULL) {
            e->error = g_error_copy(error);
            g_timeout_add(ENGINE_LAST_WORD_MS, end_unresumed,
                          e); /* unless QEMU's end explains it */
        }
        return;
    }
    e->agent_asked = false; /* libvirt asks none of a guest that does not run */
    if (!e->legacy->facts.guest_ran) {
        start_note_running(e);
    }
}

static bool call_resume(void *data, GError **error)
{
    const struct engine *e = data;
    return engine_has_libvirt(e, error) && hypervisor_resume(e->hypervisor, error);
}

void start_resume(struct engine *e)
{
    calls_push(e->requests, call_resume, on_resumed, e);
}

/* An engine before this one may have come so far, and what it had made is gone. */
static bool begin_anew(struct engine *e, GError **error)
{
    if (e->legacy->state == LIFECYCLE_PREPARING &&
        hooks_any(e->hooks, HOOK_PRESTART, HOOK_CREATE_CONTAINER)) {
        g_set_error(error, ERROR_DOMAIN, ERROR_INTERNAL,
                    "the VM is not started again: hooks that are to run once had begun to");
        return false;
    }
    if (e->begin->again && !root_renew(e->config->root, error)) {
        return false;
    }
    e->legacy->state = LIFECYCLE_CREATING;
    e->legacy->qemu = 0;
    memset(e->legacy->helpers, 0, sizeof(e->legacy->helpers));
    e->legacy->oom_kills = limits_oom_kills();
    return true;
}

bool start_begin(struct engine *e, GError **error)
{
    if (e->legacy->state == LIFECYCLE_ABORTING) {
        engine_handle(e, LIFECYCLE_FAILED);
        return true;
    }
    if (!begin_anew(e, error)) {
        return false;
    }
    if (!note_status(e, INSTANCE_CREATING, error)) {
        return false;
    }
    calls_push(e->workers, make_vm, on_vm_made, e);
    return true;
}
