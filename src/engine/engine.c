// SPDX-License-Identifier: LGPL-2.1-or-later
#include "src/engine/engine.h"
#include "src/engine/hypervisor.h"
#include "src/engine/lifecycle.h"
#include "src/engine/qemu_process.h"
#include "src/host/instance.h"
#include "src/host/limits.h"
#include "src/host/overlay.h"
#include "src/util/error.h"
#include "src/util/log.h"

#include <glib-unix.h>
#include <signal.h>
#include <sys/wait.h>

/* The ladder's rungs; stop-timeout lies between the first two. */
#define ASK_EVERY_MS 1000
#define KILL_AFTER_TERM_MS 500
/* For the console's last bytes, once somebody waits for our end. */
#define LAST_BYTES_MS 1000
/* QEMU is reaped, and libvirt's word on why it ended is still on its way. */
#define LAST_WORD_MS 300
/* timeout(1), and a terminal beside a forwarding parent, deliver one stop as two signals. */
#define ONE_STOP_MS 10
/* A guest may reset more than once for one reboot. */
#define ONE_REBOOT_MS 1000

struct engine {
    const struct engine_config *config;
    GMainLoop *loop;
    GThreadPool *workers;  /* each for one blocking call of struct call */
    GThreadPool *requests; /* the same, one after the other */
    struct hypervisor *hypervisor;
    struct console *console;
    enum lifecycle_state state;
    struct lifecycle_facts facts;
    GError *error; /* why there is no VM */

    struct {
        pid_t pid;
        int pidfd;
        int console;         /* a socket */
    } made;                  /* by the worker; the main loop takes it over in on_vm_made() */
    pid_t qemu;              /* 0: not known yet */
    int pidfd;               /* -1: the same */
    GHashTable *early_exits; /* pid → status, of processes reaped before QEMU's pid was known */
    bool agent_connected;
    bool agent_asked;
    bool libvirt_stopped; /* libvirt has said its last word */

    guint deadline; /* GSource ids; 0: not set */
    guint asking;
    guint last_word;
    gint64 stop_asked_at; /* µs, monotonic */
    gint64 rebooted_at;   /* the same, the last time */
    guint64 oom_kills;    /* at the start */
};

/* A blocking call on a worker, and what to do on the main loop when it has returned. */
struct call {
    struct engine *engine;
    bool (*work)(struct engine *engine, GError **error);
    void (*done)(struct engine *engine, GError *error); /* NULL: a failure is logged */
    GError *error;
};

static void handle(struct engine *e, enum lifecycle_event event);

/* --- blocking calls --- */

static gboolean finish_call(gpointer data)
{
    struct call *call = data;
    if (call->done != NULL) {
        call->done(call->engine, call->error);
    } else if (call->error != NULL && call->engine->state < LIFECYCLE_LEAVING) {
        log_warning("%s", call->error->message);
    }
    g_clear_error(&call->error);
    g_free(call);
    return G_SOURCE_REMOVE;
}

static void work_on_call(gpointer data, gpointer user_data)
{
    (void)user_data;
    struct call *call = data;
    call->work(call->engine, &call->error);
    g_idle_add_full(G_PRIORITY_HIGH, finish_call, call, NULL);
}

static void push_call(GThreadPool *pool, struct engine *e, bool (*work)(struct engine *, GError **),
                      void (*done)(struct engine *, GError *))
{
    struct call *call = g_new0(struct call, 1);
    call->engine = e;
    call->work = work;
    call->done = done;
    g_thread_pool_push(pool, call, NULL);
}

static void start_call(struct engine *e, bool (*work)(struct engine *, GError **),
                       void (*done)(struct engine *, GError *))
{
    push_call(e->workers, e, work, done);
}

static bool call_resume(struct engine *e, GError **error)
{
    return hypervisor_resume(e->hypervisor, error);
}

static bool call_suspend(struct engine *e, GError **error)
{
    return hypervisor_suspend(e->hypervisor, error);
}

static bool call_press_power_button(struct engine *e, GError **error)
{
    return hypervisor_press_power_button(e->hypervisor, error);
}

static bool call_ask_agent(struct engine *e, GError **error)
{
    return hypervisor_ask_agent_to_power_off(e->hypervisor, error);
}

static bool call_reboot(struct engine *e, GError **error)
{
    return hypervisor_reboot(e->hypervisor, error);
}

static bool call_reset(struct engine *e, GError **error)
{
    return hypervisor_reset(e->hypervisor, error);
}

static gboolean on_last_word_overdue(gpointer data);

/* QEMU has ended. The supervisor tells its status; if it cannot, the end counts all the same. */
static gboolean on_pidfd(gint fd, GIOCondition condition, gpointer data)
{
    (void)fd;
    (void)condition;
    struct engine *e = data;
    if (e->last_word == 0) {
        e->last_word = g_timeout_add(LAST_WORD_MS, on_last_word_overdue, e);
    }
    return G_SOURCE_REMOVE;
}

/* --- the start --- */

static double ms_since(gint64 then)
{
    return (g_get_monotonic_time() - then) / 1000.0;
}

static void note_time(const struct engine *e, const char *what)
{
    if (e->config->timings) {
        log_info("timing: %-18s %7.1f ms", what, ms_since(e->config->started_at));
    }
}

static void on_hypervisor_event(enum hypervisor_event event, void *data);

static bool make_vm(struct engine *e, GError **error)
{
    const struct engine_config *config = e->config;
    if (!root_write_qemu_conf(config->root, error)) {
        return false;
    }
    for (guint i = 0; i < config->spec->disks->len; i++) {
        const struct vm_disk *disk = g_ptr_array_index(config->spec->disks, i);
        if (disk->overlay != NULL && !overlay_prepare(disk, error)) {
            return false;
        }
    }
    note_time(e, "root prepared");
    e->hypervisor = hypervisor_open(config->root->path, on_hypervisor_event, e, error);
    if (e->hypervisor == NULL) {
        return false;
    }
    note_time(e, "libvirt opened");
    if (!hypervisor_create(e->hypervisor, config->spec, config->xml, &e->made.pid, error)) {
        return false;
    }
    note_time(e, "QEMU started");
    e->made.pidfd = qemu_process_open(e->made.pid, error);
    if (e->made.pidfd < 0) {
        return false;
    }
    e->made.console = console_connect(config->spec->console_socket, error);
    return e->made.console >= 0;
}

static bool write_instance(const struct engine *e, GError **error)
{
    struct instance instance;
    g_autofree char *path = root_file(e->config->root, "instance.json");
    instance_init(&instance, e->config->spec->name);
    instance.supervisor = e->config->supervisor;
    instance.qemu = e->qemu;
    instance.qemu_started = e->qemu > 0 ? instance_start_time(e->qemu) : 0;
    bool ok = instance_write(&instance, path, error);
    instance_finish(&instance);
    return ok;
}

static void on_escape(void *data)
{
    engine_request(data, ENGINE_STOP);
}

static void on_drained(void *data)
{
    struct engine *e = data;
    g_main_loop_quit(e->loop);
}

static void attach_console(struct engine *e)
{
    const struct console_handlers handlers = {on_escape, on_drained, e};
    e->console = console_create(e->made.console, e->config->console, &handlers);
    if (console_is_raw(e->console)) {
        log_info("the keyboard is the guest's; Ctrl-] three times within a second stops it");
    }
}

static void on_vm_made(struct engine *e, GError *error)
{
    if (error != NULL) {
        e->error = g_error_copy(error);
        handle(e, LIFECYCLE_FAILED);
        return;
    }
    e->qemu = e->made.pid;
    e->pidfd = e->made.pidfd;
    g_unix_fd_add(e->pidfd, G_IO_IN, on_pidfd, e);
    if (!write_instance(e, &e->error)) {
        handle(e, LIFECYCLE_FAILED);
        return;
    }
    attach_console(e);
    note_time(e, "console attached");
    handle(e, LIFECYCLE_CREATED);

    gpointer status;
    if (g_hash_table_lookup_extended(e->early_exits, GINT_TO_POINTER(e->qemu), NULL, &status)) {
        engine_process_exited(e, e->qemu, GPOINTER_TO_INT(status));
    }
}

static gboolean end_unresumed(gpointer data)
{
    handle(data, LIFECYCLE_FORCE);
    return G_SOURCE_REMOVE;
}

static void on_resumed(struct engine *e, GError *error)
{
    if (error != NULL) {
        if (e->facts.guest_ran) {
            log_warning("%s", error->message);
        } else if (e->state < LIFECYCLE_LEAVING && e->error == NULL) {
            e->error = g_error_copy(error);
            g_timeout_add(LAST_WORD_MS, end_unresumed, e); /* unless QEMU's end explains it */
        }
        return;
    }
    if (!e->facts.guest_ran) {
        e->facts.guest_ran = true;
        log_info("guest running after %.0f ms", ms_since(e->config->started_at));
    }
}

/* --- the ladder --- */

static gboolean on_deadline(gpointer data)
{
    struct engine *e = data;
    e->deadline = 0;
    handle(e, LIFECYCLE_DEADLINE);
    return G_SOURCE_REMOVE;
}

static void set_deadline(struct engine *e, guint ms)
{
    if (e->deadline != 0) {
        g_source_remove(e->deadline);
    }
    e->deadline = g_timeout_add(ms, on_deadline, e);
}

/* Of stop-timeout, which counts from the signal, whatever has happened since; ms. */
static guint time_left(const struct engine *e)
{
    return MAX(0, (double)e->config->stop_timeout_ms - ms_since(e->stop_asked_at));
}

static gboolean ask_to_power_off(gpointer data)
{
    struct engine *e = data;
    if (e->state != LIFECYCLE_STOPPING) {
        e->asking = 0;
        return G_SOURCE_REMOVE;
    }
    enum engine_stop_method method = e->config->stop_method;
    if (method != ENGINE_STOP_AGENT) {
        start_call(e, call_press_power_button, NULL);
    }
    if (method != ENGINE_STOP_ACPI && e->agent_connected && !e->agent_asked) {
        e->agent_asked = true;
        start_call(e, call_ask_agent, NULL);
    }
    return G_SOURCE_CONTINUE;
}

static void start_asking(struct engine *e)
{
    log_info("asking the guest to power off; it has %.1f s", time_left(e) / 1000.0);
    if (e->asking == 0) {
        e->asking = g_timeout_add(ASK_EVERY_MS, ask_to_power_off, e);
    }
    ask_to_power_off(e);
}

static void send_signal(struct engine *e, int signal)
{
    log_info("sending %s to QEMU", signal == SIGTERM ? "SIGTERM" : "SIGKILL");
    qemu_process_signal(e->pidfd, signal);
}

/* --- the end --- */

static void finish(struct engine *e)
{
    if (e->console != NULL) {
        bool hurry = e->facts.stop_asked || e->facts.force_asked;
        console_drain(e->console, hurry ? LAST_BYTES_MS : 0); /* on_drained() ends the loop */
    } else {
        g_main_loop_quit(e->loop);
    }
}

static gboolean on_last_word_overdue(gpointer data)
{
    struct engine *e = data;
    e->last_word = 0;
    handle(e, LIFECYCLE_QEMU_EXITED);
    return G_SOURCE_REMOVE;
}

/* Whether it is clear why QEMU has ended. */
static bool reason_is_known(const struct engine *e)
{
    const struct lifecycle_facts *facts = &e->facts;
    return e->libvirt_stopped || facts->guest_powered_off || facts->guest_crashed ||
           facts->host_shutdown || facts->sent_term || WIFSIGNALED(facts->qemu_status);
}

static void qemu_is_gone(struct engine *e)
{
    if (!e->facts.status_known) {
        return;
    }
    if (WIFSIGNALED(e->facts.qemu_status) && !e->facts.sent_term) {
        g_clear_error(&e->error);
    }
    if (reason_is_known(e)) {
        handle(e, LIFECYCLE_QEMU_EXITED);
    } else if (e->last_word == 0) {
        e->last_word = g_timeout_add(LAST_WORD_MS, on_last_word_overdue, e);
    }
}

/* --- the table at work --- */

static void act(struct engine *e, unsigned actions)
{
    if (actions & LIFECYCLE_RUN) {
        push_call(e->requests, e, call_resume, on_resumed);
    }
    if (actions & LIFECYCLE_SUSPEND) {
        push_call(e->requests, e, call_suspend, NULL);
    }
    if (actions & LIFECYCLE_ASK_REBOOT) {
        push_call(e->requests, e, call_reboot, NULL);
    }
    if (actions & LIFECYCLE_DO_RESET) {
        push_call(e->requests, e, call_reset, NULL);
    }
    if (actions & LIFECYCLE_TIMEOUT) {
        set_deadline(e, time_left(e));
    }
    if (actions & LIFECYCLE_ASK) {
        start_asking(e);
    }
    if (actions & LIFECYCLE_TERM) {
        e->facts.sent_term = true;
        send_signal(e, SIGTERM);
        set_deadline(e, KILL_AFTER_TERM_MS);
    }
    if (actions & LIFECYCLE_KILL) {
        e->facts.sent_kill = true;
        send_signal(e, SIGKILL);
    }
    if (actions & LIFECYCLE_FINISH) {
        finish(e);
    }
}

static void handle(struct engine *e, enum lifecycle_event event)
{
    struct lifecycle_step step = lifecycle_step(e->state, event);
    if (step.next != e->state) {
        log_debug("%s → %s", lifecycle_state_name(e->state), lifecycle_state_name(step.next));
    }
    e->state = step.next;
    act(e, step.actions);
}

static bool call_look_for_internal_error(struct engine *e, GError **error)
{
    if (hypervisor_has_internal_error(e->hypervisor)) {
        g_set_error(error, ERROR_DOMAIN, ERROR_INTERNAL,
                    "the accelerator cannot go on with the guest (QEMU: internal-error)");
        return false;
    }
    return true;
}

static void on_looked_for_internal_error(struct engine *e, GError *error)
{
    if (error != NULL) {
        log_error("%s", error->message);
        e->facts.guest_crashed = true;
        handle(e, LIFECYCLE_FORCE);
    }
}

static void on_rebooted(struct engine *e)
{
    if (e->rebooted_at == 0 || ms_since(e->rebooted_at) > ONE_REBOOT_MS) {
        log_info("the guest rebooted");
    }
    e->rebooted_at = g_get_monotonic_time();
}

static void on_hypervisor_event(enum hypervisor_event event, void *data)
{
    struct engine *e = data;
    switch (event) {
    case HYPERVISOR_POWERED_OFF:
        e->facts.guest_powered_off = true;
        handle(e, LIFECYCLE_GUEST_LEAVES);
        break;
    case HYPERVISOR_HOST_SHUTDOWN:
        e->facts.host_shutdown = true;
        handle(e, LIFECYCLE_GUEST_LEAVES);
        break;
    case HYPERVISOR_CRASHED:
        e->facts.guest_crashed = true;
        handle(e, LIFECYCLE_GUEST_LEAVES);
        break;
    case HYPERVISOR_REBOOTED:
        on_rebooted(e);
        break;
    case HYPERVISOR_IO_ERROR:
        log_error(
            "the guest is paused: its disk cannot be written to (is %s full?); make room, and "
            "resume it with SIGCONT",
            e->config->root->path);
        handle(e, LIFECYCLE_HALTED);
        break;
    case HYPERVISOR_PAUSED:
        if (e->state == LIFECYCLE_RUNNING || e->state == LIFECYCLE_STOPPING) {
            start_call(e, call_look_for_internal_error, on_looked_for_internal_error);
        }
        break;
    case HYPERVISOR_AGENT_UP:
    case HYPERVISOR_AGENT_DOWN:
        e->agent_connected = event == HYPERVISOR_AGENT_UP;
        e->agent_asked = false;
        break;
    case HYPERVISOR_STOPPED:
        e->libvirt_stopped = true;
        qemu_is_gone(e);
        break;
    }
}

void engine_request(struct engine *e, enum engine_request request)
{
    static const enum lifecycle_event events[] = {
        [ENGINE_STOP] = LIFECYCLE_STOP,     [ENGINE_FORCE] = LIFECYCLE_FORCE,
        [ENGINE_PAUSE] = LIFECYCLE_PAUSE,   [ENGINE_RESUME] = LIFECYCLE_RESUME,
        [ENGINE_REBOOT] = LIFECYCLE_REBOOT, [ENGINE_RESET] = LIFECYCLE_RESET,
    };
    if (request == ENGINE_REPORT) {
        log_info("state: %s; guest %s; QEMU pid %d; agent %s; %.1f s after the start",
                 lifecycle_state_name(e->state), e->facts.guest_ran ? "has run" : "has not run yet",
                 e->qemu, e->agent_connected ? "connected" : "not connected",
                 ms_since(e->config->started_at) / 1000);
        return;
    }
    if (request == ENGINE_STOP && e->facts.stop_asked) {
        if (ms_since(e->stop_asked_at) < ONE_STOP_MS) {
            return;
        }
        request = ENGINE_FORCE; /* whoever asks twice has no more patience */
    }
    if (request == ENGINE_STOP) {
        e->stop_asked_at = g_get_monotonic_time();
        e->facts.stop_asked = true;
    }
    if (request == ENGINE_FORCE) {
        e->facts.force_asked = true;
        if (e->state == LIFECYCLE_ENDED) {
            g_main_loop_quit(e->loop); /* only a reader of the console is being waited for */
        }
    }
    handle(e, events[request]);
}

void engine_process_exited(struct engine *e, pid_t pid, int status)
{
    if (e->qemu == 0) {
        g_hash_table_insert(e->early_exits, GINT_TO_POINTER(pid), GINT_TO_POINTER(status));
    }
    if (pid == e->qemu) {
        e->facts.status_known = true;
        e->facts.qemu_status = status;
        qemu_is_gone(e);
    }
}

void engine_orphaned(struct engine *e)
{
    log_error("the supervisor is gone; the guest is ended in order");
    engine_request(e, ENGINE_STOP);
}

struct engine *engine_create(const struct engine_config *config)
{
    struct engine *e = g_new0(struct engine, 1);
    e->config = config;
    e->pidfd = -1;
    e->loop = g_main_loop_new(NULL, FALSE);
    e->workers = g_thread_pool_new(work_on_call, NULL, 4, FALSE, NULL);
    e->requests = g_thread_pool_new(work_on_call, NULL, 1, FALSE, NULL);
    e->early_exits = g_hash_table_new(NULL, NULL);
    e->oom_kills = limits_oom_kills();
    return e;
}

int engine_run(struct engine *e, GError **error)
{
    root_export_environment(e->config->root);
    hypervisor_prepare();
    if (!write_instance(e, error)) {
        return -1;
    }
    start_call(e, make_vm, on_vm_made);
    g_main_loop_run(e->loop);
    console_finish(e->console);
    if (e->error != NULL) {
        g_propagate_error(error, g_steal_pointer(&e->error));
        return -1;
    }
    g_autofree char *message = NULL;
    e->facts.oom_killed = limits_oom_kills() > e->oom_kills;
    int status = lifecycle_outcome(&e->facts, &message);
    log_line(status == 0 ? LOG_INFO : LOG_ERROR, "%s", message);
    return status;
}
