// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/* Who has a root directory: an ocivirt locks it, and who comes later waits for one that ends. */

#include "src/engine/root.h"

/* Whether somebody has opened the root directory @path. Not to be asked without need: an ocivirt
 * that starts at the same moment waits for us. */
bool root_is_locked(const char *path);

/*
 * Waits while an ocivirt whose VM has ended still has the root directory @root, for its hooks
 * perhaps; for a minute at most. Who was told of that end may begin the next VM. False: @is_to_stop
 * has said so.
 */
bool root_await_end(const char *root, bool (*is_to_stop)(void));

/* Opens the directory and locks it. ERROR_BUSY: somebody else has it; of one whose ocivirt does not
 * live any more that is said after a second, in which it may end. */
bool root_lock(struct root *root, GError **error);
