// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/* Who has a root directory: an ocivirt locks it, and who comes later waits for one that ends. */

#include "src/engine/root.h"

/* Whether somebody has opened the root directory @path. Not to be asked without need: an ocivirt
 * that starts at the same moment waits for us. */
bool root_is_locked(const char *path);

/*
 * Opens the directory and locks it. ERROR_BUSY: somebody else has it; of one whose ocivirt does not
 * live any more that is said after a second, in which it may end, and where a VM has ended and its
 * ocivirt has not, after a minute.
 */
bool root_lock(struct root *root, GError **error);
