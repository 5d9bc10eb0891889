// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/* virtiofsd: a folder of the container for a guest. */

#include "src/vm/vm_spec.h"

/* What to execute for @folder, for helper_start(); the descriptor is a socket that listens.
 * *@filter is what it needs, or NULL. ERROR_UNAVAILABLE: there is none that can work here. The
 * caller owns both. */
char **virtiofsd_command(const struct vm_folder *folder, GBytes **filter, GError **error);
