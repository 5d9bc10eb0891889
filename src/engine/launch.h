// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/*
 * The launcher, which libvirt executes in QEMU's place and which then becomes QEMU: src/launch.
 *
 *     ROOT/etc/IDENTITY/qemu-system-ARCH  → ocivirt-launch: the emulator, as libvirt knows it
 *     ROOT/etc/IDENTITY/plan              what to do to the process (src/launch/plan.h)
 *     ROOT/etc/IDENTITY/notes             what the launcher has to say
 *
 * libvirt remembers what an emulator can by its path, and asks it anew when its inode has changed:
 * that is the launcher's. What QEMU itself is like is therefore part of the path: IDENTITY is of
 * this QEMU, and one that was upgraded has another.
 */

#include "src/engine/root.h"
#include "src/vm/vm_spec.h"

/* For spec->launcher: where the launcher will stand for @qemu below the root directory @root. Looks
 * at @qemu alone. ERROR_UNAVAILABLE. The caller owns it. */
char *launch_emulator_path(const char *root, const char *qemu, GError **error);

/* Makes what is described above, for @spec->launcher; nothing without one. @root is open, and
 * libvirt not yet. ERROR_UNAVAILABLE. */
bool launch_prepare(const struct root *root, const struct vm_spec *spec, GError **error);

/* Fills in the version of @spec's emulator, if libvirt has notes on it by now. */
void launch_note_version(const struct root *root, struct vm_spec *spec);

/* Logs what the launcher could not do. */
void launch_log_warnings(const struct vm_spec *spec);

/* @error, from libvirt: told in the launcher's words where it was the launcher that failed
 * (ERROR_UNAVAILABLE), and in any case by QEMU's name. */
void launch_explain(const struct vm_spec *spec, GError **error);
