// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/* What a mount of the config is to a VM. */

#include "oci/config.h"

/* What the source of a mount is, as somebody has seen it who may look at files. */
enum oci_source_kind {
    OCI_SOURCE_UNSEEN, /* nobody has looked */
    OCI_SOURCE_MISSING,
    OCI_SOURCE_FILE,
    OCI_SOURCE_FOLDER,
    OCI_SOURCE_BLOCK, /* a block device */
    OCI_SOURCE_OTHER, /* a character device, a socket, a FIFO */
};

enum oci_mount_role {
    OCI_MOUNT_GUESTS,  /* the guest's kernel has its own: /proc, a tmpfs */
    OCI_MOUNT_ENGINES, /* an engine gives it to each container: /etc/hosts */
    OCI_MOUNT_DISK,    /* the destination is below /dev/, or the source is a block device */
    OCI_MOUNT_FOLDER,  /* shared with the guest, */
    OCI_MOUNT_FILE,    /* as this is */
    OCI_MOUNT_NOTHING, /* its source is not there, or is nothing that a guest can have */
};

/* A source that is unseen is taken for what it most likely is. */
enum oci_mount_role oci_mount_role(const struct oci_config *config, const struct oci_mount *mount,
                                   enum oci_source_kind source);

/* Whether an engine that may not make device nodes has bound all of the host's instead, one by one
 * (podman --privileged without root): that is no wish to give the host's disks to a guest. */
bool oci_mounts_bind_all_devices(const struct oci_config *config);

/* Of canonical paths. */
bool oci_mount_is_at_or_below(const char *path, const char *place);

/* Whether it is of a file system that holds nothing but what a kernel makes up: "proc", "tmpfs". */
bool oci_mount_is_of_kernel(const struct oci_mount *mount);

/* Whether a file or folder is to be there once more: its type says so, or an option, or there is no
 * type. Else a file system is to be made of its source. */
bool oci_mount_is_bind(const struct oci_mount *mount);

/* config.md: of a bind mount, a relative source is relative to the bundle; a relative destination
 * is relative to "/". */
void oci_mounts_resolve(struct oci_config *config, const char *bundle);

/* Whether its options say so; the last of "ro" and "rw" counts. */
bool oci_mount_is_readonly(const struct oci_mount *mount);

/* Of a disk: the word in its option "format=WORD", right or wrong; NULL: there is none. */
const char *oci_mount_format(const struct oci_mount *mount);
