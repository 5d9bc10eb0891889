// SPDX-License-Identifier: LGPL-2.1-or-later
#include "oci/mounts.h"
#include "oci/devices.h"

#include <string.h>

static const char *const kernel_types[] = {
    "proc",     "sysfs", "tmpfs",   "devpts",  "mqueue",     "cgroup", "cgroup2",
    "devtmpfs", "bpf",   "debugfs", "tracefs", "securityfs", "ramfs",  NULL,
};

/* Where a guest has file systems of its kernel's, whatever a container has there. */
static const char *const kernel_places[] = {"/proc",       "/sys",     "/dev/shm",
                                            "/dev/mqueue", "/dev/pts", NULL};

/* What podman, docker, CRI-O and containerd mount into each container. */
static const char *const engine_places[] = {
    "/etc/hostname",
    "/etc/hosts",
    "/etc/resolv.conf",
    "/etc/mtab",
    "/etc/passwd",
    "/etc/group",
    "/run/.containerenv",
    "/run/secrets",
    "/dev/termination-log",
    "/run/podman-init",
    "/dev/init",
    "/sbin/docker-init",
    "/var/run/.containerenv",
    NULL,
};

bool oci_mount_is_at_or_below(const char *path, const char *place)
{
    gsize length = strlen(place);
    return g_str_equal(place, "/") ||
           (strncmp(path, place, length) == 0 && (path[length] == '\0' || path[length] == '/'));
}

static bool is_kernels(const char *destination)
{
    for (const char *const *place = kernel_places; *place != NULL; place++) {
        if (oci_mount_is_at_or_below(destination, *place)) {
            return true;
        }
    }
    return g_str_equal(destination, "/dev");
}

/* A device of the host at its own place. */
static bool is_device_of_host(const struct oci_mount *mount)
{
    return mount->destination != NULL && g_str_has_prefix(mount->destination, "/dev/") &&
           g_strcmp0(mount->source, mount->destination) == 0;
}

bool oci_mounts_bind_all_devices(const struct oci_config *config)
{
    /* A sure sign, since nobody but the host's own system has a use for it. */
    for (gsize i = 0; i < config->mounts.length; i++) {
        const struct oci_mount *mount = &config->mounts.items[i];
        if (is_device_of_host(mount) && g_str_equal(mount->destination, "/dev/kmsg")) {
            return true;
        }
    }
    return false;
}

/* mount(8): then the type is not looked at. */
static bool has_bind_option(const struct oci_mount *mount)
{
    const char *const *options = (const char *const *)mount->options;
    return options != NULL &&
           (g_strv_contains(options, "bind") || g_strv_contains(options, "rbind"));
}

bool oci_mount_is_bind(const struct oci_mount *mount)
{
    return mount->type == NULL || g_str_equal(mount->type, "bind") ||
           g_str_equal(mount->type, "none") || has_bind_option(mount);
}

bool oci_mount_is_of_kernel(const struct oci_mount *mount)
{
    return mount->type != NULL && !has_bind_option(mount) &&
           g_strv_contains(kernel_types, mount->type);
}

enum oci_mount_role oci_mount_role(const struct oci_config *config, const struct oci_mount *mount,
                                   enum oci_source_kind source)
{
    const char *destination = mount->destination != NULL ? mount->destination : "";
    if (oci_mount_is_of_kernel(mount) || is_kernels(destination)) {
        return OCI_MOUNT_GUESTS;
    }
    if (g_strv_contains(engine_places, destination) || oci_device_is_usual(destination) ||
        (config->may_open_all_devices && is_device_of_host(mount))) {
        return OCI_MOUNT_ENGINES;
    }
    bool below_dev = g_str_has_prefix(destination, "/dev/");
    if (!oci_mount_is_bind(mount) && source != OCI_SOURCE_BLOCK && source != OCI_SOURCE_UNSEEN) {
        return OCI_MOUNT_NOTHING;
    }
    switch (source) {
    case OCI_SOURCE_UNSEEN:
        return below_dev ? OCI_MOUNT_DISK : OCI_MOUNT_FOLDER;
    case OCI_SOURCE_FILE:
        return below_dev ? OCI_MOUNT_DISK : OCI_MOUNT_FILE;
    case OCI_SOURCE_FOLDER:
        return below_dev ? OCI_MOUNT_DISK : OCI_MOUNT_FOLDER;
    case OCI_SOURCE_BLOCK:
        return OCI_MOUNT_DISK;
    case OCI_SOURCE_OTHER: /* a rootless engine's way to give a container /dev/kvm */
        return below_dev ? OCI_MOUNT_ENGINES : OCI_MOUNT_NOTHING;
    case OCI_SOURCE_MISSING:
        return OCI_MOUNT_NOTHING;
    }
    g_assert_not_reached();
}

/* GLib keeps two slashes in front, which POSIX lets mean something; to Linux they are one. */
static char *canonical(const char *path, const char *relative_to)
{
    gsize slashes = strspn(path, "/");
    return g_canonicalize_filename(slashes > 1 ? path + slashes - 1 : path, relative_to);
}

static void replace(char **path, const char *relative_to)
{
    char *absolute = canonical(*path, relative_to);
    g_free(*path);
    *path = absolute;
}

void oci_mounts_resolve(struct oci_config *config, const char *bundle)
{
    for (gsize i = 0; i < config->mounts.length; i++) {
        struct oci_mount *mount = &config->mounts.items[i];
        if (mount->source != NULL && oci_mount_is_bind(mount)) {
            replace(&mount->source, bundle);
        }
        if (mount->destination != NULL && *mount->destination != '\0') {
            replace(&mount->destination, "/");
        }
    }
}

bool oci_mount_is_readonly(const struct oci_mount *mount)
{
    bool readonly = false;
    for (char **option = mount->options; option != NULL && *option != NULL; option++) {
        if (g_str_equal(*option, "ro") || g_str_equal(*option, "rro")) {
            readonly = true;
        } else if (g_str_equal(*option, "rw")) {
            readonly = false;
        }
    }
    return readonly;
}

const char *oci_mount_format(const struct oci_mount *mount)
{
    static const char prefix[] = "format=";
    const char *word = NULL;
    for (char **option = mount->options; option != NULL && *option != NULL; option++) {
        if (g_str_has_prefix(*option, prefix)) {
            word = *option + strlen(prefix);
        }
    }
    return word;
}
