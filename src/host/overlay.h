// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/*
 * qcow2 overlays: the writes to an image go to a file in the root directory, because writing to a
 * file of the container's lower layer would first copy all of it up.
 *
 *     ROOT/disks/vda.qcow2   the overlay
 *     ROOT/disks/vda.json    of which image it has the differences (image_stamp.h)
 */

#include "src/vm/vm_spec.h"

/*
 * Makes the overlay of @disk, unless it is there from an earlier life: then it must be of this
 * image, unchanged. Makes it as large as @disk wants it. The image is looked at with qemu-img
 * unless its record says that nothing has changed since. Blocks. ERROR_UNAVAILABLE: no qemu-img, no
 * space; ERROR_CONFIG: the image is not what @disk says, or another one than the overlay was made
 * for.
 */
bool overlay_prepare(const struct vm_disk *disk, GError **error);
