// SPDX-License-Identifier: LGPL-2.1-or-later
#include "src/host/overlay.h"
#include "src/host/image_check.h"
#include "src/host/image_stamp.h"
#include "src/host/qemu_img.h"
#include "src/util/error.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* The start of a qcow2 file, big-endian: QEMU's docs/interop/qcow2.txt. */
#define MAGIC "QFI\xfb"
#define BACKING_OFFSET_AT 8
#define BACKING_LENGTH_AT 16
#define SIZE_AT 24
#define HEADER_BYTES 32
#define BACKING_LENGTH_MAX 1023

/* What an overlay says of itself. */
struct header {
    char backing[BACKING_LENGTH_MAX + 1];
    guint64 size;
};

static guint64 big_endian(const guint8 *bytes, gsize length)
{
    guint64 number = 0;
    for (gsize i = 0; i < length; i++) {
        number = number << 8 | bytes[i];
    }
    return number;
}

/* By ourselves: qemu-img would take a third of the time of a start for it. */
static bool read_header(const char *path, struct header *header)
{
    guint8 bytes[HEADER_BYTES];
    *header = (struct header){""};
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    bool ok = fd >= 0 && pread(fd, bytes, sizeof(bytes), 0) == sizeof(bytes) &&
              memcmp(bytes, MAGIC, strlen(MAGIC)) == 0;
    if (ok) {
        guint64 offset = big_endian(bytes + BACKING_OFFSET_AT, 8);
        guint64 length = big_endian(bytes + BACKING_LENGTH_AT, 4);
        header->size = big_endian(bytes + SIZE_AT, 8);
        ok = length <= BACKING_LENGTH_MAX && offset <= G_MAXINT64 &&
             pread(fd, header->backing, length, offset) == (ssize_t)length;
    }
    if (fd >= 0) {
        close(fd);
    }
    return ok;
}

/* "…/vda.qcow2" → "…/vda.json" */
static char *record_of(const char *overlay)
{
    const char *suffix = strrchr(overlay, '.');
    gsize length =
        suffix != NULL && strchr(suffix, '/') == NULL ? (gsize)(suffix - overlay) : strlen(overlay);
    return g_strdup_printf("%.*s.json", (int)length, overlay);
}

static bool create(const struct vm_disk *disk, const struct image_stamp *stamp, GError **error)
{
    struct qemu_img_info info;
    if (!image_check(disk, &info, error)) {
        return false;
    }
    guint64 size = image_check_growth(disk, info.size);
    qemu_img_info_clear(&info);
    /* The record first: an overlay that is there has one. And the overlay under another name: a
     * half-made one must not look like one. */
    g_autofree char *record = record_of(disk->overlay);
    g_autofree char *partial = g_strconcat(disk->overlay, ".new", NULL);
    if (!qemu_img_create(partial, disk->image, disk->format, size, error) ||
        !image_stamp_write(stamp, record, error)) {
        g_prefix_error(error, "cannot make the overlay of %s (format %s): ", disk->image,
                       disk->format);
        g_unlink(partial);
        return false;
    }
    /* Written, so that after a power cut nobody finds the name of an overlay and nothing behind it.
     */
    if (!image_stamp_sync(partial) || g_rename(partial, disk->overlay) < 0) {
        error_set_errno(error, ERROR_UNAVAILABLE, errno, "cannot make the overlay %s",
                        disk->overlay);
        g_unlink(partial);
        return false;
    }
    g_autofree char *folder = g_path_get_dirname(disk->overlay);
    image_stamp_sync(folder); /* at worst it is made anew */
    return true;
}

static bool refuse_other(const struct vm_disk *disk, const char *image, const char *format,
                         GError **error)
{
    g_set_error(error, ERROR_DOMAIN, ERROR_CONFIG,
                "the overlay %s was made for %s (format %s), and %s is %s (format %s); remove the "
                "overlay to start afresh, or name the old image again",
                disk->overlay, *image != '\0' ? image : "nothing",
                format != NULL ? format : "unknown", vm_disk_origin(disk), disk->image,
                disk->format);
    return false;
}

static bool check_record(const struct vm_disk *disk, const struct image_stamp *now,
                         const struct image_stamp *then, const char *record, GError **error)
{
    if (!g_str_equal(then->path, disk->image) || !g_str_equal(then->format, disk->format)) {
        return refuse_other(disk, then->path, then->format, error);
    }
    g_autofree char *difference = image_stamp_compare(now, then);
    if (difference != NULL) {
        g_set_error(error, ERROR_DOMAIN, ERROR_CONFIG,
                    "%s: the image %s has changed under its overlay %s: %s; what the guest has "
                    "written there fits the old image alone: bring that one back, or remove the "
                    "overlay to start afresh (or %s, if you know that nothing in the image is "
                    "different)",
                    vm_disk_origin(disk), disk->image, disk->overlay, difference, record);
    }
    return difference == NULL;
}

/* One without a record: somebody has removed it, to say that the image is right. */
static bool accept(const struct vm_disk *disk, const struct image_stamp *stamp, const char *record,
                   GError **error)
{
    struct qemu_img_info info;
    if (!image_check(disk, &info, error)) {
        return false;
    }
    qemu_img_info_clear(&info);
    return image_stamp_write(stamp, record, error);
}

static bool grow(const struct vm_disk *disk, guint64 present, GError **error)
{
    guint64 size = image_check_growth(disk, present);
    if (size > 0 && !qemu_img_grow(disk->overlay, "qcow2", size, error)) {
        g_prefix_error(error, "cannot make the overlay %s larger: ", disk->overlay);
        return false;
    }
    return true;
}

static bool keep(const struct vm_disk *disk, const struct image_stamp *now, GError **error)
{
    struct header header;
    struct image_stamp then;
    g_autoptr(GError) local = NULL;
    g_autofree char *record = record_of(disk->overlay);
    if (!read_header(disk->overlay, &header)) {
        g_set_error(error, ERROR_DOMAIN, ERROR_UNAVAILABLE,
                    "cannot use the overlay of an earlier start: %s is no qcow2 file; remove it to "
                    "start afresh",
                    disk->overlay);
        return false;
    }
    bool recorded = image_stamp_read(record, &then, &local);
    bool ok = local == NULL;
    if (!ok) {
        g_propagate_error(error, g_steal_pointer(&local));
    } else if (!g_str_equal(header.backing, disk->image)) {
        ok = refuse_other(disk, header.backing, recorded ? then.format : NULL, error);
    } else {
        ok = recorded ? check_record(disk, now, &then, record, error)
                      : accept(disk, now, record, error);
    }
    image_stamp_clear(&then);
    return ok && grow(disk, header.size, error);
}

/* Only where there is certainly nothing is a new one made: also a link to what cannot be reached
 * now is something. */
static bool look_for_overlay(const char *path, bool *there, GError **error)
{
    struct stat status;
    *there = lstat(path, &status) == 0;
    if (!*there && errno != ENOENT) {
        error_set_errno(error, ERROR_UNAVAILABLE, errno, "cannot look at the overlay %s", path);
        return false;
    }
    return true;
}

bool overlay_prepare(const struct vm_disk *disk, GError **error)
{
    struct image_stamp stamp;
    bool there;
    if (!look_for_overlay(disk->overlay, &there, error)) {
        return false;
    }
    bool ok = image_stamp_take(disk->image, disk->format, &stamp, error) &&
              (there ? keep(disk, &stamp, error) : create(disk, &stamp, error));
    image_stamp_clear(&stamp);
    return ok;
}
