// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/* capabilities(7) that this process has in effect, by their numbers in linux/capability.h. */

#include <glib.h>
#include <stdbool.h>

/* False also where the kernel does not tell. */
bool capability_is_effective(unsigned number);

/* Whether this process has those that libvirt needs for a VM; ERROR_UNAVAILABLE. */
bool capability_check(GError **error);
