// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/*
 * What becomes of the properties whose fate depends on more than their row in fields*.c: the
 * setting that wins, the boot method, what this machine lets us do. Pure.
 */

#include "oci/config.h"
#include "oci/fields.h"
#include "oci/settings.h"
#include "oci/translate.h"
#include "src/vm/vm_spec.h"

struct oci_situation {
    const struct oci_config *config;
    const struct oci_settings *settings;
    const struct oci_host *host;
    const struct vm_spec *spec; /* NULL: the config has problems, and became no VM */
};

struct oci_verdict {
    enum oci_fate fate;
    char *text; /* as what, or why not. Owned by whoever asked. */
};

typedef void oci_judge(const struct oci_situation *situation, gsize index,
                       struct oci_verdict *verdict);

oci_judge oci_judge_annotation, oci_judge_apparmor, oci_judge_device, oci_judge_device_tree,
    oci_judge_hostname, oci_judge_hugepage_limits, oci_judge_memory, oci_judge_memory_limit,
    oci_judge_memory_policy, oci_judge_mems, oci_judge_mount, oci_judge_namespace, oci_judge_quota,
    oci_judge_read_bps, oci_judge_read_iops, oci_judge_rlimit, oci_judge_scheduler,
    oci_judge_seccomp, oci_judge_selinux, oci_judge_terminal, oci_judge_vcpus, oci_judge_write_bps,
    oci_judge_write_iops;
