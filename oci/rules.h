// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/*
 * What the runtime-spec, or reason, demands of a config beyond the type of each property.
 */

#include "oci/config.h"
#include "oci/problems.h"

/* No system calls. */
void oci_rules_check(const struct oci_config *config, struct oci_problems *problems);

/* That the files which the config names are there and can be read. Looks at the file system. */
void oci_rules_check_files(const struct oci_config *config, struct oci_problems *problems);

/* Parses "0-3,5" (cpuset(7), "List format"); @count is the number of CPUs. False if it is none. */
bool oci_rules_parse_cpus(const char *cpus, unsigned *count);
