// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/* Whether an image is what the config says it is. */

#include "src/host/qemu_img.h"
#include "src/vm/vm_spec.h"

/*
 * Looks at the image of @disk with qemu-img: it must have the format that @disk says, and stand on
 * no other file. Fills @info. Blocks. ERROR_CONFIG; ERROR_UNAVAILABLE: it cannot be looked at.
 *
 * A raw image that looks like another format is refused: a guest that may write to it can make it
 * look like a qcow2 image on top of any file of the container, for whoever believes it.
 */
bool image_check(const struct vm_disk *disk, struct qemu_img_info *info, GError **error);

/* The size that @disk, which has @present bytes, is to be given; 0: it stays as it is. Says so, and
 * where less is wanted than there is. */
guint64 image_check_growth(const struct vm_disk *disk, guint64 present);
