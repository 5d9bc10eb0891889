// SPDX-License-Identifier: LGPL-2.1-or-later
#include "cmd/ocivirt/commands.h"
#include "cmd/ocivirt/hooks.h"
#include "src/api/api.h"
#include "src/engine/adopt.h"
#include "src/engine/engine.h"
#include "src/engine/root_lock.h"
#include "src/host/exit_port.h"
#include "src/host/netns.h"
#include "src/host/process.h"
#include "src/host/strays.h"
#include "src/init/supervisor.h"
#include "src/util/error.h"
#include "src/util/leaks.h"

#include <errno.h>
#include <glib-unix.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

/* README, "Signals". RTMIN+n are systemd's container interface. */
bool request_of_signal(int signal, enum engine_request *request)
{
    const struct {
        int signal;
        enum engine_request request;
    } table[] = {
        {SIGTERM, ENGINE_STOP},        {SIGINT, ENGINE_STOP},         {SIGHUP, ENGINE_STOP},
        {SIGPWR, ENGINE_STOP},         {SIGRTMIN + 3, ENGINE_STOP},   {SIGRTMIN + 4, ENGINE_STOP},
        {SIGQUIT, ENGINE_FORCE},       {SIGRTMIN + 13, ENGINE_FORCE}, {SIGRTMIN + 14, ENGINE_FORCE},
        {SIGRTMIN + 5, ENGINE_REBOOT}, {SIGRTMIN + 15, ENGINE_RESET}, {SIGTSTP, ENGINE_PAUSE},
        {SIGCONT, ENGINE_RESUME},      {SIGUSR1, ENGINE_REPORT},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(table); i++) {
        if (table[i].signal == signal) {
            *request = table[i].request;
            return true;
        }
    }
    return false;
}

/* What all processes of one run know. */
struct running {
    struct machine *machine;
    struct engine_config config;
    /* Sockets that listen, also while there is no engine. */
    int control; /* the control API's */
    int http;    /* of the setting http; -1: it is off */
};

/* An engine on its end of the link. */
struct linked {
    struct engine *engine;
    int link;
    bool orphaned; /* the supervisor is gone */
};

static gboolean on_message(gint link, GIOCondition condition, gpointer data)
{
    (void)condition;
    struct linked *linked = data;
    struct link_message message;
    ssize_t n = recv(link, &message, sizeof(message), MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
        return G_SOURCE_CONTINUE;
    }
    if (n != sizeof(message)) {
        linked->orphaned = true;
        engine_orphaned(linked->engine);
        return G_SOURCE_REMOVE;
    }
    enum engine_request request;
    if (message.kind == LINK_PING) {
        link_answer(link);
    } else if (message.kind == LINK_EXITED) {
        engine_process_exited(linked->engine, message.pid, message.value);
    } else if (request_of_signal(message.value, &request)) {
        engine_request_of(linked->engine, request, message.came_at * 1000);
    }
    return G_SOURCE_CONTINUE;
}

static void keep_console(int socket, void *data)
{
    const struct linked *linked = data;
    link_keep(linked->link, socket);
}

static void tell_of_loss(const struct supervisor_start *start, const struct legacy *legacy)
{
    if (legacy->gave_up) {
        log_error("another engine process tries to take it over");
    } else if (start->lost_hung) {
        log_error("the engine process did not answer any more and was killed; another one takes "
                  "over");
    } else if (start->lost_signal != 0) {
        log_error("the engine process died of signal %d (%s); another one takes over",
                  start->lost_signal, strsignal(start->lost_signal));
    }
}

/* The setting, or what process.terminal makes of the default: without a terminal of its own, a
 * process leaves the one that it finds as it is. */
static enum console_mode console_mode(const struct machine *machine)
{
    static const enum console_mode modes[] = {
        [OCI_CONSOLE_AUTO] = CONSOLE_AUTO,
        [OCI_CONSOLE_PLAIN] = CONSOLE_PLAIN,
        [OCI_CONSOLE_OFF] = CONSOLE_OFF,
    };
    const struct oci_bool *terminal = &machine->config->process.terminal;
    bool decided = machine->settings.source[OCI_SETTING_CONSOLE] != NULL;
    return !decided && terminal->set && !terminal->value ? CONSOLE_PLAIN
                                                         : modes[machine->settings.console];
}

static enum engine_ready ready(enum oci_ready kind)
{
    static const enum engine_ready kinds[] = {
        [OCI_READY_RUNNING] = ENGINE_READY_RUNNING,
        [OCI_READY_AGENT] = ENGINE_READY_AGENT,
        [OCI_READY_CONSOLE] = ENGINE_READY_CONSOLE,
        [OCI_READY_PORT] = ENGINE_READY_PORT,
    };
    return kinds[kind];
}

static enum engine_stop_method stop_method(enum oci_stop_method method)
{
    static const enum engine_stop_method methods[] = {
        [OCI_STOP_AUTO] = ENGINE_STOP_AUTO,
        [OCI_STOP_ACPI] = ENGINE_STOP_ACPI,
        [OCI_STOP_AGENT] = ENGINE_STOP_AGENT,
    };
    return methods[method];
}

/* The signals that stop, for when there is no engine. */
static void stop_signals(sigset_t *set)
{
    struct sigaction hangup;
    bool ignores_hangup = sigaction(SIGHUP, NULL, &hangup) == 0 && hangup.sa_handler == SIG_IGN;
    enum engine_request request;
    sigemptyset(set);
    for (int signal = 1; signal <= SIGRTMAX; signal++) {
        if (request_of_signal(signal, &request) &&
            (request == ENGINE_STOP || request == ENGINE_FORCE) &&
            !(signal == SIGHUP && ignores_hangup)) {
            sigaddset(set, signal);
        }
    }
}

static int open_stop_signals(void)
{
    sigset_t set;
    stop_signals(&set);
    return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

/* Of signals that are blocked, as PID 1's are, and that nobody reads yet. */
static bool is_stop_pending(void)
{
    sigset_t stop, pending, both;
    stop_signals(&stop);
    return sigpending(&pending) == 0 && sigandset(&both, &stop, &pending) == 0 &&
           !sigisemptyset(&both);
}

/* Before anything is looked at: what the one before has, ports for example, is free then. False: it
 * is to be stopped. */
static bool wait_for_predecessor(const struct options *options)
{
    struct root root;
    bool chosen = root_choose(&root, options->root, NULL); /* else it is said later why not */
    bool ok = !chosen || root_await_end(root.path, is_stop_pending);
    root_finish(&root);
    if (!ok) {
        log_info("stopped before the guest ran");
    }
    return ok;
}

/* The last process of all: hooks that are to run when all is over. */
static void run_poststop_hooks(const struct running *running)
{
    if (running->config.hooks->lists[HOOK_POSTSTOP].length > 0) {
        int signals = open_stop_signals();
        hooks_run_poststop(running->config.hooks, running->config.root, signals);
        close(signals);
    }
}

/* One that was adopted is no child, and no engine has come so far as to end it. */
static bool vm_lives(const struct legacy *legacy)
{
    int pidfd = process_reopen(legacy->qemu, legacy->qemu_started);
    if (pidfd >= 0) {
        close(pidfd);
    }
    return pidfd >= 0;
}

/* Who talks to us is to learn at once that nobody answers any more, and not when hooks have run. */
static void stop_listening(const struct running *running)
{
    g_autofree char *path = root_file(running->config.root, API_SOCKET);
    unlink(path);
    close(running->http);
    close(running->control);
}

/* Before anybody is told of the end: who has heard of it may begin the next VM here, which then
 * waits for us. Where there is no room for it QEMU's pid tells it. */
static void note_end(const struct running *running)
{
    g_autofree char *path = root_file(running->config.root, "instance.json");
    g_autofree char *control = root_file(running->config.root, API_SOCKET);
    struct instance instance;
    if (instance_read(&instance, path)) {
        instance.status = INSTANCE_STOPPED;
        instance_write(&instance, path, NULL);
    }
    instance_finish(&instance);
    unlink(control);
}

/* The engine process. */
static int run_engine(const struct supervisor_start *start, void *data)
{
    const struct running *running = data;
    const struct engine_config *config = &running->config;
    struct linked linked = {.link = start->link};
    const struct engine_begin begin = {start->lost_signal != 0, start->kept, keep_console, &linked};
    g_autoptr(GError) error = NULL;
    tell_of_loss(start, config->legacy);
    config->legacy->engines_lost += start->lost_signal != 0;
    linked.engine = engine_create(config, &begin);
    struct api *api = api_create(linked.engine, API_CONTROL, running->control);
    struct api *http =
        running->http >= 0 ? api_create(linked.engine, API_HTTP, running->http) : NULL;
    g_unix_fd_add(start->link, G_IO_IN | G_IO_HUP, on_message, &linked);
    int status = engine_run(linked.engine, &error);
    if (status < 0) {
        status = report_error(error);
    }
    if (!vm_lives(config->legacy)) {
        note_end(running);
    }
    api_finish(api, status);
    if (http != NULL) {
        api_finish(http, status);
    }
    leaks_check();
    if (linked.orphaned) { /* what else the supervisor would have done */
        const char *root = running->machine->root.path;
        stop_listening(running);
        strays_end(root); /* first: who runs the hooks removes what libvirt has written of them */
        if (vm_lives(config->legacy)) {
            root_abandon(&running->machine->root);
            return status;
        }
        run_poststop_hooks(running);
        strays_end(root); /* libvirt may have begun one meanwhile */
        root_finish(&running->machine->root);
    }
    return status;
}

static bool can_take_over(void *data)
{
    const struct running *running = data;
    return legacy_has_vm(running->config.legacy);
}

/* One that was adopted, that no engine has taken over, and that nobody wants to end. */
static bool is_left_alone(const struct legacy *legacy)
{
    return legacy->adopted && !legacy->facts.stop_asked && !legacy->facts.force_asked;
}

static const char *cause_of_losses(const struct supervisor_report *report,
                                   const struct legacy *legacy)
{
    return report->fork_errno != 0
               ? "There cannot be another one; is the container's limit of processes too low "
                 "(podman: --pids-limit)?"
           : legacy->gave_up ? "None could take the VM over"
           : report->engine_signal == SIGKILL
               ? "Somebody kills them, or the kernel does for want of memory"
               : "This is a bug in ocivirt or libvirt";
}

static void tell_of_losses(const struct supervisor_report *report, const struct running *running)
{
    const struct legacy *legacy = running->config.legacy;
    log_error("%d engine processes have died, the last one of signal %d (%s); the VM %s. %s: "
              "%s/log may tell more",
              report->engines_lost, report->engine_signal, strsignal(report->engine_signal),
              is_left_alone(legacy) ? "is left as it was found" : "has been ended",
              cause_of_losses(report, legacy), running->machine->root.path);
}

/* @over: nothing of the VM is left. */
static int supervise(const struct running *running, bool *over)
{
    const struct supervisor_config config = {run_engine, can_take_over, (void *)running};
    struct supervisor_report report;
    int status = supervisor_run(&config, &report);
    if (report.saved_errno != 0) {
        log_error("cannot start the engine process: %s", g_strerror(report.saved_errno));
        return ERROR_UNAVAILABLE;
    }
    if (status < 0) {
        const struct legacy *legacy = running->config.legacy;
        if (!is_left_alone(legacy)) {
            process_end(legacy->qemu, legacy->qemu_started); /* one that was is no child */
        }
        tell_of_losses(&report, running);
        status = ERROR_INTERNAL;
    }
    if (report.survivors) {
        log_error("there are processes that SIGKILL does not end, QEMU among them perhaps; the "
                  "root directory %s stays as it is",
                  running->machine->root.path);
        root_abandon(&running->machine->root);
    }
    *over = !report.survivors && !vm_lives(running->config.legacy);
    return status;
}

static int no_memory(void)
{
    log_error("cannot get shared memory: %s", g_strerror(errno));
    return ERROR_UNAVAILABLE;
}

static bool listen_http(struct running *running, GError **error)
{
    const char *address = running->machine->settings.http;
    if (address == NULL) {
        return true;
    }
    running->http = api_listen_http(address, error);
    if (running->http >= 0) {
        log_info("probes and metrics are at http://%s%s", *address == ':' ? "*" : "", address);
    }
    return running->http >= 0;
}

static bool open_network(struct running *running, GError **error)
{
    const char *path = running->machine->spec->network_namespace;
    running->config.network = path != NULL ? netns_open_file(path, error) : -1;
    return path == NULL || running->config.network >= 0;
}

/* What every engine has, and what outlives them. */
static int run_with_descriptors(struct running *running)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *path = root_file(&running->machine->root, API_SOCKET);
    running->config.exit_port = exit_port_open(running->machine->spec->exit_pipe, &error);
    running->control = running->config.exit_port >= 0 ? api_listen(path, &error) : -1;
    bool ok =
        running->control >= 0 && listen_http(running, &error) && open_network(running, &error);
    bool over = false;
    int status = ok ? supervise(running, &over) : report_error(error);
    stop_listening(running);
    if (over) {
        run_poststop_hooks(running);
    }
    close(running->config.exit_port);
    close(running->config.network);
    return status;
}

static int run_vm(struct running *running)
{
    struct root *root = &running->machine->root;
    const char *id = running->machine->spec->name;
    g_autoptr(GError) error = NULL;
    struct instance survivor;
    bool ok = root_open(root, &survivor, &error);
    if (ok && survivor.qemu > 0 &&
        !adopt(root, &survivor, id, running->config.ready_pattern, running->config.legacy,
               &error)) {
        ok = false;
        root_abandon(root); /* the VM in there is somebody's */
    }
    /* Those of a VM that is adopted its passt has already. */
    if (ok && !legacy_has_vm(running->config.legacy)) {
        ok = machine_check_ports(running->machine, &error);
    }
    instance_finish(&survivor);
    int status = ok ? run_with_descriptors(running) : report_error(error);
    if (vm_lives(running->config.legacy)) {
        log_error("the VM %s runs on without an ocivirt (QEMU has pid %d); start again to go on "
                  "with it",
                  id, running->config.legacy->qemu);
        root_abandon(root);
    }
    return status;
}

static int run(struct machine *machine, const struct options *options)
{
    struct hooks_config hooks;
    struct told told;
    hooks_from_machine(machine, &hooks, &told);
    struct running running = {
        .machine = machine,
        .http = -1,
        .config =
            {
                .network = -1,
                .root = &machine->root,
                .spec = machine->spec,
                .stop_method = stop_method(machine->settings.stop_method),
                .console = console_mode(machine),
                .ready = ready(machine->settings.ready.kind),
                .ready_pattern = machine->settings.ready.pattern,
                .started_at = program_started_at,
                .timings = options->timings,
                .supervisor = getpid(),
                .hooks = &hooks,
                .bundle = told.bundle,
                .annotations = told.annotations,
                .legacy = legacy_create(machine->settings.stop_timeout_ms),
            },
    };
    int status = running.config.legacy != NULL ? run_vm(&running) : no_memory();
    hooks_clear(&hooks, &told);
    return status;
}

int command_run(int argc, char **argv)
{
    /* PID 1 loses what it has no handler for; others can be interrupted while they read. */
    if (getpid() == 1) {
        supervisor_block_signals();
    }
    struct options options;
    struct machine machine;
    int status = 0;
    if (options_parse(&options, argc, argv, "run",
                      "Boot the VM that a config.json describes, show its console on standard "
                      "output,\nand end when it ends. Signals stop, pause and reboot it: see "
                      "ocivirt(1).",
                      OPTIONS_CONFIG | OPTIONS_ROOT | OPTIONS_ID | OPTIONS_RUN, &status) &&
        wait_for_predecessor(&options) && machine_load(&machine, &options, &status)) {
        supervisor_block_signals();
        machine_report_network(&machine);
        status = run(&machine, &options);
        machine_finish(&machine);
    }
    options_finish(&options);
    return status;
}
