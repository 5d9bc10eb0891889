// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/* What the files of the translation share; for them alone. */

#include "oci/translate.h"

struct translation {
    const struct oci_config *config;
    const struct oci_settings *settings;
    const struct oci_host *host;
    struct oci_problems *problems;
    struct vm_spec *spec;
    gsize vfio_groups; /* so far */
};

/* QEMU: the config's own, or the system's; NULL: there is none. */
const char *translate_emulator(const struct oci_config *config, const struct oci_host *host);
/* The QEMU process: limits, priorities, label, network namespace. */
void translate_process(struct translation *t);
/* Network devices and published ports. */
void translate_network(struct translation *t);
/* That the guest can change nothing, by what it shares, that ocivirt uses at the next start. After
 * all else. */
void translate_check_writable_folders(struct translation *t);
/* Folders and files that mounts share with the guest; on its kernel's command line, too. */
void translate_folders(struct translation *t);
/* UEFI, or the architecture's other firmware. */
void translate_firmware(struct translation *t);
/* What the guest is told of itself: cloud-init, Ignition, system credentials. After the disks, the
 * folders and the firmware. */
void translate_first_boot(struct translation *t);
/* CPUs and memory. After all that needs memory beside the guest's: network devices, folders. */
void translate_size(struct translation *t);
/* vm.image, mounts and linux.devices, as far as they are disks. */
void translate_disks(struct translation *t);
/* What else is in linux.devices, and the limits of blockIO on the disks that are there by then. */
void translate_devices(struct translation *t);
/* A problem with the path of device @index. */
void translate_device_problem(struct translation *t, gsize index, const char *format, ...)
    G_GNUC_PRINTF(3, 4);
