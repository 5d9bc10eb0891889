// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/* The disks of a VM, made ready for QEMU. */

#include "src/vm/vm_spec.h"

/*
 * Makes the overlays, looks whether each image is what it is said to be, and makes larger what is
 * to be larger; several disks side by side. Blocks. The error is that of the first disk that has
 * one: ERROR_CONFIG, ERROR_UNAVAILABLE.
 */
bool disks_prepare(const struct vm_spec *spec, GError **error);

/* QEMU's error, where it is that another process has one of the disks: told in our words
 * (ERROR_UNAVAILABLE). */
void disks_explain(const struct vm_spec *spec, GError **error);
