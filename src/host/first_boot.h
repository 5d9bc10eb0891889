// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/*
 * What a guest finds when it boots, written to files for QEMU: the disk with cloud-init's data, and
 * entries of fw_cfg. Only the file's owner may read them: there can be secrets in them.
 */

#include "src/vm/vm_spec.h"

#include <stdbool.h>

/* All that @spec has of it; the folders are there. ERROR_UNAVAILABLE says what cannot be written.
 */
bool first_boot_prepare(const struct vm_spec *spec, GError **error);

/* An ISO 9660 image with the label "cidata". */
bool first_boot_write_seed(const struct vm_seed *seed, GError **error);
