// SPDX-License-Identifier: LGPL-2.1-or-later
#include "cmd/ocivirt/commands.h"
#include "src/engine/engine.h"
#include "src/init/supervisor.h"
#include "src/util/error.h"

#include <errno.h>
#include <glib-unix.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* README, "Signals". RTMIN+n are systemd's container interface. */
static bool request_of(int signal, enum engine_request *request)
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

static gboolean on_message(gint link, GIOCondition condition, gpointer data)
{
    (void)condition;
    struct engine *engine = data;
    struct link_message message;
    ssize_t n = recv(link, &message, sizeof(message), MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
        return G_SOURCE_CONTINUE;
    }
    if (n != sizeof(message)) {
        engine_orphaned(engine);
        return G_SOURCE_REMOVE;
    }
    enum engine_request request;
    if (message.kind == LINK_EXITED) {
        engine_process_exited(engine, message.pid, message.value);
    } else if (request_of(message.value, &request)) {
        engine_request(engine, request);
    }
    return G_SOURCE_CONTINUE;
}

/* The engine process. */
static int run_engine(int link, void *data)
{
    const struct engine_config *config = data;
    struct engine *engine = engine_create(config);
    g_unix_fd_add(link, G_IO_IN | G_IO_HUP, on_message, engine);
    g_autoptr(GError) error = NULL;
    int status = engine_run(engine, &error);
    return status >= 0 ? status : report_error(error);
}

static enum console_mode console_mode(enum oci_console console)
{
    static const enum console_mode modes[] = {
        [OCI_CONSOLE_AUTO] = CONSOLE_AUTO,
        [OCI_CONSOLE_PLAIN] = CONSOLE_PLAIN,
        [OCI_CONSOLE_OFF] = CONSOLE_OFF,
    };
    return modes[console];
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

static int supervise(const struct engine_config *config)
{
    struct supervisor_report report;
    int status = supervisor_run(run_engine, (void *)config, &report);
    if (status >= 0) {
        if (report.leftovers > 0) {
            log_debug("%d processes were left and have been ended", report.leftovers);
        }
        return status;
    }
    if (report.saved_errno != 0) {
        log_error("cannot start the engine process: %s", g_strerror(report.saved_errno));
        return ERROR_UNAVAILABLE;
    }
    log_error("the engine process died of signal %d (%s); the VM has been ended. This is a bug in "
              "ocivirt or libvirt: %s/log may tell more",
              report.engine_signal, strsignal(report.engine_signal), config->root->path);
    return ERROR_INTERNAL;
}

static int run(struct machine *machine, const struct options *options)
{
    g_autoptr(GError) error = NULL;
    if (!root_open(&machine->root, &error)) {
        return report_error(error);
    }
    struct engine_config config = {
        .root = &machine->root,
        .spec = machine->spec,
        .xml = machine->xml,
        .stop_method = stop_method(machine->settings.stop_method),
        .stop_timeout_ms = machine->settings.stop_timeout_ms,
        .console = console_mode(machine->settings.console),
        .started_at = program_started_at,
        .timings = options->timings,
        .supervisor = getpid(),
    };
    return supervise(&config);
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
        machine_load(&machine, &options, MACHINE_TO_RUN, &status)) {
        supervisor_block_signals();
        status = run(&machine, &options);
        machine_finish(&machine);
    }
    options_finish(&options);
    return status;
}
