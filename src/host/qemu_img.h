// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/* qemu-img, in processes of its own. All of it blocks, and may be called on any thread. */

#include "src/util/error.h"

#include <stdbool.h>

struct qemu_img_info {
    char *format; /* QEMU's name */
    guint64 size; /* of the disk in it, bytes */
    char *other;  /* a file that the image needs beside itself: backing file, qcow2's data file, a
                     vmdk's extent. Each can be any file that we may read. NULL: none */
};

/* What the image @path is; @format: NULL: found out from what is in it. @refusal: what it means
 * that qemu-img runs and fails; ERROR_UNAVAILABLE: it cannot be run. */
bool qemu_img_info(const char *path, const char *format, enum error_code refusal,
                   struct qemu_img_info *info, GError **error);
/* The same, with a limit of our own for how long that takes; there is always one. */
bool qemu_img_info_within(guint limit_ms, const char *path, const char *format,
                          enum error_code refusal, struct qemu_img_info *info, GError **error);
void qemu_img_info_clear(struct qemu_img_info *info);

/* A new qcow2 file @path on top of @image. @size: bytes; 0: as @image has. ERROR_UNAVAILABLE. */
bool qemu_img_create(const char *path, const char *image, const char *format, guint64 size,
                     GError **error);

/* Makes the disk in @path larger. ERROR_UNAVAILABLE. */
bool qemu_img_grow(const char *path, const char *format, guint64 size, GError **error);
