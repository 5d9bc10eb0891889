// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/*
 * The root directory: where libvirt's embedded driver and ocivirt keep all they write.
 *
 *     etc/qemu.conf  generated at each start      cache/  QEMU's capabilities: survives
 *     lib/ log/ run/ libvirt's own                disks/  overlays, UEFI's variables: survive
 *     instance.json  who runs here             control.sock  the control API
 *
 * It is mode 0700 and locked (flock on the directory itself) for as long as an ocivirt uses it.
 */

#include "src/host/instance.h"

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

/*
 * Root directories in which a VM runs, or ran and left its traces, as a container's own processes
 * can find them: ROOT_DEFAULT and the private ones that root_choose() makes, where they are this
 * user's. Paths; the caller owns them.
 */
GPtrArray *root_find(void);

/*
 * Creates the directory and what belongs into it, and locks it. ERROR_BUSY: somebody else has it,
 * see root_lock().
 *
 * A VM may still run there whose ocivirt is gone. Who can go on with it passes @survivor: that is
 * what instance.json says of it, to be freed with instance_finish(), and all of it is left in
 * place; @survivor->qemu is 0 if there is none. With NULL such a VM is ERROR_BUSY.
 */
bool root_open(struct root *root, struct instance *survivor, GError **error);

/* Back to what it was when it was opened: a VM that had been begun in it is gone. */
bool root_renew(const struct root *root, GError **error);

/* Writes etc/qemu.conf. @security_model: "selinux", "apparmor", or NULL: no labels for QEMU. */
bool root_write_qemu_conf(const struct root *root, const char *security_model, GError **error);

/* libvirt and QEMU have many words for a full disk, or none: where a failure is ERROR_INTERNAL and
 * the root directory has hardly any room, @error says that. */
void root_explain(const struct root *root, GError **error);

/* Whether there is room for libvirt to write down that it takes a VM over; without it would end the
 * VM. Blocks. */
bool root_has_room_to_take_over(const struct root *root);

/* What libvirt needs in the environment so that it writes nowhere else. Not thread-safe. */
void root_export_environment(const struct root *root);

/* Removes what a VM that is gone has left; cache, disks and logs stay. A temporary root goes whole.
 */
void root_sweep(const struct root *root);

/* The VM may still be there: all stays where it is, so that nobody starts another beside it. */
void root_abandon(struct root *root);

/* Gives the lock back and frees; takes a root that was never opened as well. */
void root_finish(struct root *root);

/* ROOT/NAME. The caller owns it. */
char *root_file(const struct root *root, const char *name);
