// SPDX-License-Identifier: LGPL-2.1-or-later
#include "src/host/instance.h"
#include "src/util/error.h"

#include <errno.h>
#include <jansson.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char *read_boot_id(void)
{
    char *text = NULL;
    g_file_get_contents("/proc/sys/kernel/random/boot_id", &text, NULL, NULL);
    return text != NULL ? g_strstrip(text) : g_strdup("unknown");
}

static guint64 read_pid_namespace(void)
{
    struct stat status;
    return stat("/proc/self/ns/pid", &status) == 0 ? status.st_ino : 0;
}

void instance_init(struct instance *instance, const char *id)
{
    *instance = (struct instance){.id = g_strdup(id),
                                  .boot_id = read_boot_id(),
                                  .pid_namespace = read_pid_namespace(),
                                  .supervisor = getpid()};
}

void instance_finish(struct instance *instance)
{
    g_clear_pointer(&instance->id, g_free);
    g_clear_pointer(&instance->boot_id, g_free);
}

bool instance_write(const struct instance *instance, const char *path, GError **error)
{
    json_t *json = json_pack("{sssssIsisisI}", "id", instance->id, "bootId", instance->boot_id,
                             "pidNamespace", (json_int_t)instance->pid_namespace, "supervisorPid",
                             (int)instance->supervisor, "qemuPid", (int)instance->qemu,
                             "qemuStartTime", (json_int_t)instance->qemu_started);
    g_autofree char *text = json_dumps(json, JSON_INDENT(2));
    json_decref(json);
    g_autoptr(GError) local = NULL;
    if (!g_file_set_contents_full(path, text, -1, G_FILE_SET_CONTENTS_CONSISTENT, 0600, &local)) {
        g_set_error(error, ERROR_DOMAIN, ERROR_UNAVAILABLE, "cannot write %s: %s", path,
                    local->message);
        return false;
    }
    return true;
}

bool instance_read(struct instance *instance, const char *path)
{
    *instance = (struct instance){0};
    json_t *json = json_load_file(path, 0, NULL);
    const char *id, *boot_id;
    json_int_t pid_namespace, started, supervisor, qemu;
    bool ok = json_unpack(json, "{sssssIsIsIsI}", "id", &id, "bootId", &boot_id, "pidNamespace",
                          &pid_namespace, "supervisorPid", &supervisor, "qemuPid", &qemu,
                          "qemuStartTime", &started) == 0 &&
              supervisor >= 0 && supervisor <= G_MAXINT32 && qemu >= 0 && qemu <= G_MAXINT32;
    if (ok) {
        *instance = (struct instance){.id = g_strdup(id),
                                      .boot_id = g_strdup(boot_id),
                                      .pid_namespace = pid_namespace,
                                      .supervisor = supervisor,
                                      .qemu = qemu,
                                      .qemu_started = started};
    }
    json_decref(json);
    return ok;
}

bool instance_is_ours(const struct instance *instance)
{
    g_autofree char *boot_id = read_boot_id();
    return g_str_equal(instance->boot_id, boot_id) &&
           instance->pid_namespace == read_pid_namespace();
}

guint64 instance_start_time(pid_t pid)
{
    g_autofree char *path = g_strdup_printf("/proc/%d/stat", pid);
    g_autofree char *text = NULL;
    if (!g_file_get_contents(path, &text, NULL, NULL)) {
        return 0;
    }
    /* proc(5): the name, in parentheses, may hold anything; starttime is field 22, state is 3. */
    const char *after_name = strrchr(text, ')');
    if (after_name == NULL) {
        return 0;
    }
    g_auto(GStrv) fields = g_strsplit(g_strstrip((char *)after_name + 1), " ", 0);
    if (g_strv_length(fields) < 20 || *fields[0] == 'Z') {
        return 0;
    }
    return g_ascii_strtoull(fields[19], NULL, 10);
}

bool instance_qemu_alive(const struct instance *instance)
{
    return instance->qemu > 0 && instance_is_ours(instance) && instance->qemu_started > 0 &&
           instance_start_time(instance->qemu) == instance->qemu_started;
}
