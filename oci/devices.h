// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/* What a device of linux.devices is to a VM. */

#include "oci/config.h"

enum oci_device_role {
    OCI_DEVICE_DISK,
    OCI_DEVICE_VFIO,     /* a group, /dev/vfio/N: its devices are passed through */
    OCI_DEVICE_STANDARD, /* the guest's kernel makes its own: /dev/null and the like */
    OCI_DEVICE_OURS,     /* QEMU uses it: /dev/kvm and the like */
    OCI_DEVICE_LISTED,   /* one of all that the host has, which nobody has asked for by name */
    OCI_DEVICE_OTHER,    /* a guest cannot have it */
};

/*
 * The role of @device. A container that may open every device (podman --privileged) has every
 * device of the host in its list, which is no wish to give the host's disks to a guest.
 */
enum oci_device_role oci_device_role(const struct oci_config *config,
                                     const struct oci_device *device);

/* A device that every Linux has, or that QEMU uses: the guest has its own, or none. */
bool oci_device_is_usual(const char *path);

/* Whether the rules of linux.resources.devices, in their order, end up allowing to read and write
 * every device. */
bool oci_device_rules_allow_all(const struct oci_config *config);

/* How many groups a VM can have: what a bus takes, less what else is there. */
#define OCI_VFIO_GROUPS_MAX 64

/* The group of a device of role OCI_DEVICE_VFIO. */
guint64 oci_device_vfio_group(const struct oci_device *device);

/* Whether the rules of linux.resources.devices, and its mode, let a disk be written. */
bool oci_device_is_writable(const struct oci_config *config, const struct oci_device *device);
