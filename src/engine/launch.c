// SPDX-License-Identifier: LGPL-2.1-or-later
#include "src/engine/launch.h"
#include "src/engine/capabilities.h"
#include "src/launch/plan.h"
#include "src/util/error.h"
#include "src/util/log.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <stdint.h>
#include <linux/filter.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define LAUNCHER "ocivirt-launch"
#define IDENTITY_LENGTH 12 /* hexadecimal digits; the path must stay short enough to be read */

char *launch_emulator_path(const char *root, const char *qemu, GError **error)
{
    struct stat status;
    if (stat(qemu, &status) < 0) {
        error_set_errno(error, ERROR_UNAVAILABLE, errno, "cannot look at %s", qemu);
        return NULL;
    }
    g_autofree char *facts = g_strdup_printf(
        "%s %jd %ju %jd.%09ld %jd.%09ld", qemu, (intmax_t)status.st_size, (uintmax_t)status.st_ino,
        (intmax_t)status.st_mtim.tv_sec, status.st_mtim.tv_nsec, (intmax_t)status.st_ctim.tv_sec,
        status.st_ctim.tv_nsec);
    g_autofree char *identity = g_compute_checksum_for_string(G_CHECKSUM_SHA256, facts, -1);
    identity[IDENTITY_LENGTH] = '\0';
    return g_strdup_printf("%s/etc/%s/qemu-system-%s", root, identity,
                           vm_arch_name(vm_arch_native()));
}

/* Beside ocivirt as it is built, or where they are both installed. */
static char *find_launcher(GError **error)
{
    g_autofree char *self = g_file_read_link("/proc/self/exe", NULL);
    g_autofree char *here = g_path_get_dirname(self != NULL ? self : "/usr/bin/ocivirt");
    g_autofree char *beside = g_build_filename(here, LAUNCHER, NULL);
    g_autofree char *libexec = g_build_filename(here, "../libexec", LAUNCHER, NULL);
    g_autofree char *installed = g_canonicalize_filename(libexec, NULL);
    char **found = g_file_test(beside, G_FILE_TEST_EXISTS) ? &beside : &installed;
    if (access(*found, X_OK) == 0) {
        return g_steal_pointer(found);
    }
    if (errno == ENOENT) {
        g_set_error(error, ERROR_DOMAIN, ERROR_UNAVAILABLE,
                    "the part of ocivirt that starts QEMU is not there: neither %s nor %s; install "
                    "ocivirt anew",
                    beside, installed);
    } else {
        error_set_errno(error, ERROR_UNAVAILABLE, errno,
                        "cannot execute %s, the part of ocivirt that starts QEMU", *found);
    }
    return NULL;
}

/* --- the plan --- */

static void add_limit(struct launch_plan *plan, int resource, guint64 soft, guint64 hard)
{
    g_assert(plan->limit_count < LAUNCH_LIMITS_MAX);
    plan->limits[plan->limit_count++] = (struct launch_limit){resource, soft, hard};
}

static void add_limits(struct launch_plan *plan, const struct vm_process *process)
{
    bool core = false;
    for (unsigned i = 0; i < process->limit_count; i++) {
        const struct vm_limit *limit = &process->limits[i];
        add_limit(plan, limit->resource, limit->soft, limit->hard);
        core |= limit->resource == RLIMIT_CORE;
    }
    if (!core) {
        add_limit(plan, RLIMIT_CORE, 0, 0); /* see root.c: no core files unless they are wanted */
    }
}

static void fill_plan(struct launch_plan *plan, const struct vm_spec *spec)
{
    const struct vm_process *process = &spec->process;
    memset(plan, 0, sizeof(*plan)); /* the padding, too: it goes to a file */
    memcpy(plan->magic, LAUNCH_MAGIC, sizeof(plan->magic));
    g_strlcpy(plan->program, spec->emulator, sizeof(plan->program));
    add_limits(plan, process);
    plan->set_oom_score_adj = process->set_oom_score_adj;
    plan->oom_score_adj = process->oom_score_adj;
    plan->set_io_priority = process->set_io_priority;
    plan->io_class = process->io_class;
    plan->io_priority = process->io_priority;
    plan->set_scheduler = process->set_scheduler;
    plan->scheduler_policy = process->scheduler_policy;
    plan->scheduler_priority = process->scheduler_priority;
    plan->nice = process->nice;
    plan->filter_flags = process->filter_flags;
}

static bool write_plan(const char *folder, const struct vm_spec *spec, GError **error)
{
    struct launch_plan plan;
    gsize size = 0;
    gconstpointer filter =
        spec->process.filter != NULL ? g_bytes_get_data(spec->process.filter, &size) : NULL;
    fill_plan(&plan, spec);
    plan.filter_length = size / sizeof(struct sock_filter);
    if (plan.filter_length > LAUNCH_FILTER_MAX) {
        g_set_error(error, ERROR_DOMAIN, ERROR_CONFIG,
                    "linux.seccomp: the filter has %u instructions, and the kernel takes no more "
                    "than %d",
                    plan.filter_length, LAUNCH_FILTER_MAX);
        return false;
    }
    g_autoptr(GByteArray) bytes = g_byte_array_new();
    g_byte_array_append(bytes, (const guint8 *)&plan, sizeof(plan));
    if (filter != NULL) {
        g_byte_array_append(bytes, filter, plan.filter_length * sizeof(struct sock_filter));
    }
    g_autofree char *path = g_build_filename(folder, LAUNCH_PLAN, NULL);
    g_autoptr(GError) local = NULL;
    if (!g_file_set_contents_full(path, (const char *)bytes->data, bytes->len,
                                  G_FILE_SET_CONTENTS_CONSISTENT, 0600, &local)) {
        g_set_error(error, ERROR_DOMAIN, ERROR_UNAVAILABLE, "cannot write %s: %s", path,
                    local->message);
        return false;
    }
    return true;
}

static char *notes_of(const struct vm_spec *spec)
{
    g_autofree char *folder = g_path_get_dirname(spec->launcher);
    return g_build_filename(folder, LAUNCH_NOTES, NULL);
}

bool launch_prepare(const struct root *root, const struct vm_spec *spec, GError **error)
{
    if (spec->launcher == NULL) {
        return true;
    }
    g_autofree char *launcher = find_launcher(error);
    if (launcher == NULL) {
        return false;
    }
    g_autofree char *folder = g_path_get_dirname(spec->launcher);
    g_autofree char *notes = notes_of(spec);
    if (g_mkdir(folder, 0700) < 0 && errno != EEXIST) {
        error_set_errno(error, ERROR_UNAVAILABLE, errno, "cannot create %s", folder);
        return false;
    }
    g_unlink(notes);
    g_unlink(spec->launcher);
    if (symlink(launcher, spec->launcher) < 0) {
        error_set_errno(error, ERROR_UNAVAILABLE, errno, "cannot create %s", spec->launcher);
        return false;
    }
    capabilities_keep_only(root->path, spec->launcher);
    return write_plan(folder, spec, error);
}

void launch_note_version(const struct root *root, struct vm_spec *spec)
{
    const char *emulator = spec->launcher != NULL ? spec->launcher : spec->emulator;
    spec->emulator_version = capabilities_version(root->path, emulator);
}

/* --- the notes --- */

/* Of @kind, in their order, each once: QEMU may have been started more than once, to be probed. */
static GPtrArray *read_notes(const struct vm_spec *spec, char kind)
{
    GPtrArray *found = g_ptr_array_new_with_free_func(g_free);
    g_autofree char *path = spec->launcher != NULL ? notes_of(spec) : NULL;
    g_autofree char *text = NULL;
    if (path == NULL || !g_file_get_contents(path, &text, NULL, NULL)) {
        return found;
    }
    g_auto(GStrv) lines = g_strsplit(text, "\n", 0);
    for (char **line = lines; *line != NULL; line++) {
        if ((*line)[0] == kind && (*line)[1] == ' ' &&
            !g_ptr_array_find_with_equal_func(found, *line + 2, g_str_equal, NULL)) {
            g_ptr_array_add(found, g_strdup(*line + 2));
        }
    }
    return found;
}

void launch_log_warnings(const struct vm_spec *spec)
{
    g_autoptr(GPtrArray) warnings = read_notes(spec, LAUNCH_WARNING);
    for (guint i = 0; i < warnings->len; i++) {
        log_warning("%s", (const char *)g_ptr_array_index(warnings, i));
    }
}

void launch_explain(const struct vm_spec *spec, GError **error)
{
    if (spec->launcher == NULL || error == NULL || *error == NULL) {
        return;
    }
    g_autoptr(GPtrArray) failures = read_notes(spec, LAUNCH_FAILURE);
    if (failures->len > 0) {
        g_clear_error(error);
        g_set_error(error, ERROR_DOMAIN, ERROR_UNAVAILABLE, "cannot start QEMU: %s",
                    (const char *)g_ptr_array_index(failures, failures->len - 1));
        return;
    }
    GString *message = g_string_new((*error)->message);
    g_string_replace(message, spec->launcher, spec->emulator, 0);
    g_free((*error)->message);
    (*error)->message = g_string_free(message, FALSE);
}
