// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/*
 * A regular expression (PCRE2's, by GRegex) that is matched against what a stranger writes. It sees
 * bytes, whatever they are in UTF-8, and gives up on a line that takes too many steps.
 */

#include <glib.h>
#include <stdbool.h>

#define PATTERN_MAX 512 /* bytes of its text */

/* ERROR_CONFIG: it is too long, is none, or matches everything. */
GRegex *pattern_compile(const char *text, GError **error);

/* Whether @line has it; also false where that takes too many steps to find out. */
bool pattern_matches(const GRegex *pattern, const char *line, gsize length);
