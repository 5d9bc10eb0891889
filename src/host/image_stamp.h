// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/*
 * By what an image is known again. An overlay has the differences from one image, and is a broken
 * disk on top of another. Its size and the time of its last change tell most images apart; where
 * those are the same, as with reproducible builds of images, some of its blocks do.
 */

#include <glib.h>
#include <stdbool.h>

struct image_stamp {
    char *path;
    char *format;
    guint64 size;
    gint64 seconds, nanoseconds; /* of a file's last change; 0 of a device */
    char sample[65];             /* SHA-256 of the blocks, hexadecimal */
};

/* Looks at the image. ERROR_UNAVAILABLE. */
bool image_stamp_take(const char *path, const char *format, struct image_stamp *stamp,
                      GError **error);
void image_stamp_clear(struct image_stamp *stamp);

/* As a file, which is there whole, also after a power cut, or not at all. ERROR_UNAVAILABLE. */
bool image_stamp_write(const struct image_stamp *stamp, const char *file, GError **error);
/* False, without an error: there is no such file. False, with one: it says something else.
 * ERROR_UNAVAILABLE. */
bool image_stamp_read(const char *file, struct image_stamp *stamp, GError **error);

/* What of the image at the same path is different: "its size, 1 MiB, was 2 MiB"; NULL: nothing. The
 * caller owns it. */
char *image_stamp_compare(const struct image_stamp *now, const struct image_stamp *then);

/* What is written to @path stays there. */
bool image_stamp_sync(const char *path);
