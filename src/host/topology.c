// SPDX-License-Identifier: LGPL-2.1-or-later
#include "src/host/topology.h"
#include "src/host/capability.h"

#include <sched.h>
#include <stdio.h>
#include <linux/capability.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

bool topology_allowed_cpus(struct cpulist *cpus)
{
    /* cpu_set_t ends at 1024, Linux at 8192. */
    gsize size = CPU_ALLOC_SIZE(CPULIST_MAX);
    cpu_set_t *set = CPU_ALLOC(CPULIST_MAX);
    bool ok = sched_getaffinity(0, size, set) == 0;
    *cpus = (struct cpulist){{0}};
    for (unsigned cpu = 0; ok && cpu < CPULIST_MAX; cpu++) {
        if (CPU_ISSET_S(cpu, size, set)) {
            cpulist_add(cpus, cpu);
        }
    }
    CPU_FREE(set);
    return ok;
}

bool topology_memory_nodes(struct cpulist *nodes)
{
    g_autofree char *text = NULL;
    return g_file_get_contents("/sys/devices/system/node/has_memory", &text, NULL, NULL) &&
           cpulist_parse(g_strstrip(text), nodes);
}

bool topology_may_set_memory_policy(void)
{
    /* It only asks, and is allowed or forbidden together with those that set. */
    return syscall(SYS_get_mempolicy, NULL, NULL, 0, NULL, 0) == 0;
}

const char *topology_security_model(void)
{
    static const char *const models[] = {"selinux", "apparmor"};
    g_autofree char *text = NULL;
    if (geteuid() != 0 || !capability_is_effective(CAP_MAC_ADMIN) ||
        !g_file_get_contents("/sys/kernel/security/lsm", &text, NULL, NULL)) {
        return NULL;
    }
    g_auto(GStrv) names = g_strsplit(g_strstrip(text), ",", 0);
    for (gsize i = 0; i < G_N_ELEMENTS(models); i++) {
        if (g_strv_contains((const char *const *)names, models[i])) {
            return models[i];
        }
    }
    return NULL;
}

guint64 topology_free_hugepages(guint64 kib)
{
    g_autofree char *path = g_strdup_printf(
        "/sys/kernel/mm/hugepages/hugepages-%" G_GUINT64_FORMAT "kB/free_hugepages", kib);
    g_autofree char *text = NULL;
    return g_file_get_contents(path, &text, NULL, NULL) ? g_ascii_strtoull(text, NULL, 10) : 0;
}

bool topology_parse_pci_address(const char *text, struct vm_pci_device *device)
{
    int end = 0;
    return sscanf(text, "%4x:%2x:%2x.%1x%n", &device->domain, &device->bus, &device->slot,
                  &device->function, &end) == 4 &&
           text[end] == '\0' && end == (int)strlen("0000:00:00.0");
}

/* PCI's class 06: a bridge stays the host's, whatever group it is in. */
static bool is_bridge(const char *folder, const char *name)
{
    g_autofree char *path = g_build_filename(folder, name, "class", NULL);
    g_autofree char *class = NULL;
    return g_file_get_contents(path, &class, NULL, NULL) && g_str_has_prefix(class, "0x06");
}

GArray *topology_vfio_group(guint64 number)
{
    GArray *devices = g_array_new(FALSE, FALSE, sizeof(struct vm_pci_device));
    g_autofree char *folder =
        g_strdup_printf("/sys/kernel/iommu_groups/%" G_GUINT64_FORMAT "/devices", number);
    g_autoptr(GDir) dir = g_dir_open(folder, 0, NULL);
    const char *name;
    struct vm_pci_device device;
    while (dir != NULL && (name = g_dir_read_name(dir)) != NULL) {
        if (topology_parse_pci_address(name, &device) && !is_bridge(folder, name)) {
            g_array_append_val(devices, device);
        }
    }
    return devices;
}

static bool read_number(const char *path, struct vm_location *location)
{
    unsigned major, minor;
    g_autofree char *text = NULL;
    if (!g_file_get_contents(path, &text, NULL, NULL) ||
        sscanf(text, "%u:%u", &major, &minor) != 2) {
        return false;
    }
    *location = (struct vm_location){major, minor};
    return true;
}

bool topology_locate(const char *path, struct vm_location *device, struct vm_location *disk)
{
    struct stat status;
    if (stat(path, &status) < 0) {
        return false;
    }
    dev_t number = S_ISBLK(status.st_mode) ? status.st_rdev : status.st_dev;
    *device = (struct vm_location){major(number), minor(number)};
    *disk = *device;
    /* A partition's folder in sysfs lies in its disk's. */
    g_autofree char *folder = g_strdup_printf("/sys/dev/block/%u:%u", major(number), minor(number));
    g_autofree char *partition = g_build_filename(folder, "partition", NULL);
    if (access(partition, F_OK) == 0) {
        g_autofree char *whole = g_build_filename(folder, "..", "dev", NULL);
        read_number(whole, disk);
    }
    return true;
}
