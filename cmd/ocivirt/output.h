// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/* What commands print: whoever asks for something is told if it cannot be written. */

#include <glib.h>
#include <stdbool.h>

/* Writes all, and waits for room where the descriptor does not block. False: errno. */
bool output_write(int fd, const void *bytes, gsize length);

/* The same with ERROR_UNAVAILABLE, to standard output. */
bool output_print(const char *text, GError **error);

/* At the end of a command that prints by stdio: its exit status, which is @status unless that is 0
 * and not all has been written. */
int output_finish(int status);
