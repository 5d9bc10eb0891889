// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/* A VM whose supervisor is gone, and which still runs: the next ocivirt goes on with it. */

#include "src/engine/legacy.h"
#include "src/engine/root.h"

/*
 * Makes the VM @survivor of @root that of @legacy, as if an engine before this one had made it. One
 * whose guest has not run yet is ended instead, and @root is as new. ERROR_BUSY: it is not the VM
 * @id. @ready_pattern: what is waited for on the console; NULL: nothing.
 */
bool adopt(const struct root *root, const struct instance *survivor, const char *id,
           const char *ready_pattern, struct legacy *legacy, GError **error);
