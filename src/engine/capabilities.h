// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/*
 * libvirt's own notes on what QEMU can, one file an emulator: below ROOT/cache, named by a checksum
 * of the emulator's path, which is in the file as well. To probe QEMU costs 0.3 s and more, to read
 * the file 10 ms.
 *
 * The emulator is the launcher (launch.h), whose path is below the root directory.
 */

/* Takes what the root directory @from knows of its emulators over to @to, where they have other
 * paths. As far as possible: libvirt probes what it does not find. */
void capabilities_copy(const char *from, const char *to);

/* The version of @emulator, as VM_QEMU_VERSION has it; 0: there are no notes on it. */
unsigned capabilities_version(const char *root, const char *emulator);

/* Forgets all emulators but @emulator: those of former QEMUs would pile up. */
void capabilities_keep_only(const char *root, const char *emulator);
