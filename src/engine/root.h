// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/*
 * The root directory: where libvirt's embedded driver and ocivirt keep all they write.
 *
 *     etc/qemu.conf  generated at each start      cache/  QEMU's capabilities: survives
 *     lib/ log/ run/ libvirt's own                disks/  overlays: survive
 *     instance.json  who runs here
 *
 * It is mode 0700 and locked (flock on the directory itself) for as long as an ocivirt uses it.
 */

#include <glib.h>
#include <stdbool.h>

#define ROOT_DEFAULT "/var/lib/ocivirt"

struct root {
    char *path;     /* absolute */
    bool temporary; /* removed at the end */
    int lock;       /* file descriptor; -1: not open */
};

/*
 * Decides for a path and touches nothing: @wanted, or ROOT_DEFAULT where that can be written, or a
 * new private directory on a tmpfs. ERROR_USAGE when @wanted is too long for UNIX sockets below it.
 */
bool root_choose(struct root *root, const char *wanted, GError **error);

/* Creates the directory and what belongs into it, and locks it. ERROR_BUSY: somebody else has it.
 */
bool root_open(struct root *root, GError **error);

/* Writes etc/qemu.conf. */
bool root_write_qemu_conf(const struct root *root, GError **error);

/* What libvirt needs in the environment so that it writes nowhere else. Not thread-safe. */
void root_export_environment(const struct root *root);

/* Removes what a VM that is gone has left; cache, disks and logs stay. A temporary root goes whole.
 */
void root_sweep(const struct root *root);

/* Gives the lock back and frees; takes a root that was never opened as well. */
void root_finish(struct root *root);

/* ROOT/NAME. The caller owns it. */
char *root_file(const struct root *root, const char *name);
