// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/*
 * What the runtime-spec, or reason, demands of a config beyond what a row of fields.h can say of
 * one property.
 */

#include "oci/config.h"
#include "oci/problems.h"

/* No system calls. */
void oci_rules_check(const struct oci_config *config, struct oci_problems *problems);

/* Those for a seccomp profile; @path is its place in the document: "linux.seccomp", or "". */
void oci_rules_check_seccomp(const struct oci_seccomp *seccomp, const char *path,
                             struct oci_problems *problems);

/*
 * What becomes a word of the domain, such as a file's name if @is_file: a character that XML cannot
 * write would silently be another one there. Nor does libvirt's schema know paths with a line
 * break. @where is its place in the document. False: there is a problem.
 */
bool oci_rules_check_text(const char *text, bool is_file, const char *where,
                          struct oci_problems *problems);

/* That the files which the config names are there and can be read. Looks at the file system. */
void oci_rules_check_files(const struct oci_config *config, struct oci_problems *problems);
