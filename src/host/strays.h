// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/*
 * A QEMU that nobody knows: libvirt started it, and died before it could tell its pid, or while it
 * probed it. Its guest has not run yet; but it has locked its disks, and would stay for ever.
 */

/* Ends those of the root directory @root, by the pids that libvirt has written down, which must be
 * of this boot and PID namespace. Whoever else has such a pid by now is left alone. Blocks, seconds
 * if need be. */
void strays_end(const char *root);
