// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/*
 * Firmware that is installed, as its packages describe it for libvirt: QEMU's
 * docs/interop/firmware.json, in the folders where libvirt looks.
 */

#include "src/vm/vm_spec.h"

#include <stdbool.h>

/* ERROR_UNAVAILABLE, and what to install, if there is no UEFI for @arch. */
bool firmware_check_uefi(enum vm_arch arch, GError **error);

/* The same, of descriptions in @folders (NULL-terminated). */
bool firmware_has_uefi(const char *const *folders, enum vm_arch arch);
