// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/*
 * oci_config and settings → vm_spec. Pure: what the machine is like comes in as struct oci_host.
 */

#include "oci/config.h"
#include "oci/problems.h"
#include "oci/settings.h"
#include "src/vm/vm_spec.h"

/* What the translation must know of its surroundings. Owns nothing. */
struct oci_host {
    enum vm_arch arch;
    enum vm_accel accel;  /* already chosen: src/host/accel */
    unsigned cpus;        /* that the container may use, at least 1 */
    guint64 memory_limit; /* of the container, bytes; 0: none */
    const char *emulator; /* QEMU, where the config names none */
    const char *id;       /* of the instance; becomes the domain's name */
    const char *root;     /* the root directory, absolute */
};

/* Returns NULL, with at least one problem, when the VM cannot be made. The caller owns the spec. */
struct vm_spec *oci_translate(const struct oci_config *config, const struct oci_settings *settings,
                              const struct oci_host *host, struct oci_problems *problems);

/* Bytes that QEMU and ocivirt need beside @memory bytes for the guest. */
guint64 oci_translate_overhead(guint64 memory, enum vm_accel accel);
