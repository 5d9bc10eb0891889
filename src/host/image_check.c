// SPDX-License-Identifier: LGPL-2.1-or-later
#include "src/host/image_check.h"
#include "src/util/log.h"
#include "src/util/quantity.h"

#define SECTOR 512

/* QEMU's name as config.json has it. */
static const char *word_of(const char *format)
{
    return g_str_equal(format, "vpc") ? "vhd" : format;
}

static bool refuse_format(const struct vm_disk *disk, const char *found, GError **error)
{
    if (g_str_equal(disk->format, "raw")) {
        g_set_error(error, ERROR_DOMAIN, ERROR_CONFIG,
                    "%s: %s is to be a raw image, and begins like one of format %s; if it is one, "
                    "say so (format). If a guest could write to it, do not: that is how guests get "
                    "at files outside",
                    vm_disk_origin(disk), disk->image, word_of(found));
    } else {
        g_set_error(error, ERROR_DOMAIN, ERROR_CONFIG,
                    "%s: %s is an image of format %s, not %s; correct the format",
                    vm_disk_origin(disk), disk->image, word_of(found), word_of(disk->format));
    }
    return false;
}

/* Looks again, for what cannot be told by the start of the file: a VHD of fixed size has its marks
 * at the end, and other formats that are not there have QEMU's own words for it. */
static bool look_as(const struct vm_disk *disk, struct qemu_img_info *info, GError **error)
{
    qemu_img_info_clear(info);
    if (!qemu_img_info(disk->image, disk->format, ERROR_CONFIG, info, error)) {
        g_prefix_error(error, "%s: ", vm_disk_origin(disk));
        return false;
    }
    return true;
}

static bool check_format(const struct vm_disk *disk, struct qemu_img_info *info, GError **error)
{
    if (g_str_equal(info->format, disk->format)) {
        return true;
    }
    /* A guest may encrypt all of its disk; to QEMU that would be a format, but one without a way to
     * other files. */
    bool encrypted = g_str_equal(disk->format, "raw") && g_str_equal(info->format, "luks");
    if (encrypted || g_str_equal(info->format, "raw")) {
        return look_as(disk, info, error);
    }
    return refuse_format(disk, info->format, error);
}

static bool check_complete(const struct vm_disk *disk, const struct qemu_img_info *info,
                           GError **error)
{
    if (info->other != NULL) {
        g_set_error(error, ERROR_DOMAIN, ERROR_CONFIG,
                    "%s: %s needs another file, %s, and must be complete; if that is what you "
                    "want, make it so with: qemu-img convert -O qcow2 %s NEW",
                    vm_disk_origin(disk), disk->image, info->other, disk->image);
    }
    return info->other == NULL;
}

bool image_check(const struct vm_disk *disk, struct qemu_img_info *info, GError **error)
{
    if (!qemu_img_info(disk->image, NULL, ERROR_CONFIG, info, error)) {
        g_prefix_error(error, "%s: ", vm_disk_origin(disk));
        return false;
    }
    bool ok = check_format(disk, info, error) && check_complete(disk, info, error);
    if (!ok) {
        qemu_img_info_clear(info);
    }
    return ok;
}

guint64 image_check_growth(const struct vm_disk *disk, guint64 present)
{
    guint64 wanted = disk->size / SECTOR * SECTOR + (disk->size % SECTOR != 0 ? SECTOR : 0);
    if (disk->size == 0 || wanted == present) {
        return 0;
    }
    g_autofree char *has = quantity_format_size(present);
    g_autofree char *wants = quantity_format_size(wanted);
    if (wanted < present) {
        log_warning("%s: the disk has %s, and is not made smaller: disk-size is %s",
                    vm_disk_origin(disk), has, wants);
        return 0;
    }
    log_info("%s: the disk had %s, and has %s now", vm_disk_origin(disk), has, wants);
    return wanted;
}
