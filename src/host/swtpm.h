// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/* swtpm: a TPM 2.0 for a guest. */

#include <glib.h>

/* What to execute for one that keeps what it knows in the folder @state, which is made; for
 * helper_start(): the descriptor is a socket that listens. ERROR_UNAVAILABLE. The caller owns it.
 */
char **swtpm_command(const char *state, GError **error);
