// SPDX-License-Identifier: LGPL-2.1-or-later
#include "src/engine/calls.h"
#include "src/engine/internal.h"
#include "src/host/process.h"
#include "src/host/exit_port.h"
#include "src/host/limits.h"
#include "src/host/netns.h"
#include "src/util/error.h"
#include "src/util/log.h"

#include <glib-unix.h>
#include <signal.h>
#include <sys/wait.h>

/* The ladder's rungs; stop-timeout lies between the first two. */
#define ASK_EVERY_MS 1000
#define KILL_AFTER_TERM_MS 500
/* The kernel has the memory of a large guest to free. */
#define GIVE_UP_AFTER_KILL_MS 30000
/* For the console's last bytes, once somebody waits for our end. */
#define LAST_BYTES_MS 1000
/* timeout(1), and a terminal beside a forwarding parent, deliver one stop as two signals; a
 * container that has used up its share of processor time stands still between them, for up to 100
 * ms. */
#define ONE_STOP_MS 100
/* A guest may reset more than once for one reboot. */
#define ONE_REBOOT_MS 1000

/* --- blocking calls --- */

static void on_called(void *data, GError *error)
{
    const struct engine *e = data;
    if (error != NULL && e->legacy->state < LIFECYCLE_LEAVING) {
        log_warning("%s", error->message);
    }
}

/* For what others may wait for. */
static void on_request_called(void *data, GError *error)
{
    control_called(data, error);
    on_called(data, error);
}

static void on_reset(void *data, GError *error)
{
    struct engine *e = data;
    e->legacy->exit_asked &= error == NULL;
    on_request_called(e, error);
}

bool engine_has_libvirt(const struct engine *e, GError **error)
{
    if (e->hypervisor == NULL) {
        g_set_error(error, ERROR_DOMAIN, ERROR_UNAVAILABLE, "QEMU has ended");
    }
    return e->hypervisor != NULL;
}

#define CALL(name, request)                                                                        \
    static bool name(void *data, GError **error)                                                   \
    {                                                                                              \
        const struct engine *e = data;                                                             \
        return engine_has_libvirt(e, error) && request(e->hypervisor, error);                      \
    }
CALL(call_suspend, hypervisor_suspend)
CALL(call_press_power_button, hypervisor_press_power_button)
CALL(call_ask_agent, hypervisor_ask_agent_to_power_off)
CALL(call_reboot, hypervisor_ask_acpi_to_reboot)
CALL(call_ask_agent_to_reboot, hypervisor_ask_agent_to_reboot)
CALL(call_reset, hypervisor_reset)
CALL(call_announce, hypervisor_announce)

/* --- the ladder --- */

double engine_ms_since(gint64 then)
{
    return (g_get_monotonic_time() - then) / 1000.0;
}

static gboolean on_deadline(gpointer data)
{
    struct engine *e = data;
    e->deadline = 0;
    engine_handle(e, LIFECYCLE_DEADLINE);
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
    double passed = e->legacy->facts.stop_asked ? engine_ms_since(e->legacy->stop_asked_at) : 0;
    return MAX(0, (double)e->legacy->stop_timeout_ms - passed);
}

void engine_renew_deadline(struct engine *e)
{
    set_deadline(e, time_left(e));
}

static gboolean ask_to_power_off(gpointer data)
{
    struct engine *e = data;
    if (e->legacy->state != LIFECYCLE_STOPPING) {
        e->asking = 0;
        return G_SOURCE_REMOVE;
    }
    if (e->taking_over) {
        return G_SOURCE_CONTINUE; /* there is no libvirt yet to do it */
    }
    enum engine_stop_method method = e->config->stop_method;
    if (method != ENGINE_STOP_AGENT) {
        calls_push(e->workers, call_press_power_button, on_called, e);
    }
    if (method != ENGINE_STOP_ACPI && e->legacy->agent_connected && !e->agent_asked) {
        e->agent_asked = true;
        calls_push(e->workers, call_ask_agent, on_called, e);
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
    process_signal(e->pidfd, signal);
}

static void on_asked_to_reboot(void *data, GError *error)
{
    struct engine *e = data;
    e->asking_to_reboot = false;
    on_called(e, error);
}

/* Not among the requests: an agent that does not answer must not keep those waiting. One at a time,
 * so that there is always somebody to press the power button. */
static void ask_to_reboot(struct engine *e)
{
    bool agent = e->config->stop_method == ENGINE_STOP_AGENT ||
                 (e->config->stop_method == ENGINE_STOP_AUTO && e->legacy->agent_connected);
    control_called(e, NULL); /* it is asked, and may answer or not */
    if (!e->asking_to_reboot) {
        e->asking_to_reboot = true;
        calls_push(e->taking_over ? e->requests : e->workers,
                   agent ? call_ask_agent_to_reboot : call_reboot, on_asked_to_reboot, e);
    }
}

/* --- the end --- */

/* A hook that was cancelled is gone before we are, and so is nobody's leftover. */
static bool is_over(const struct engine *e)
{
    return e->drained && !hooks_running(e->hooks);
}

void engine_quit_if_over(struct engine *e)
{
    if (is_over(e)) {
        g_main_loop_quit(e->loop);
    }
}

void engine_on_drained(void *data)
{
    struct engine *e = data;
    e->drained = true;
    engine_quit_if_over(e);
}

void engine_finish(struct engine *e)
{
    if (e->console != NULL) {
        const struct lifecycle_facts *facts = &e->legacy->facts;
        bool hurry = facts->stop_asked || facts->force_asked || facts->sent_kill;
        console_drain(e->console, hurry ? LAST_BYTES_MS : 0); /* then engine_on_drained() */
    } else {
        engine_on_drained(e);
    }
}

static gboolean on_last_word_overdue(gpointer data)
{
    struct engine *e = data;
    e->last_word = 0;
    engine_handle(e, LIFECYCLE_QEMU_EXITED);
    return G_SOURCE_REMOVE;
}

void engine_await_last_word(struct engine *e)
{
    if (e->last_word == 0) {
        e->last_word = g_timeout_add(ENGINE_LAST_WORD_MS, on_last_word_overdue, e);
    }
}

static gboolean on_pidfd(gint fd, GIOCondition condition, gpointer data)
{
    (void)fd;
    (void)condition;
    engine_await_last_word(data);
    return G_SOURCE_REMOVE;
}

void engine_watch_qemu(struct engine *e)
{
    g_unix_fd_add(e->pidfd, G_IO_IN, on_pidfd, e);
}

/* Whether it is clear why QEMU has ended. */
static bool reason_is_known(const struct engine *e)
{
    const struct lifecycle_facts *facts = &e->legacy->facts;
    return e->libvirt_stopped || facts->guest_powered_off || facts->guest_crashed ||
           facts->host_shutdown || facts->sent_term || WIFSIGNALED(facts->qemu_status);
}

static void qemu_is_gone(struct engine *e)
{
    if (!e->legacy->facts.status_known) {
        return;
    }
    if (WIFSIGNALED(e->legacy->facts.qemu_status) && !e->legacy->facts.sent_term) {
        g_clear_error(&e->error);
    }
    if (reason_is_known(e)) {
        engine_handle(e, LIFECYCLE_QEMU_EXITED);
    } else {
        engine_await_last_word(e);
    }
}

/* --- the table at work --- */

static void act(struct engine *e, unsigned actions)
{
    if (actions & LIFECYCLE_PREPARE) {
        start_prepare(e);
    }
    if (actions & LIFECYCLE_RUN) {
        halt_end(e);
        start_resume(e);
    }
    if (actions & LIFECYCLE_SUSPEND) {
        calls_push(e->requests, call_suspend, on_request_called, e);
    }
    if (actions & LIFECYCLE_ASK_REBOOT) {
        ask_to_reboot(e);
    }
    if (actions & LIFECYCLE_DO_RESET) {
        e->legacy->exit_asked = e->config->spec->exit_on_reboot;
        calls_push(e->requests, call_reset, on_reset, e);
    }
    if (actions & LIFECYCLE_TIMEOUT) {
        engine_renew_deadline(e);
    }
    if (actions & LIFECYCLE_ASK) {
        start_asking(e);
    }
    if (actions & LIFECYCLE_TERM) {
        e->legacy->facts.sent_term = true;
        send_signal(e, SIGTERM);
        set_deadline(e, KILL_AFTER_TERM_MS);
    }
    if (actions & LIFECYCLE_KILL) {
        e->legacy->facts.sent_kill = true;
        send_signal(e, SIGKILL);
        set_deadline(e, GIVE_UP_AFTER_KILL_MS);
    }
    if (actions & LIFECYCLE_FINISH) {
        engine_finish(e);
    }
}

void engine_handle(struct engine *e, enum lifecycle_event event)
{
    struct lifecycle_step step = lifecycle_step(e->legacy->state, event);
    if (step.next != e->legacy->state) {
        log_debug("%s → %s", lifecycle_state_name(e->legacy->state),
                  lifecycle_state_name(step.next));
        e->legacy->state = step.next;
        control_tell(e, ENGINE_NEWS_LIFECYCLE);
    }
    if (e->legacy->state >= LIFECYCLE_LEAVING) {
        hooks_cancel(e->hooks);
    }
    act(e, step.actions);
}

static bool call_look_for_internal_error(void *data, GError **error)
{
    const struct engine *e = data;
    if (hypervisor_has_internal_error(e->hypervisor)) {
        g_set_error(error, ERROR_DOMAIN, ERROR_INTERNAL,
                    "the accelerator cannot go on with the guest (QEMU: internal-error)");
        return false;
    }
    return true;
}

static void on_looked_for_internal_error(void *data, GError *error)
{
    struct engine *e = data;
    if (error != NULL) {
        log_error("%s", error->message);
        e->legacy->facts.guest_crashed = true;
        engine_handle(e, LIFECYCLE_FORCE);
    }
}

static void on_rebooted(struct engine *e)
{
    if (e->legacy->state >= LIFECYCLE_LEAVING) {
        return; /* libvirt does it nevertheless, until QEMU has ended */
    }
    if (e->rebooted_at == 0 || engine_ms_since(e->rebooted_at) > ONE_REBOOT_MS) {
        log_info("the guest rebooted");
        control_tell(e, ENGINE_NEWS_REBOOTED);
    }
    e->rebooted_at = g_get_monotonic_time();
    /* libvirt has a guest that was off for it run, though it is to be paused. */
    if (e->legacy->state == LIFECYCLE_PAUSED) {
        calls_push(e->requests, call_suspend, on_called, e);
    }
}

static void on_agent(struct engine *e, bool connected)
{
    bool changed = connected != e->legacy->agent_connected;
    e->legacy->agent_connected = connected;
    e->agent_asked = false;
    if (changed) {
        control_tell(e, ENGINE_NEWS_AGENT);
    }
}

void engine_on_hypervisor_event(enum hypervisor_event event, void *data)
{
    struct engine *e = data;
    switch (event) {
    case HYPERVISOR_POWERED_OFF:
        e->legacy->facts.guest_powered_off = true;
        engine_handle(e, LIFECYCLE_GUEST_LEAVES);
        break;
    case HYPERVISOR_HOST_SHUTDOWN:
        if (e->legacy->exit_asked && !e->legacy->facts.sent_term) {
            e->legacy->facts.guest_powered_off = true;
        } else {
            e->legacy->facts.host_shutdown = true;
        }
        engine_handle(e, LIFECYCLE_GUEST_LEAVES);
        break;
    case HYPERVISOR_CRASHED:
        e->legacy->facts.guest_crashed = true;
        engine_handle(e, LIFECYCLE_GUEST_LEAVES);
        break;
    case HYPERVISOR_REBOOTED:
        on_rebooted(e);
        break;
    case HYPERVISOR_IO_ERROR:
        control_tell(e, ENGINE_NEWS_IO_ERROR);
        engine_handle(e, LIFECYCLE_HALTED);
        if (!e->legacy->pause_asked) {
            halt_begin(e);
        }
        break;
    case HYPERVISOR_PAUSED:
        if (e->legacy->state == LIFECYCLE_RUNNING || e->legacy->state == LIFECYCLE_STOPPING) {
            calls_push(e->workers, call_look_for_internal_error, on_looked_for_internal_error, e);
        }
        break;
    case HYPERVISOR_AGENT_UP:
    case HYPERVISOR_AGENT_DOWN:
        on_agent(e, event == HYPERVISOR_AGENT_UP);
        break;
    case HYPERVISOR_STOPPED:
        e->libvirt_stopped = true;
        qemu_is_gone(e);
        break;
    }
}

/* Somebody waits for our end: not for a reader of the console. */
static void hurry(struct engine *e)
{
    if (e->legacy->state == LIFECYCLE_ENDED && e->console != NULL) {
        console_drain(e->console, LAST_BYTES_MS);
    }
}

void engine_begin_stop(struct engine *e, gint64 asked_at)
{
    hurry(e);
    if (!e->legacy->facts.stop_asked) {
        e->legacy->pause_asked = false;
        e->legacy->stop_asked_at = asked_at;
        e->legacy->facts.stop_asked = true;
        engine_handle(e, LIFECYCLE_STOP);
    }
}

/* Also where somebody else has given it longer than the setting does. */
static void stop_within_setting(struct engine *e, gint64 asked_at)
{
    engine_begin_stop(e, asked_at);
    if (time_left(e) > e->legacy->own_stop_timeout_ms) {
        engine_stop(e, e->legacy->own_stop_timeout_ms);
    }
}

/* Whoever asks twice has no more patience; who is the first to ask, after a stop that had another
 * reason, has. */
static void stop_by_hand(struct engine *e, gint64 asked_at)
{
    gint64 *first = &e->legacy->stop_by_hand_at;
    if (*first == 0) {
        *first = asked_at;
        stop_within_setting(e, asked_at);
    } else if (asked_at - *first >= ONE_STOP_MS * 1000) {
        engine_request(e, ENGINE_FORCE);
    }
}

void engine_request(struct engine *e, enum engine_request request)
{
    engine_request_of(e, request, g_get_monotonic_time());
}

void engine_request_of(struct engine *e, enum engine_request request, gint64 made_at)
{
    static const enum lifecycle_event events[] = {
        [ENGINE_FORCE] = LIFECYCLE_FORCE,   [ENGINE_PAUSE] = LIFECYCLE_PAUSE,
        [ENGINE_RESUME] = LIFECYCLE_RESUME, [ENGINE_REBOOT] = LIFECYCLE_REBOOT,
        [ENGINE_RESET] = LIFECYCLE_RESET,
    };
    if (request == ENGINE_REPORT) {
        log_info("state: %s; guest %s; QEMU pid %d; agent %s; %.1f s after the start",
                 lifecycle_state_name(e->legacy->state),
                 e->legacy->facts.guest_ran ? "has run" : "has not run yet", e->legacy->qemu,
                 e->legacy->agent_connected ? "connected" : "not connected",
                 engine_ms_since(e->config->started_at) / 1000);
        return;
    }
    bool can_pause = e->legacy->state == LIFECYCLE_RUNNING || e->legacy->state == LIFECYCLE_PAUSED;
    if (request == ENGINE_STOP) {
        stop_by_hand(e, made_at);
        return;
    }
    if (request == ENGINE_PAUSE && can_pause) {
        e->legacy->pause_asked = true;
        halt_end(e); /* room or not, it is to stay paused */
    } else if (request == ENGINE_RESUME) {
        e->legacy->pause_asked = false;
    }
    if (request == ENGINE_FORCE) {
        e->legacy->facts.force_asked = true;
        if (e->legacy->state == LIFECYCLE_ENDED) {
            g_main_loop_quit(e->loop); /* only a reader of the console is being waited for */
        }
    }
    engine_handle(e, events[request]);
}

void engine_process_exited(struct engine *e, pid_t pid, int status)
{
    if (e->legacy->qemu == 0) {
        g_hash_table_insert(e->early_exits, GINT_TO_POINTER(pid), GINT_TO_POINTER(status));
    }
    if (pid == e->legacy->qemu) {
        e->legacy->facts.status_known = true;
        e->legacy->facts.qemu_status = status;
        qemu_is_gone(e);
    }
}

void engine_orphaned(struct engine *e)
{
    log_error("the supervisor is gone; the guest is ended in order");
    stop_within_setting(e, g_get_monotonic_time());
}

/* --- the programs beside QEMU --- */

static bool helper_is_needed(void *data)
{
    const struct engine *e = data;
    return e->legacy->state < LIFECYCLE_LEAVING && e->last_word == 0 &&
           !e->legacy->facts.status_known;
}

static void on_helper_restarted(void *data)
{
    struct engine *e = data;
    start_note(e);
    /* While it is taken over there is no libvirt yet: requests wait for that. */
    calls_push(e->requests, call_announce, on_called, e);
}

static void on_helper_lost(void *data)
{
    struct engine *e = data;
    if (!e->legacy->facts.stop_asked) { /* else it ends for another reason */
        e->legacy->facts.helper_lost = true;
        engine_begin_stop(e, g_get_monotonic_time());
    }
}

struct engine *engine_create(const struct engine_config *config, const struct engine_begin *begin)
{
    struct engine *e = g_new0(struct engine, 1);
    e->config = config;
    e->begin = begin;
    e->legacy = config->legacy;
    e->pidfd = -1;
    e->made.console = begin->console;
    e->loop = g_main_loop_new(NULL, FALSE);
    e->early_exits = g_hash_table_new(NULL, NULL);
    e->hooks = hooks_create(config->hooks, start_on_hooks_done, e);
    e->helpers_events =
        (struct helpers_events){helper_is_needed, on_helper_restarted, on_helper_lost, e};
    e->helpers =
        helpers_create(config->spec, config->root, config->legacy->helpers, &e->helpers_events);
    instance_init(&e->instance, config->spec->name, config->supervisor);
    e->instance.bundle = g_strdup(config->bundle);
    e->instance.annotations = g_strdupv(config->annotations);
    health_begin(e);
    return e;
}

int engine_run(struct engine *e, GError **error)
{
    const struct engine_config *config = e->config;
    if (config->network >= 0 &&
        !(hooks_keep_network(e->hooks, error) &&
          netns_join(config->network, config->spec->network_namespace, error))) {
        return -1; /* while this thread is the only one */
    }
    e->workers = calls_create(4);
    e->requests = calls_create(1);
    root_export_environment(e->config->root);
    hypervisor_prepare();
    if (legacy_has_vm(e->legacy)) {
        takeover_begin(e);
    } else if (!start_begin(e, error)) {
        return -1;
    }
    if (!is_over(e)) { /* at once, where the engine before it had ended all but itself */
        g_main_loop_run(e->loop);
    }
    helpers_end(e->helpers);
    console_finish(e->console);
    if (e->error != NULL) {
        g_propagate_error(error, g_steal_pointer(&e->error));
        return -1;
    }
    g_autofree char *message = NULL;
    e->legacy->facts.oom_killed = limits_oom_kills() > e->legacy->oom_kills;
    e->legacy->facts.guest_reported |= /* an engine that died here has read it */
        exit_port_read(e->config->exit_port, &e->legacy->facts.guest_status);
    int status = lifecycle_outcome(&e->legacy->facts, &message);
    log_line(status == 0 ? LOG_INFO : LOG_ERROR, "%s", message);
    return status;
}
