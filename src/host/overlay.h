// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/*
 * qcow2 overlays: the writes to an image go to a file in the root directory, because writing to a
 * file of the container's lower layer would first copy all of it up.
 */

#include "src/vm/vm_spec.h"

/*
 * Makes the overlay of @disk with qemu-img, unless it is there from an earlier life; then checks
 * that it belongs to this image. Blocks. ERROR_UNAVAILABLE: no qemu-img, no space; ERROR_CONFIG:
 * the image is not what @disk says, or is another one than the overlay was made for.
 */
bool overlay_prepare(const struct vm_disk *disk, GError **error);
