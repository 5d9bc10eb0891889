// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/* The state of a container (runtime-spec, runtime.md, "State") as JSON. Pure. */

#include <sys/types.h>

struct oci_state {
    const char *id;
    const char *status; /* "creating", "created", "running", "stopped" */
    pid_t pid;          /* 0: none */
    const char *bundle;
    const char *const *annotations; /* key, value, …, NULL; NULL: none */
};

/* On one line, for hooks; the caller owns it. */
char *oci_state_format(const struct oci_state *state);
/* The same for people. */
char *oci_state_format_indented(const struct oci_state *state);
