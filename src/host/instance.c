// SPDX-License-Identifier: LGPL-2.1-or-later
#include "src/host/instance.h"
#include "src/host/process.h"
#include "src/util/error.h"

#include <errno.h>
#include <jansson.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *const status_names[] = {
    [INSTANCE_CREATING] = "creating",
    [INSTANCE_CREATED] = "created",
    [INSTANCE_RUNNING] = "running",
    [INSTANCE_STOPPED] = "stopped",
};
G_STATIC_ASSERT(G_N_ELEMENTS(status_names) == INSTANCE_STATUSES);

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

const char *instance_status_name(enum instance_status status)
{
    return status_names[status];
}

void instance_init(struct instance *instance, const char *id, pid_t supervisor)
{
    *instance = (struct instance){.id = g_strdup(id),
                                  .boot_id = read_boot_id(),
                                  .pid_namespace = read_pid_namespace(),
                                  .supervisor = supervisor,
                                  .supervisor_started = process_start_time(supervisor)};
}

void instance_finish(struct instance *instance)
{
    g_clear_pointer(&instance->id, g_free);
    g_clear_pointer(&instance->boot_id, g_free);
    g_clear_pointer(&instance->bundle, g_free);
    g_clear_pointer(&instance->console_seen, g_free);
    g_clear_pointer(&instance->annotations, g_strfreev);
}

static json_t *annotations_to_json(char **annotations)
{
    json_t *object = json_object();
    for (gsize i = 0; annotations != NULL && annotations[i] != NULL; i += 2) {
        json_object_set_new(object, annotations[i], json_string(annotations[i + 1]));
    }
    return object;
}

static json_t *helpers_to_json(const struct instance *instance)
{
    json_t *array = json_array();
    gsize count = INSTANCE_HELPERS_MAX;
    while (count > 0 && instance->helpers[count - 1].pid == 0) {
        count--;
    }
    for (gsize i = 0; i < count; i++) {
        const struct instance_process *helper = &instance->helpers[i];
        json_array_append_new(array, json_pack("{s:s,s:i,s:I}", "name", helper->name, "pid",
                                               (int)helper->pid, "startTime",
                                               (json_int_t)helper->started));
    }
    return array;
}

static char *format(const struct instance *instance)
{
    /* a path can be any bytes, and JSON's strings cannot */
    g_autofree char *bundle =
        instance->bundle != NULL ? g_utf8_make_valid(instance->bundle, -1) : NULL;
    g_autofree char *console_seen =
        instance->console_seen != NULL ? g_utf8_make_valid(instance->console_seen, -1) : NULL;
    json_t *json = json_pack(
        "{s:s,s:s,s:I,s:i,s:I,s:i,s:I,s:o,s:s,s:s*,s:s*,s:o}", "id", instance->id, "bootId",
        instance->boot_id, "pidNamespace", (json_int_t)instance->pid_namespace, "supervisorPid",
        (int)instance->supervisor, "supervisorStartTime", (json_int_t)instance->supervisor_started,
        "qemuPid", (int)instance->qemu, "qemuStartTime", (json_int_t)instance->qemu_started,
        "helpers", helpers_to_json(instance), "status", instance_status_name(instance->status),
        "consoleSeen", console_seen, "bundle", bundle, "annotations",
        annotations_to_json(instance->annotations));
    char *text = json_dumps(json, JSON_INDENT(2));
    json_decref(json);
    return text;
}

bool instance_write(const struct instance *instance, const char *path, GError **error)
{
    g_autofree char *text = format(instance);
    g_autoptr(GError) local = NULL;
    if (!g_file_set_contents_full(path, text, -1, G_FILE_SET_CONTENTS_CONSISTENT, 0600, &local)) {
        g_set_error(error, ERROR_DOMAIN, ERROR_UNAVAILABLE, "cannot write %s: %s", path,
                    local->message);
        return false;
    }
    return true;
}

static bool read_status(const char *name, enum instance_status *status)
{
    for (gsize i = 0; i < INSTANCE_STATUSES; i++) {
        if (g_str_equal(name, status_names[i])) {
            *status = i;
            return true;
        }
    }
    return false;
}

/* False: it is no object of strings. */
static bool read_annotations(json_t *object, char ***annotations)
{
    g_autoptr(GStrvBuilder) builder = g_strv_builder_new();
    const char *key;
    json_t *value;
    json_object_foreach(object, key, value)
    {
        if (!json_is_string(value)) {
            return false;
        }
        g_strv_builder_add_many(builder, key, json_string_value(value), NULL);
    }
    *annotations = g_strv_builder_end(builder);
    return object == NULL || json_is_object(object);
}

static bool read_helpers(json_t *array, struct instance_process *helpers)
{
    size_t index;
    json_t *value;
    json_array_foreach(array, index, value)
    {
        const char *name;
        json_int_t pid, started;
        if (index >= INSTANCE_HELPERS_MAX ||
            json_unpack(value, "{s:s,s:I,s:I}", "name", &name, "pid", &pid, "startTime",
                        &started) != 0 ||
            pid < 0 || pid > G_MAXINT32 || started < 0) {
            return false;
        }
        helpers[index] = (struct instance_process){"", pid, started};
        g_strlcpy(helpers[index].name, name, sizeof(helpers[index].name));
    }
    return array == NULL || json_is_array(array);
}

/* Without the members from supervisorStartTime on it is an older ocivirt's. */
static bool read_members(struct instance *instance, json_t *json)
{
    const char *id, *boot_id, *status = status_names[INSTANCE_RUNNING], *bundle = NULL;
    const char *console_seen = NULL;
    json_int_t pid_namespace, supervisor, qemu, qemu_started, supervisor_started = 0;
    json_t *annotations = NULL, *helpers = NULL;
    if (json_unpack(json, "{s:s,s:s,s:I,s:I,s:I,s:I,s?I,s?o,s?s,s?s,s?s,s?o}", "id", &id, "bootId",
                    &boot_id, "pidNamespace", &pid_namespace, "supervisorPid", &supervisor,
                    "qemuPid", &qemu, "qemuStartTime", &qemu_started, "supervisorStartTime",
                    &supervisor_started, "helpers", &helpers, "status", &status, "consoleSeen",
                    &console_seen, "bundle", &bundle, "annotations", &annotations) != 0 ||
        supervisor < 0 || supervisor > G_MAXINT32 || qemu < 0 || qemu > G_MAXINT32 ||
        !read_status(status, &instance->status) || !read_helpers(helpers, instance->helpers) ||
        !read_annotations(annotations, &instance->annotations)) {
        return false;
    }
    instance->id = g_strdup(id);
    instance->boot_id = g_strdup(boot_id);
    instance->pid_namespace = pid_namespace;
    instance->supervisor = supervisor;
    instance->supervisor_started = supervisor_started;
    instance->qemu = qemu;
    instance->qemu_started = qemu_started;
    instance->console_seen = g_strdup(console_seen);
    instance->bundle = g_strdup(bundle);
    return true;
}

bool instance_read(struct instance *instance, const char *path)
{
    *instance = (struct instance){0};
    json_t *json = json_load_file(path, 0, NULL);
    bool ok = read_members(instance, json);
    if (!ok) {
        instance_finish(instance);
        *instance = (struct instance){0};
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

static bool is_alive(const struct instance *instance, pid_t pid, guint64 started)
{
    return pid > 0 && started > 0 && instance_is_ours(instance) &&
           process_start_time(pid) == started;
}

bool instance_qemu_alive(const struct instance *instance)
{
    return is_alive(instance, instance->qemu, instance->qemu_started);
}

bool instance_supervisor_alive(const struct instance *instance)
{
    return is_alive(instance, instance->supervisor, instance->supervisor_started);
}

enum instance_status instance_status_now(const struct instance *instance, bool locked)
{
    bool alive = locked;
    if (instance_is_ours(instance)) {
        alive = instance->qemu > 0 ? instance_qemu_alive(instance)
                                   : instance_supervisor_alive(instance);
    }
    return alive ? instance->status : INSTANCE_STOPPED;
}
