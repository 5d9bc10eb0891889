// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/* Sizes and durations as people write them, and written back as they read them. */

#include <glib.h>
#include <stdbool.h>

/*
 * Bytes, or a number with K, M, G, T (optionally followed by "iB" or "B"; always powers of 1024):
 * "536870912", "512M", "1GiB". Any other text, and a value past 64 bits, is refused.
 */
bool quantity_parse_size(const char *text, guint64 *bytes);

/* A number with ms, s, m or h; a bare number is seconds: "500ms", "8s", "2m", "8". */
bool quantity_parse_duration(const char *text, guint64 *milliseconds);

/* A decimal number without sign, all of @text, within @min and @max. */
bool quantity_parse_count(const char *text, guint64 min, guint64 max, guint64 *count);

/* "512 MiB", "1.5 GiB", "1000001 bytes": for messages, and never rounded. */
char *quantity_format_size(guint64 bytes);
