// SPDX-License-Identifier: LGPL-2.1-or-later
#include "oci/devices.h"
#include "src/util/quantity.h"

#include <string.h>

#define VFIO_PREFIX "/dev/vfio/"

static const char *const standard[] = {
    "/dev/null", "/dev/zero",    "/dev/full", "/dev/random", "/dev/urandom",
    "/dev/tty",  "/dev/console", "/dev/ptmx", NULL,
};

/* What QEMU opens by itself, if it may; /dev/vfio/vfio is there for the groups. */
static const char *const ours[] = {
    "/dev/kvm", "/dev/net/tun", "/dev/vhost-net", "/dev/vhost-vsock", "/dev/vfio/vfio", NULL,
};

/* As in runc and crun, a rule without a type is for all. */
static bool is_any_type(const struct oci_device_rule *rule)
{
    return rule->type == NULL || g_str_equal(rule->type, "a");
}

static bool is_any_number(const struct oci_device_rule *rule)
{
    return (!rule->major.set || rule->major.value < 0) &&
           (!rule->minor.set || rule->minor.value < 0);
}

static bool is_about(const struct oci_device_rule *rule, char access)
{
    return rule->access == NULL || strchr(rule->access, access) != NULL;
}

bool oci_device_rules_allow_all(const struct oci_config *config)
{
    bool reading = false, writing = false;
    for (gsize i = 0; i < config->resources.devices.length; i++) {
        const struct oci_device_rule *rule = &config->resources.devices.items[i];
        if (is_any_type(rule) && is_any_number(rule)) {
            reading = is_about(rule, 'r') ? rule->allow.value : reading;
            writing = is_about(rule, 'w') ? rule->allow.value : writing;
        }
    }
    return reading && writing;
}

static bool is_vfio_group(const struct oci_device *device)
{
    guint64 group;
    return g_str_has_prefix(device->path, VFIO_PREFIX) &&
           quantity_parse_count(device->path + strlen(VFIO_PREFIX), 0, G_MAXUINT32, &group);
}

bool oci_device_is_usual(const char *path)
{
    return g_strv_contains(standard, path) || g_strv_contains(ours, path);
}

enum oci_device_role oci_device_role(const struct oci_config *config,
                                     const struct oci_device *device)
{
    if (g_strv_contains(standard, device->path)) {
        return OCI_DEVICE_STANDARD;
    }
    if (g_strv_contains(ours, device->path)) {
        return OCI_DEVICE_OURS;
    }
    if (config->may_open_all_devices) {
        return OCI_DEVICE_LISTED;
    }
    if (g_str_equal(device->type, "b")) {
        return OCI_DEVICE_DISK;
    }
    return is_vfio_group(device) ? OCI_DEVICE_VFIO : OCI_DEVICE_OTHER;
}

guint64 oci_device_vfio_group(const struct oci_device *device)
{
    return g_ascii_strtoull(device->path + strlen(VFIO_PREFIX), NULL, 10);
}

static bool is_number(const struct oci_int *rule, const struct oci_uint *device)
{
    return !rule->set || rule->value < 0 || (guint64)rule->value == device->value;
}

/* One for all devices says nothing of a disk: most lists begin with one that forbids them all. */
static bool is_for_disk(const struct oci_device_rule *rule, const struct oci_device *disk)
{
    bool type = g_strcmp0(rule->type, "b") == 0 || (is_any_type(rule) && !is_any_number(rule));
    return type && is_number(&rule->major, &disk->major) && is_number(&rule->minor, &disk->minor);
}

bool oci_device_is_writable(const struct oci_config *config, const struct oci_device *device)
{
    bool named = false, writable = false;
    for (gsize i = 0; i < config->resources.devices.length; i++) {
        const struct oci_device_rule *rule = &config->resources.devices.items[i];
        if (is_for_disk(rule, device)) {
            bool writing = is_about(rule, 'w');
            named |= rule->allow.value || writing;
            writable = writing ? rule->allow.value : writable; /* the rules apply in their order */
        }
    }
    bool mode = !device->file_mode.set || (device->file_mode.value & 0222) != 0;
    return mode && (!named || writable);
}
