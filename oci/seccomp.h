// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/*
 * From a seccomp profile (linux.seccomp of the runtime-spec) to the filter that the kernel takes,
 * with the meaning that container engines and their runtimes give to it.
 */

#include "oci/config.h"
#include "oci/problems.h"

#include <glib.h>
#include <jansson.h>

/* What is wrong with the action SCMP_ACT_NOTIFY. */
#define OCI_SECCOMP_NO_AGENT                                                                       \
    "SCMP_ACT_NOTIFY is not possible: ocivirt has no agent that answers for QEMU, which would "    \
    "wait for ever; use SCMP_ACT_ERRNO or SCMP_ACT_LOG"

/*
 * The filter: an array of struct sock_filter, at most BPF_MAXINSNS of them. NULL: there is
 * something new in @problems. The caller owns it.
 *
 * @seccomp has been decoded without a problem; it stands at @path ("" for a file of its own).
 * @warnings gets lines (char *) on what was left out; NULL: nobody wants them. @flags becomes the
 * SECCOMP_FILTER_FLAG_… for seccomp(2): never one that asks for a listener.
 *
 * Reads no file; libseccomp asks the kernel what it can do.
 */
GBytes *oci_seccomp_compile(const struct oci_seccomp *seccomp, const char *path,
                            struct oci_problems *problems, GPtrArray *warnings, unsigned *flags);

/*
 * A problem, if the JSON object @profile is not a profile but what an engine makes profiles of:
 * its rules hold only under conditions, which are no part of the runtime-spec. Taken for a
 * profile, it would allow all that any container may be allowed. @profile may be anything, or NULL.
 */
void oci_seccomp_check_template(const json_t *profile, const char *path,
                                struct oci_problems *problems);
