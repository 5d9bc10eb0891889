// SPDX-License-Identifier: LGPL-2.1-or-later
#include "oci/devices.h"
#include "oci/document.h"
#include "oci/fields.h"
#include "oci/rules.h"
#include "src/vm/vm_spec.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/nsfs.h>
#include <sched.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

/* False: there is none, or a problem. */
static bool check_readable(const char *path, const char *where, const char *what,
                           struct oci_problems *problems, struct stat *status)
{
    if (path == NULL) {
        return false;
    }
    /* AT_EACCESS: the rights that opening it will need, also under another effective uid. */
    bool ok = stat(path, status) == 0 && faccessat(AT_FDCWD, path, R_OK, AT_EACCESS) == 0;
    if (!ok) {
        oci_problems_add(problems, where,
                         "cannot read the %s %s: %s; put it there, make it readable, or correct "
                         "the path",
                         what, path, g_strerror(errno));
    }
    return ok;
}

static void check_file(const char *path, const char *where, const char *what,
                       struct oci_problems *problems)
{
    struct stat status;
    if (check_readable(path, where, what, problems, &status) && S_ISDIR(status.st_mode)) {
        oci_problems_add(problems, where, "%s is a directory, and must be the %s itself", path,
                         what);
    }
}

/* config-linux.md: "if `path` is not associated with a namespace of type `type`" it is an error. */
static void check_network_namespace(const char *path, const char *where,
                                    struct oci_problems *problems)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) {
        oci_problems_add(problems, where,
                         "cannot open the network namespace %s: %s; it must be there before the VM "
                         "starts; leave the path out to use the container's own",
                         path, g_strerror(errno));
        return;
    }
    if (ioctl(fd, NS_GET_NSTYPE) != CLONE_NEWNET) {
        oci_problems_add(problems, where,
                         "%s is not a network namespace; /run/netns/NAME and /proc/PID/ns/net are",
                         path);
    }
    close(fd);
}

/* Asks the kernel whether somebody holds the device for himself: a mounted file system does. */
static bool is_in_use(const char *path)
{
    int fd = open(path, O_RDONLY | O_EXCL | O_CLOEXEC | O_NONBLOCK);
    bool busy = fd < 0 && errno == EBUSY;
    if (fd >= 0) {
        close(fd);
    }
    return busy;
}

static void check_access(const struct oci_config *config, const struct oci_device *device,
                         const char *where, struct oci_problems *problems)
{
    int access = oci_device_is_writable(config, device) ? R_OK | W_OK : R_OK;
    if (faccessat(AT_FDCWD, device->path, access, AT_EACCESS) < 0) {
        oci_problems_add(problems, where, "cannot open the device %s: %s", device->path,
                         g_strerror(errno));
    } else if (is_in_use(device->path)) {
        oci_problems_add(problems, where,
                         "%s is in use on the host, mounted perhaps; two systems on one disk "
                         "destroy it: unmount it first",
                         device->path);
    }
}

static void check_disk(const struct oci_config *config, const struct oci_device *device,
                       const char *where, struct oci_problems *problems)
{
    struct stat status;
    if (stat(device->path, &status) < 0) {
        oci_problems_add(problems, where,
                         "there is no device %s: %s; give it to the container (podman: --device "
                         "%s), or remove it here",
                         device->path, g_strerror(errno), device->path);
    } else if (!S_ISBLK(status.st_mode)) {
        oci_problems_add(problems, where, "%s is not a block device, and type says b",
                         device->path);
    } else if (status.st_rdev != makedev(device->major.value, device->minor.value)) {
        oci_problems_add(problems, where,
                         "%s is device %u:%u, and not %" G_GUINT64_FORMAT ":%" G_GUINT64_FORMAT
                         " as major and minor say",
                         device->path, major(status.st_rdev), minor(status.st_rdev),
                         device->major.value, device->minor.value);
    } else {
        check_access(config, device, where, problems);
    }
}

/* Only as many as a VM can have, each of which may take a look at every rule. */
static void check_devices(const struct oci_config *config, struct oci_problems *problems)
{
    gsize disks = 0;
    for (gsize i = 0; i < config->devices.length && !oci_problems_full(problems); i++) {
        const struct oci_device *device = &config->devices.items[i];
        if (device->path != NULL && device->type != NULL && disks < VM_DISKS_MAX &&
            oci_device_role(config, device) == OCI_DEVICE_DISK) {
            g_autofree char *where = oci_path_element("linux.devices", i, "path");
            check_disk(config, device, where, problems);
            disks++;
        }
    }
}

static void check_hook(const char *path, const char *where, struct oci_problems *problems)
{
    struct stat status;
    if (path == NULL) {
        return;
    }
    if (stat(path, &status) < 0 || faccessat(AT_FDCWD, path, X_OK, AT_EACCESS) < 0) {
        oci_problems_add(problems, where,
                         "cannot execute the hook %s: %s; put it there, make it executable, or "
                         "remove the hook",
                         path, g_strerror(errno));
    } else if (!S_ISREG(status.st_mode)) {
        oci_problems_add(problems, where, "%s is not a program: it is no regular file", path);
    }
}

static void check_hooks(const struct oci_config *config, struct oci_problems *problems)
{
    for (gsize kind = 0; kind < OCI_HOOK_KINDS; kind++) {
        g_autofree char *list = oci_path_child("hooks", oci_fields_hooks[kind].name);
        for (gsize i = 0; i < config->hooks[kind].length; i++) {
            g_autofree char *where = oci_path_element(list, i, "path");
            check_hook(config->hooks[kind].items[i].path, where, problems);
        }
    }
}

void oci_rules_check_files(const struct oci_config *config, struct oci_problems *problems)
{
    check_file(config->vm.kernel.path, "vm.kernel.path", "kernel", problems);
    check_file(config->vm.kernel.initrd, "vm.kernel.initrd", "initrd", problems);
    struct stat image; /* may be a folder that it is in */
    check_readable(config->vm.image.path, "vm.image.path", "disk image", problems, &image);
    g_autofree char *device_tree = oci_path_child(config->vm.hw.path, "deviceTree");
    check_file(config->vm.hw.device_tree, device_tree, "device tree", problems);
    check_devices(config, problems);
    check_hooks(config, problems);
    for (gsize i = 0; i < config->namespaces.length; i++) {
        const struct oci_namespace *namespace = &config->namespaces.items[i];
        if (g_strcmp0(namespace->type, "network") == 0 && namespace->path != NULL) {
            g_autofree char *where = oci_path_element("linux.namespaces", i, "path");
            check_network_namespace(namespace->path, where, problems);
        }
    }
}
