// SPDX-License-Identifier: LGPL-2.1-or-later
#include "cmd/ocivirt/hooks.h"
#include "oci/state.h"

#include <sys/signalfd.h>
#include <unistd.h>

/* startContainer hooks are not in here: they would run in the guest, and are refused. */
static const enum oci_hook_kind kinds[] = {
    [HOOK_PRESTART] = OCI_HOOK_PRESTART,
    [HOOK_CREATE_RUNTIME] = OCI_HOOK_CREATE_RUNTIME,
    [HOOK_CREATE_CONTAINER] = OCI_HOOK_CREATE_CONTAINER,
    [HOOK_POSTSTART] = OCI_HOOK_POSTSTART,
    [HOOK_POSTSTOP] = OCI_HOOK_POSTSTOP,
};
G_STATIC_ASSERT(G_N_ELEMENTS(kinds) == HOOK_KINDS);

static char *tell_state(enum instance_status status, pid_t qemu, void *data)
{
    const struct told *told = data;
    const struct oci_state state = {
        .id = told->id,
        .status = instance_status_name(status),
        .pid = qemu,
        .bundle = told->bundle,
        .annotations = (const char *const *)told->annotations,
    };
    return oci_state_format(&state);
}

static char **annotations_of(const struct oci_config *config)
{
    char **pairs = g_new0(char *, 2 * config->annotations.length + 1);
    for (gsize i = 0; i < config->annotations.length; i++) {
        pairs[2 * i] = g_strdup(config->annotations.items[i].key);
        pairs[2 * i + 1] = g_strdup(config->annotations.items[i].value);
    }
    return pairs;
}

static void convert(const struct oci_hooks *from, struct hook_list *to)
{
    to->items = g_new0(struct hook, from->length);
    to->length = from->length;
    for (gsize i = 0; i < from->length; i++) {
        const struct oci_hook *hook = &from->items[i];
        to->items[i] = (struct hook){
            .path = hook->path,
            .argv = (const char *const *)hook->args,
            .env = (const char *const *)hook->env,
            .timeout_ms = hook->timeout.set ? (guint64)hook->timeout.value * 1000 : 0,
        };
    }
}

void hooks_from_machine(const struct machine *machine, struct hooks_config *hooks,
                        struct told *told)
{
    *told = (struct told){
        .id = machine->spec->name,
        .bundle = machine->bundle,
        .annotations = annotations_of(machine->config),
    };
    *hooks = (struct hooks_config){
        .directory = machine->bundle,
        .state = tell_state,
        .data = told,
    };
    for (gsize kind = 0; kind < HOOK_KINDS; kind++) {
        convert(&machine->config->hooks[kinds[kind]], &hooks->lists[kind]);
    }
}

void hooks_clear(struct hooks_config *hooks, struct told *told)
{
    for (gsize kind = 0; kind < HOOK_KINDS; kind++) {
        g_free(hooks->lists[kind].items);
    }
    g_strfreev(told->annotations);
}

/* QEMU is gone, and so is all that was the VM's but the news that it has been there. */
static bool note_stopped(const struct root *root)
{
    g_autofree char *path = root_file(root, "instance.json");
    struct instance instance;
    bool known = instance_read(&instance, path);
    /* In doubt there is something to tidy up. */
    bool has_been = known ? instance.qemu > 0 : access(path, F_OK) == 0;
    root_sweep(root);
    if (known) {
        g_autoptr(GError) error = NULL;
        instance.status = INSTANCE_STOPPED;
        instance.qemu = 0;
        instance.qemu_started = 0;
        if (!instance_write(&instance, path, &error)) {
            log_warning("%s", error->message);
        }
    }
    instance_finish(&instance);
    return has_been;
}

/* A signal is meant for the hook that ran when it came. */
static void forget_signals(int signals)
{
    struct signalfd_siginfo info;
    while (read(signals, &info, sizeof(info)) > 0) {
    }
}

void hooks_run_poststop(const struct hooks_config *hooks, const struct root *root, int signals)
{
    const struct hook_list *list = &hooks->lists[HOOK_POSTSTOP];
    if (list->length == 0 || !note_stopped(root)) {
        return;
    }
    g_autofree char *state = hooks->state(INSTANCE_STOPPED, 0, hooks->data);
    const struct hook_context context = {state, hooks->directory, signals};
    for (gsize i = 0; i < list->length; i++) {
        g_autoptr(GError) error = NULL;
        forget_signals(signals);
        if (!hook_run(&list->items[i], HOOK_POSTSTOP, i, &context, &error)) {
            log_warning("%s", error->message);
        }
    }
}
