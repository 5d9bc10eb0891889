// SPDX-License-Identifier: LGPL-2.1-or-later
#include "cmd/ocivirt/commands.h"
#include "src/engine/hypervisor.h"
#include "src/engine/launch.h"
#include "src/init/supervisor.h"
#include "src/util/error.h"
#include "src/util/sync.h"

#include <glib-unix.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

/* Probing needs what running needs: a process that reaps beside the one that hosts libvirt, and a
 * main loop beside the thread that calls it. */
struct priming {
    const struct root *root;
    const struct vm_spec *spec;
    GMainLoop *loop;
    GError *error;
};

static void ignore_event(enum hypervisor_event event, void *data)
{
    (void)event;
    (void)data;
}

static bool probe(struct priming *priming, GError **error)
{
    if (!root_write_qemu_conf(priming->root, NULL, error) ||
        !launch_prepare(priming->root, priming->spec, error)) {
        return false;
    }
    struct hypervisor *hypervisor = hypervisor_open(priming->root->path, ignore_event, NULL, error);
    bool ok = hypervisor != NULL && hypervisor_probe(hypervisor, priming->spec, error);
    launch_explain(priming->spec, error);
    hypervisor_close(hypervisor);
    return ok;
}

static gboolean quit(gpointer data)
{
    g_main_loop_quit(data);
    return G_SOURCE_REMOVE;
}

static gpointer work(gpointer data)
{
    struct priming *priming = data;
    probe(priming, &priming->error);
    sync_give(priming);
    g_idle_add(quit, priming->loop);
    return NULL;
}

/* Nothing is lost by ending at once. */
static gboolean on_message(gint link, GIOCondition condition, gpointer data)
{
    (void)condition;
    (void)data;
    struct link_message message;
    ssize_t n = recv(link, &message, sizeof(message), MSG_DONTWAIT);
    if (n == sizeof(message) && message.kind == LINK_PING) {
        link_answer(link);
    }
    enum engine_request request;
    if (n == sizeof(message) && message.kind == LINK_SIGNAL &&
        request_of_signal(message.value, &request) &&
        (request == ENGINE_STOP || request == ENGINE_FORCE)) {
        _exit(128 + message.value);
    }
    bool again = n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR));
    return again ? G_SOURCE_CONTINUE : G_SOURCE_REMOVE;
}

static int prime(const struct supervisor_start *start, void *data)
{
    struct priming *priming = data;
    priming->loop = g_main_loop_new(NULL, FALSE);
    root_export_environment(priming->root);
    hypervisor_prepare();
    g_unix_fd_add(start->link, G_IO_IN | G_IO_HUP, on_message, NULL);
    g_thread_unref(g_thread_new("prime", work, priming));
    g_main_loop_run(priming->loop);
    sync_take(priming);
    return report_error(priming->error);
}

/* What is found out in a temporary directory is gone with it. */
static bool is_lasting(const struct root *root, GError **error)
{
    if (root->temporary) {
        g_set_error(error, ERROR_DOMAIN, ERROR_UNAVAILABLE,
                    "%s cannot be written; name a root directory that is kept, with --root",
                    ROOT_DEFAULT);
    }
    return !root->temporary;
}

static int prime_root(const struct options *options)
{
    struct root root = {.lock = -1};
    g_autoptr(GError) error = NULL;
    g_autoptr(vm_spec) spec = vm_spec_new();
    spec->arch = vm_arch_native();
    spec->emulator = find_emulator(spec->arch, &error);
    if (spec->emulator == NULL || !root_choose(&root, options->root, &error) ||
        !is_lasting(&root, &error) ||
        (spec->launcher = launch_emulator_path(root.path, spec->emulator, &error)) == NULL ||
        !root_open(&root, NULL, &error)) {
        root_finish(&root);
        return report_error(error);
    }
    struct priming priming = {.root = &root, .spec = spec};
    const struct supervisor_config supervisor = {.run = prime, .data = &priming};
    struct supervisor_report report;
    int status = supervisor_run(&supervisor, &report);
    if (status < 0 && report.saved_errno != 0) {
        log_error("cannot start the process that probes QEMU: %s", g_strerror(report.saved_errno));
        status = ERROR_UNAVAILABLE;
    } else if (status < 0) {
        log_error("the process that probes QEMU died of signal %d", report.engine_signal);
        status = ERROR_INTERNAL;
    }
    if (status == 0) {
        log_info("%s is probed; the result is in %s/cache", spec->emulator, root.path);
    }
    root_finish(&root);
    return status;
}

int command_prime(int argc, char **argv)
{
    supervisor_block_signals();
    struct options options;
    int status = 0;
    if (options_parse(&options, argc, argv, "prime",
                      "Probe QEMU now, at image build for example: what libvirt must know of it is "
                      "kept\nin the root directory, and a start from there is 0.3 s faster.",
                      OPTIONS_ROOT, &status)) {
        status = prime_root(&options);
    }
    options_finish(&options);
    return status;
}
