// SPDX-License-Identifier: LGPL-2.1-or-later
#include "src/engine/helpers.h"
#include "src/host/process.h"
#include "src/host/files.h"
#include "src/host/helper.h"
#include "src/host/passt.h"
#include "src/host/swtpm.h"
#include "src/host/virtiofsd.h"
#include "src/util/error.h"
#include "src/util/log.h"

#include <glib-unix.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

/*
 * Theory of operation.
 *
 * QEMU connects to all of them. To virtiofsd and swtpm it cannot do so twice: one that dies takes
 * its device with it. So does passt, where QEMU does not connect again (vm_nics_reconnect());
 * else it comes again to the socket where we listen, and is given another passt: the guest loses
 * its connections and no more.
 *
 * All of them end by themselves when QEMU does, often before that is noticed. So an end counts only
 * when the VM still lives a moment later.
 */

#define SETTLE_MS 300

/* The folder of files, and the TPM. */
G_STATIC_ASSERT(VM_FOLDERS_MAX + 1 + VM_NICS_MAX + 1 <= INSTANCE_HELPERS_MAX);

/* A passt that ends so often in so short a time will not do better. */
#define RESTARTS_MOST 5
#define RESTARTS_WITHIN_MS 60000
#define BACKOFF_FIRST_MS 100 /* doubled each time */

#define QEMU_COMES_WITHIN_MS 10000

struct helper {
    struct helpers *owner;
    guint index;
    struct instance_process *process;
    const struct vm_folder *folder; /* one of these two; neither: the TPM's */
    const struct vm_nic *nic;
    int listener;            /* for QEMU's connections to passt; -1: there is none */
    guint expected, overdue; /* sources: the next connection, and that it does not come */
    char *log;
    guint restarts; /* within RESTARTS_WITHIN_MS from */
    gint64 first_restart_at;
};

struct helpers {
    const struct vm_spec *spec;
    const struct root *root;
    const struct helpers_events *events;
    struct helper *all;
    guint count;
};

/* Nobody else of this VM has it, and the next ocivirt gives the same. */
static void name(const struct helper *helper, char *text, gsize size)
{
    if (helper->folder != NULL) {
        g_snprintf(text, size, "folder:%s", helper->folder->tag);
    } else if (helper->nic != NULL) {
        g_snprintf(text, size, "nic:%s", helper->nic->interface);
    } else {
        g_strlcpy(text, "tpm", size);
    }
}

/* A VM that is adopted may have been described otherwise: each helper finds itself by its name. */
static void find_themselves(struct helpers *helpers, struct instance_process *known)
{
    struct instance_process before[INSTANCE_HELPERS_MAX];
    memcpy(before, known, sizeof(before));
    memset(known, 0, sizeof(before));
    for (guint i = 0; i < helpers->count; i++) {
        char own[sizeof(known->name)];
        name(&helpers->all[i], own, sizeof(own));
        for (guint j = 0; j < INSTANCE_HELPERS_MAX; j++) {
            if (g_str_equal(before[j].name, own)) {
                known[i] = before[j];
            }
        }
    }
}

static void add(struct helpers *helpers, struct instance_process *known, struct helper helper)
{
    const char *program = helper.folder != NULL ? "virtiofsd"
                          : helper.nic != NULL  ? "passt"
                                                : "swtpm";
    g_autofree char *name = g_strdup_printf("log/%s%u.log", program, helper.index);
    helper.owner = helpers;
    helper.listener = -1;
    helper.process = &known[helpers->count];
    helper.log = root_file(helpers->root, name);
    helpers->all[helpers->count++] = helper;
}

struct helpers *helpers_create(const struct vm_spec *spec, const struct root *root,
                               struct instance_process *known, const struct helpers_events *events)
{
    struct helpers *helpers = g_new0(struct helpers, 1);
    helpers->spec = spec;
    helpers->root = root;
    helpers->events = events;
    guint count = spec->folders->len + spec->nics->len + (spec->tpm_socket != NULL);
    helpers->all = g_new0(struct helper, count);
    for (guint i = 0; i < spec->folders->len; i++) {
        add(helpers, known,
            (struct helper){.index = i, .folder = g_ptr_array_index(spec->folders, i)});
    }
    for (guint i = 0; i < spec->nics->len; i++) {
        add(helpers, known, (struct helper){.index = i, .nic = g_ptr_array_index(spec->nics, i)});
    }
    if (spec->tpm_socket != NULL) {
        add(helpers, known, (struct helper){0});
    }
    find_themselves(helpers, known);
    return helpers;
}

/* For messages. The caller owns it. */
static char *describe(const struct helper *helper)
{
    if (helper->folder != NULL) {
        return g_strdup_printf("virtiofsd, which shares %s with the guest,",
                               helper->folder->source);
    }
    return helper->nic != NULL
               ? g_strdup_printf("passt, the guest's network at %s,", helper->nic->interface)
               : g_strdup("swtpm, the guest's TPM,");
}

static char **command_of(const struct helper *helper, GBytes **filter, GError **error)
{
    if (helper->folder != NULL) {
        return virtiofsd_command(helper->folder, filter, error);
    }
    return helper->nic != NULL ? passt_command(helper->nic, error)
                               : swtpm_command(helper->owner->spec->tpm_state, error);
}

static int socket_of(const struct helper *helper, GError **error)
{
    if (helper->nic != NULL) {
        return helper_accept(helper->listener, QEMU_COMES_WITHIN_MS, error);
    }
    return helper_listen(
        helper->folder != NULL ? helper->folder->socket : helper->owner->spec->tpm_socket, error);
}

static bool listen_for_qemu(struct helper *helper, GError **error)
{
    if (helper->listener < 0) {
        helper->listener = helper_listen(helper->nic->socket, error);
    }
    return helper->listener >= 0;
}

static bool start(struct helper *helper, GError **error)
{
    g_autoptr(GBytes) filter = NULL;
    g_auto(GStrv) argv = command_of(helper, &filter, error);
    int fd = argv != NULL ? socket_of(helper, error) : -1;
    if (fd < 0) {
        return false;
    }
    const struct helper_command command = {argv, fd, helper->log, filter};
    pid_t pid = 0;
    bool ok = helper_start(&command, &pid, error);
    close(fd);
    if (ok) {
        name(helper, helper->process->name, sizeof(helper->process->name));
        helper->process->pid = pid;
        helper->process->started = process_start_time(pid);
    }
    return ok;
}

bool helpers_start_first(struct helpers *helpers, GError **error)
{
    g_autofree char *files = root_file(helpers->root, "run/files");
    bool ok = helpers->spec->files->len == 0 || files_copy(helpers->spec->files, files, error);
    for (guint i = 0; i < helpers->count && ok; i++) {
        struct helper *helper = &helpers->all[i];
        ok = helper->nic != NULL ? listen_for_qemu(helper, error) : start(helper, error);
    }
    return ok;
}

bool helpers_start_last(struct helpers *helpers, GError **error)
{
    bool ok = true;
    for (guint i = 0; i < helpers->count && ok; i++) {
        ok = helpers->all[i].nic == NULL || start(&helpers->all[i], error);
    }
    return ok;
}

/* --- their ends --- */

static void watch(struct helper *helper);
static gboolean expect_qemu(gpointer data);

/* Of passt: in how many ms another one is to be started; -1: it has been tried too often. */
static int next_restart(struct helper *helper)
{
    gint64 now = g_get_monotonic_time();
    if (now - helper->first_restart_at > RESTARTS_WITHIN_MS * 1000LL) {
        helper->first_restart_at = now;
        helper->restarts = 0;
    }
    return helper->restarts < RESTARTS_MOST ? BACKOFF_FIRST_MS << helper->restarts++ : -1;
}

/* @why: what has ended, or cannot be started. */
static void replace(struct helper *helper, const char *why, const char *said)
{
    const struct helpers_events *events = helper->owner->events;
    bool replaceable = helper->nic != NULL && vm_nics_reconnect(helper->owner->spec);
    int ms = replaceable ? next_restart(helper) : -1;
    if (ms >= 0) {
        log_warning("%s, and is started again%s", why, said);
        g_timeout_add(ms, expect_qemu, helper);
    } else {
        log_error("%s%s; the guest cannot do without, and is stopped%s", why,
                  replaceable ? " again and again" : "", said);
        events->lost(events->data);
    }
}

static void restart(struct helper *helper)
{
    const struct helpers_events *events = helper->owner->events;
    g_autoptr(GError) error = NULL;
    if (start(helper, &error)) {
        events->restarted(events->data);
        watch(helper);
    } else {
        replace(helper, error->message, "");
    }
}

static gboolean on_qemu(gint fd, GIOCondition condition, gpointer data)
{
    (void)fd;
    (void)condition;
    struct helper *helper = data;
    g_clear_handle_id(&helper->overdue, g_source_remove);
    restart(helper);
    return G_SOURCE_REMOVE;
}

static gboolean on_overdue(gpointer data)
{
    struct helper *helper = data;
    const struct helpers_events *events = helper->owner->events;
    helper->overdue = 0;
    g_source_remove(helper->expected);
    if (!events->needed(events->data)) {
        return G_SOURCE_REMOVE;
    }
    replace(helper, "QEMU does not connect to the guest's network again", "");
    return G_SOURCE_REMOVE;
}

static gboolean expect_qemu(gpointer data)
{
    struct helper *helper = data;
    const struct helpers_events *events = helper->owner->events;
    g_autoptr(GError) error = NULL;
    helper->process->pid = 0;
    if (!events->needed(events->data)) {
        return G_SOURCE_REMOVE;
    }
    if (!listen_for_qemu(helper, &error)) {
        replace(helper, error->message, "");
        return G_SOURCE_REMOVE;
    }
    helper->expected = g_unix_fd_add(helper->listener, G_IO_IN, on_qemu, helper);
    helper->overdue = g_timeout_add(QEMU_COMES_WITHIN_MS, on_overdue, helper);
    return G_SOURCE_REMOVE;
}

static gboolean on_settled(gpointer data)
{
    struct helper *helper = data;
    const struct helpers_events *events = helper->owner->events;
    if (!events->needed(events->data)) {
        return G_SOURCE_REMOVE;
    }
    g_autofree char *what = describe(helper), *words = helper_last_words(helper->log);
    g_autofree char *said = words != NULL ? g_strdup_printf("; it said: %s", words) : g_strdup("");
    g_autofree char *why = g_strconcat(what, " has ended", NULL);
    replace(helper, why, said);
    return G_SOURCE_REMOVE;
}

static gboolean on_ended(gint fd, GIOCondition condition, gpointer data)
{
    (void)condition;
    close(fd);
    g_timeout_add(SETTLE_MS, on_settled, data);
    return G_SOURCE_REMOVE;
}

static void watch(struct helper *helper)
{
    g_autoptr(GError) error = NULL;
    if (helper->nic != NULL && !listen_for_qemu(helper, &error)) {
        log_warning("%s", error->message);
    }
    int pidfd = process_reopen(helper->process->pid, helper->process->started);
    if (pidfd >= 0) {
        g_unix_fd_add(pidfd, G_IO_IN, on_ended, helper);
    } else {
        g_timeout_add(SETTLE_MS, on_settled, helper);
    }
}

void helpers_watch(struct helpers *helpers)
{
    for (guint i = 0; i < helpers->count; i++) {
        /* In a VM that is adopted there may be no device for it. */
        if (helpers->all[i].process->pid > 0 || helpers->all[i].nic != NULL) {
            watch(&helpers->all[i]);
        }
    }
}

void helpers_explain(const struct helpers *helpers, GError **error)
{
    for (guint i = 0; i < helpers->count; i++) {
        const struct helper *helper = &helpers->all[i];
        int fd = process_reopen(helper->process->pid, helper->process->started);
        if (fd >= 0) {
            close(fd);
        } else if (helper->process->pid > 0 && helper->nic == NULL) {
            g_autofree char *what = describe(helper), *words = helper_last_words(helper->log);
            g_clear_error(error);
            g_set_error(error, ERROR_DOMAIN, ERROR_UNAVAILABLE,
                        "%s has ended before QEMU could use it%s%s", what,
                        words != NULL ? "; it said: " : "", words != NULL ? words : "");
            return;
        }
    }
}

bool helpers_own(const struct helpers *helpers, pid_t pid)
{
    for (guint i = 0; i < helpers->count; i++) {
        if (helpers->all[i].process->pid == pid) {
            return true;
        }
    }
    return false;
}

void helpers_end(struct helpers *helpers)
{
    for (guint i = 0; i < helpers->count; i++) {
        const struct helper *helper = &helpers->all[i];
        int fd = process_reopen(helper->process->pid, helper->process->started);
        if (fd >= 0) {
            process_signal(fd, SIGTERM);
            close(fd);
        }
    }
}
