// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include "cmd/ocivirt/client.h"

/*
 * After a connection to a VM's ocivirt that was lost: another one. Whoever serves may die and be
 * followed by somebody else, and the VM lives on. Blocks, for seconds where nobody answers. NULL:
 * the VM has ended; or, with @error (ERROR_UNAVAILABLE), it is not known to have, and nobody is
 * there.
 */
struct client *reconnect(const char *root, GError **error);
