// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/* The logs in the root directory: libvirt's, QEMU's and the helpers'. */

#include "src/engine/root.h"

/* Has none of them grow for ever, from now on. For once there is a VM: libvirt reads QEMU's log by
 * offsets while it starts one. @root must outlive the main loop. */
void logs_watch(const struct root *root);
