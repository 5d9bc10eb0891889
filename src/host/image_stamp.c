// SPDX-License-Identifier: LGPL-2.1-or-later
#include "src/host/image_stamp.h"
#include "src/util/error.h"
#include "src/util/quantity.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <jansson.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/*
 * Where partition tables, boot loaders and the superblocks of file systems are: at the start, at 1
 * MiB, and at the end. What else is written now and then falls into one of the others, or changes a
 * superblock. About 0.2 MiB are read, 1 ms.
 */
#define LARGE_BLOCK 65536
#define SMALL_BLOCK 4096
#define SMALL_BLOCKS 24
#define FIRST_PARTITION ((guint64)1 << 20)

#define RECORD_BYTES_MAX 65536 /* a path has 4096 at most, and six times as many in JSON */

static bool add_block(GChecksum *checksum, int fd, guint64 at, gsize length)
{
    guint8 block[LARGE_BLOCK];
    ssize_t n;
    do {
        n = pread(fd, block, length, at);
    } while (n < 0 && errno == EINTR);
    if (n > 0) {
        g_checksum_update(checksum, block, n);
    }
    return n >= 0;
}

static bool take_sample(int fd, guint64 size, char *sample)
{
    g_autoptr(GChecksum) checksum = g_checksum_new(G_CHECKSUM_SHA256);
    guint64 last = size > LARGE_BLOCK ? size - LARGE_BLOCK : 0;
    bool ok = add_block(checksum, fd, 0, LARGE_BLOCK) &&
              add_block(checksum, fd, FIRST_PARTITION, LARGE_BLOCK) &&
              add_block(checksum, fd, last, LARGE_BLOCK);
    for (unsigned i = 1; ok && i <= SMALL_BLOCKS; i++) {
        ok = add_block(checksum, fd, size / (SMALL_BLOCKS + 1) * i, SMALL_BLOCK);
    }
    g_strlcpy(sample, g_checksum_get_string(checksum), sizeof(((struct image_stamp *)0)->sample));
    return ok;
}

static bool measure(int fd, struct image_stamp *stamp)
{
    struct stat status;
    if (fstat(fd, &status) < 0) {
        return false;
    }
    if (S_ISBLK(status.st_mode)) { /* has no size there, and its time is of its node in /dev */
        off_t end = lseek(fd, 0, SEEK_END);
        stamp->size = end;
        return end >= 0;
    }
    stamp->size = status.st_size;
    stamp->seconds = status.st_mtim.tv_sec;
    stamp->nanoseconds = status.st_mtim.tv_nsec;
    return true;
}

bool image_stamp_take(const char *path, const char *format, struct image_stamp *stamp,
                      GError **error)
{
    *stamp = (struct image_stamp){.path = g_strdup(path), .format = g_strdup(format)};
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    bool ok = fd >= 0 && measure(fd, stamp) && take_sample(fd, stamp->size, stamp->sample);
    if (!ok) {
        error_set_errno(error, ERROR_UNAVAILABLE, errno, "cannot read the disk image %s", path);
    }
    if (fd >= 0) {
        close(fd);
    }
    return ok;
}

void image_stamp_clear(struct image_stamp *stamp)
{
    g_clear_pointer(&stamp->path, g_free);
    g_clear_pointer(&stamp->format, g_free);
}

/* Not fsync(), which does nothing in ocivirt's own process (cmd/ocivirt/fsync.c). */
bool image_stamp_sync(const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    bool ok = fd >= 0 && syscall(SYS_fsync, fd) == 0;
    if (fd >= 0) {
        close(fd);
    }
    return ok;
}

bool image_stamp_write(const struct image_stamp *stamp, const char *file, GError **error)
{
    json_t *record =
        json_pack("{s:s,s:s,s:I,s:I,s:I,s:s}", "image", stamp->path, "format", stamp->format,
                  "size", (json_int_t)stamp->size, "seconds", (json_int_t)stamp->seconds,
                  "nanoseconds", (json_int_t)stamp->nanoseconds, "sample", stamp->sample);
    char *text = record != NULL ? json_dumps(record, JSON_INDENT(2)) : NULL;
    json_decref(record);
    if (text == NULL) {
        g_set_error(error, ERROR_DOMAIN, ERROR_UNAVAILABLE,
                    "cannot keep a record of %s: its path is not UTF-8", stamp->path);
        return false;
    }
    g_autofree char *partial = g_strconcat(file, ".new", NULL);
    g_autoptr(GError) local = NULL;
    bool ok = g_file_set_contents_full(partial, text, -1, G_FILE_SET_CONTENTS_NONE, 0600, &local);
    free(text);
    if (!ok) {
        g_set_error(error, ERROR_DOMAIN, ERROR_UNAVAILABLE, "cannot write %s: %s", partial,
                    local->message);
    } else if (!image_stamp_sync(partial) || g_rename(partial, file) < 0) {
        error_set_errno(error, ERROR_UNAVAILABLE, errno, "cannot write %s", file);
        ok = false;
    }
    if (!ok) {
        g_unlink(partial);
    }
    return ok;
}

static bool parse(const char *text, gsize length, struct image_stamp *stamp)
{
    const char *path, *format, *sample;
    json_int_t size, seconds, nanoseconds;
    json_t *record = json_loadb(text, length, 0, NULL);
    bool ok = json_unpack(record, "{s:s,s:s,s:I,s:I,s:I,s:s}", "image", &path, "format", &format,
                          "size", &size, "seconds", &seconds, "nanoseconds", &nanoseconds, "sample",
                          &sample) == 0;
    if (ok) {
        *stamp =
            (struct image_stamp){g_strdup(path), g_strdup(format), size, seconds, nanoseconds, ""};
        g_strlcpy(stamp->sample, sample, sizeof(stamp->sample));
    }
    json_decref(record);
    return ok;
}

bool image_stamp_read(const char *file, struct image_stamp *stamp, GError **error)
{
    *stamp = (struct image_stamp){NULL};
    int fd = open(file, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0 && errno == ENOENT) {
        return false;
    }
    char text[RECORD_BYTES_MAX];
    ssize_t n = fd >= 0 ? pread(fd, text, sizeof(text), 0) : -1;
    if (n < 0) {
        error_set_errno(error, ERROR_UNAVAILABLE, errno, "cannot read %s", file);
    }
    if (fd >= 0) {
        close(fd);
    }
    bool ok = n >= 0 && parse(text, n, stamp);
    if (n >= 0 && !ok) {
        g_set_error(error, ERROR_DOMAIN, ERROR_UNAVAILABLE,
                    "%s is no record of an overlay's image; if you know that the image is still "
                    "the same, remove it",
                    file);
    }
    return ok;
}

static char *format_time(const struct image_stamp *stamp)
{
    g_autoptr(GDateTime) time = g_date_time_new_from_unix_utc(stamp->seconds);
    g_autofree char *text = time != NULL ? g_date_time_format(time, "%Y-%m-%d %H:%M:%S") : NULL;
    return text != NULL ? g_strdup_printf("%s.%09" G_GINT64_FORMAT, text, stamp->nanoseconds)
                        : g_strdup("?");
}

char *image_stamp_compare(const struct image_stamp *now, const struct image_stamp *then)
{
    if (now->size != then->size) {
        g_autofree char *is = quantity_format_size(now->size);
        g_autofree char *was = quantity_format_size(then->size);
        return g_strdup_printf("its size, %s, was %s", is, was);
    }
    if (now->seconds != then->seconds || now->nanoseconds != then->nanoseconds) {
        g_autofree char *is = format_time(now);
        g_autofree char *was = format_time(then);
        return g_strdup_printf("it was written at %s, and last at %s then", is, was);
    }
    return strcmp(now->sample, then->sample) != 0 ? g_strdup("there are other data in it") : NULL;
}
