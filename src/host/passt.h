// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/* passt: the network of the container for a guest, by sockets alone. */

#include "src/vm/vm_spec.h"

/* What to execute for @nic, for helper_start(); the descriptor is connected to QEMU's socket.
 * ERROR_UNAVAILABLE: passt is not installed. The caller owns it. */
char **passt_command(const struct vm_nic *nic, GError **error);
