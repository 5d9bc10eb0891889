// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/* What texts in a config.json mean: for the rows that check them, and for those who use them. */

#include <glib.h>
#include <stdbool.h>

bool oci_value_is_cpu_list(const char *text); /* "0-3,5" */
/* The same with the spaces that the schema of execCPUAffinity allows. */
bool oci_value_is_loose_cpu_list(const char *text);

/* Letters, digits, '-' and '.' (hostname(7)), and '_', which engines take; at most 64 of them. */
bool oci_value_is_host_name(const char *text);
/* Linux's dev_valid_name(): 1 to 15 characters, no '/', ':' or space, not "." or "..". */
bool oci_value_is_interface(const char *text);
/* The same, or with one "%d" for a number that the kernel finds. */
bool oci_value_is_interface_template(const char *text);
bool oci_value_is_semver(const char *text);
bool oci_value_is_line(const char *text);          /* without a newline */
bool oci_value_is_mem_bw_schema(const char *text); /* "MB:…", one line */
bool oci_value_is_device_access(const char *text); /* of r, w, m */

/* "RLIMIT_NOFILE" → RLIMIT_NOFILE of getrlimit(2); -1: Linux has no such. */
int oci_value_rlimit(const char *text);
extern const char *const oci_value_rlimits[];

/* "SCHED_BATCH" → SCHED_BATCH of sched(7); -1: QEMU cannot have it. */
int oci_value_policy(const char *text);
extern const char *const oci_value_policies[];

/* "IOPRIO_CLASS_BE" → IOPRIO_CLASS_BE of ioprio_set(2); -1: Linux has no such. */
int oci_value_io_class(const char *text);
extern const char *const oci_value_io_classes[];

/* "MPOL_BIND" → VM_NUMA_STRICT (enum vm_numa_mode); -1: libvirt has no such, or it names no nodes.
 * NULL is none. */
int oci_value_memory_policy(const char *text);

/* "2MB" → 2 MiB; 0: that is none. */
guint64 oci_value_page_size(const char *text);
bool oci_value_is_page_size(const char *text);
