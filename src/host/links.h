// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/* Where a path leads. */

#include <glib.h>

/*
 * The symbolic links on the way to @path, the folders that it leaves by "..", and last what it
 * leads to; all without a link or ".." in them. What is not there, or cannot be looked at, is taken
 * for no link. NULL-terminated; the caller owns it.
 */
char **links_follow(const char *path);
