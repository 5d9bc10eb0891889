// SPDX-License-Identifier: LGPL-2.1-or-later
#include "src/engine/hooks.h"
#include "src/host/netns.h"
#include "src/util/sync.h"

#include <errno.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct hooks {
    const struct hooks_config *config;
    hooks_done *done;
    void *data;
    bool running;
    enum hook_kind first, last; /* that run */
    char *state;
    GError *error;
    int cancel;  /* an eventfd; -1: nothing has run yet */
    int network; /* to run in, but for createContainer; -1: the same as the VM's */
};

struct hooks *hooks_create(const struct hooks_config *config, hooks_done *done, void *data)
{
    struct hooks *hooks = g_new0(struct hooks, 1);
    *hooks =
        (struct hooks){.config = config, .done = done, .data = data, .cancel = -1, .network = -1};
    return hooks;
}

bool hooks_any(const struct hooks *hooks, enum hook_kind first, enum hook_kind last)
{
    for (enum hook_kind kind = first; kind <= last; kind++) {
        if (hooks->config->lists[kind].length > 0) {
            return true;
        }
    }
    return false;
}

bool hooks_keep_network(struct hooks *hooks, GError **error)
{
    hooks->network = netns_open(error);
    return hooks->network >= 0;
}

static bool run_kind(const struct hooks *hooks, enum hook_kind kind, GError **error)
{
    const struct hook_context context = {hooks->state, hooks->config->directory, hooks->cancel};
    return hook_run_list(&hooks->config->lists[kind], kind, &context, error);
}

/* The namespace is this thread's alone. */
static bool run_kind_in_network(const struct hooks *hooks, enum hook_kind kind, GError **error)
{
    if (hooks->network < 0 || kind == HOOK_CREATE_CONTAINER) {
        return run_kind(hooks, kind, error);
    }
    int vm = netns_open(error);
    bool ok = vm >= 0 && netns_enter(hooks->network, error) && run_kind(hooks, kind, error) &&
              netns_enter(vm, error);
    if (vm >= 0) {
        close(vm);
    }
    return ok;
}

static gboolean on_done(gpointer data)
{
    struct hooks *hooks = data;
    sync_take(hooks);
    g_autoptr(GError) error = g_steal_pointer(&hooks->error);
    hooks->running = false;
    g_clear_pointer(&hooks->state, g_free);
    hooks->done(hooks->data, error);
    return G_SOURCE_REMOVE;
}

static gpointer run(gpointer data)
{
    struct hooks *hooks = data;
    enum hook_kind kind = hooks->first;
    while (kind <= hooks->last && run_kind_in_network(hooks, kind, &hooks->error)) {
        kind++;
    }
    sync_give(hooks);
    g_idle_add_full(G_PRIORITY_HIGH, on_done, hooks, NULL);
    return NULL;
}

void hooks_start(struct hooks *hooks, enum hook_kind first, enum hook_kind last,
                 enum instance_status status, pid_t qemu)
{
    hooks->running = true;
    hooks->first = first;
    hooks->last = last;
    hooks->state = hooks->config->state(status, qemu, hooks->config->data);
    if (hooks->cancel < 0) {
        hooks->cancel = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    }
    g_thread_unref(g_thread_new("hooks", run, hooks));
}

bool hooks_running(const struct hooks *hooks)
{
    return hooks->running;
}

void hooks_cancel(struct hooks *hooks)
{
    if (hooks->running) {
        eventfd_write(hooks->cancel, 1);
    }
}
