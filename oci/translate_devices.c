// SPDX-License-Identifier: LGPL-2.1-or-later
#include "oci/devices.h"
#include "oci/document.h"
#include "oci/translation.h"

void translate_device_problem(struct translation *t, gsize index, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    g_autofree char *message = g_strdup_vprintf(format, args);
    va_end(args);
    g_autofree char *path = oci_path_element("linux.devices", index, "path");
    oci_problems_add(t->problems, path, "%s", message);
}

static void add_vfio_group(struct translation *t, gsize index)
{
    if (t->vfio_groups == OCI_VFIO_GROUPS_MAX) {
        translate_device_problem(t, index, "is one IOMMU group too many: a VM can have %d",
                                 OCI_VFIO_GROUPS_MAX);
        return;
    }
    t->vfio_groups++;
    guint64 number = oci_device_vfio_group(&t->config->devices.items[index]);
    for (gsize i = 0; i < t->host->vfio_group_count; i++) {
        const struct oci_vfio_group *group = &t->host->vfio_groups[i];
        if (group->number == number && group->length > 0) {
            g_array_append_vals(t->spec->pci_devices, group->devices, group->length);
            return;
        }
    }
    translate_device_problem(t, index,
                             "there is no device in IOMMU group %" G_GUINT64_FORMAT
                             "; bind one to vfio-pci on the host first",
                             number);
}

static void add_device(struct translation *t, gsize index)
{
    const struct oci_device *device = &t->config->devices.items[index];
    switch (oci_device_role(t->config, device)) {
    case OCI_DEVICE_VFIO:
        add_vfio_group(t, index);
        break;
    case OCI_DEVICE_OTHER:
        translate_device_problem(
            t, index,
            "%s is not possible in a VM: a guest cannot have a %s of the host, only block "
            "devices, VFIO groups (/dev/vfio/NUMBER) and those that every Linux has",
            device->path, g_str_equal(device->type, "p") ? "FIFO" : "character device");
        break;
    case OCI_DEVICE_DISK: /* translate_disks() */
    case OCI_DEVICE_STANDARD:
    case OCI_DEVICE_OURS:
    case OCI_DEVICE_LISTED:
        break;
    }
}

/* The block device @location, or a partition of it. */
static bool is_at(const struct vm_location *location, const struct vm_location *whole,
                  const struct vm_location *wanted)
{
    return (location->major == wanted->major && location->minor == wanted->minor) ||
           (whole->major == wanted->major && whole->minor == wanted->minor);
}

bool oci_translate_disk_is_on(const struct oci_host *host, const struct vm_disk *disk, bool writing,
                              guint64 major, guint64 minor)
{
    const struct vm_location wanted = {major, minor};
    const struct oci_location *overlays = &host->overlays;
    bool known = disk->location.major != 0 || disk->location.minor != 0;
    if (disk->overlay != NULL && overlays->known &&
        is_at(&overlays->device, &overlays->disk, &wanted)) {
        return true;
    }
    return known && (!writing || disk->overlay == NULL) &&
           is_at(&disk->location, &disk->whole, &wanted);
}

#define ROW(member, limit, writing)                                                                \
    {                                                                                              \
        G_STRUCT_OFFSET(struct oci_config, resources.block_io.member),                             \
            G_STRUCT_OFFSET(struct vm_throttle, limit), writing                                    \
    }

const struct oci_throttle_row oci_throttle_rows[OCI_THROTTLE_KINDS] = {
    [OCI_THROTTLE_READ_BPS] = ROW(read_bps, read_bytes, false),
    [OCI_THROTTLE_WRITE_BPS] = ROW(write_bps, write_bytes, true),
    [OCI_THROTTLE_READ_IOPS] = ROW(read_iops, read_ops, false),
    [OCI_THROTTLE_WRITE_IOPS] = ROW(write_iops, write_ops, true),
};

/* Where several devices of the list are under a disk, the smallest rate is its limit. */
static void set_throttles(struct translation *t, const struct oci_throttle_row *row)
{
    const struct oci_throttles *throttles = G_STRUCT_MEMBER_P(t->config, row->list);
    for (gsize i = 0; i < throttles->length; i++) {
        const struct oci_throttle *throttle = &throttles->items[i];
        for (guint d = 0; d < t->spec->disks->len; d++) {
            struct vm_disk *disk = g_ptr_array_index(t->spec->disks, d);
            guint64 *limit = G_STRUCT_MEMBER_P(&disk->throttle, row->limit);
            if (throttle->rate.value > 0 &&
                oci_translate_disk_is_on(t->host, disk, row->writing, throttle->major.value,
                                         throttle->minor.value)) {
                /* More than that libvirt takes for an overflow. */
                guint64 rate = MIN(throttle->rate.value, VM_THROTTLE_MAX);
                *limit = *limit == 0 ? rate : MIN(*limit, rate);
            }
        }
    }
}

void translate_devices(struct translation *t)
{
    for (gsize i = 0; i < t->config->devices.length; i++) {
        add_device(t, i);
    }
    for (gsize kind = 0; kind < OCI_THROTTLE_KINDS; kind++) {
        set_throttles(t, &oci_throttle_rows[kind]);
    }
}
