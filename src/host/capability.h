// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/* capabilities(7) that this process has in effect, by their numbers in linux/capability.h. */

#include <stdbool.h>

/* False also where the kernel does not tell. */
bool capability_is_effective(unsigned number);
