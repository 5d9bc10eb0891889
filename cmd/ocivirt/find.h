// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/* Which VM a subcommand means, and what its instance.json says. */

#include "cmd/ocivirt/commands.h"
#include "src/host/instance.h"

/* What an instance.json says, and what has become of it since. */
struct found {
    struct instance instance;
    enum instance_status status;
};

/* ERROR_UNAVAILABLE: there is none. In any case @found is to be finished with instance_finish(). */
bool find_read(const char *root, struct found *found, GError **error);

/* The root directory that is named, or the one in which a VM lives; the caller owns it.
 * ERROR_UNAVAILABLE: there is none, or several. */
char *find_root(const struct options *options, GError **error);
