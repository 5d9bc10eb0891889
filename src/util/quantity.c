// SPDX-License-Identifier: LGPL-2.1-or-later
#include "src/util/quantity.h"

#include <string.h>

struct unit {
    const char *name;
    guint64 factor;
};

static const struct unit size_units[] = {
    {"", 1},
    {"B", 1},
    {"K", 1ULL << 10},
    {"KB", 1ULL << 10},
    {"KiB", 1ULL << 10},
    {"M", 1ULL << 20},
    {"MB", 1ULL << 20},
    {"MiB", 1ULL << 20},
    {"G", 1ULL << 30},
    {"GB", 1ULL << 30},
    {"GiB", 1ULL << 30},
    {"T", 1ULL << 40},
    {"TB", 1ULL << 40},
    {"TiB", 1ULL << 40},
};

static const struct unit duration_units[] = {
    {"", 1000}, {"ms", 1}, {"s", 1000}, {"m", 60 * 1000}, {"min", 60 * 1000}, {"h", 3600 * 1000},
};

static bool parse_scaled(const char *text, const struct unit *units, gsize n_units, guint64 *value)
{
    gsize digits = strspn(text, "0123456789");
    guint64 number;
    g_autofree char *head = g_strndup(text, digits);
    if (!quantity_parse_count(head, 0, G_MAXUINT64, &number)) {
        return false;
    }
    for (gsize i = 0; i < n_units; i++) {
        if (g_ascii_strcasecmp(text + digits, units[i].name) == 0) {
            return g_uint64_checked_mul(value, number, units[i].factor);
        }
    }
    return false;
}

bool quantity_parse_size(const char *text, guint64 *bytes)
{
    return parse_scaled(text, size_units, G_N_ELEMENTS(size_units), bytes);
}

bool quantity_parse_duration(const char *text, guint64 *milliseconds)
{
    return parse_scaled(text, duration_units, G_N_ELEMENTS(duration_units), milliseconds);
}

bool quantity_parse_count(const char *text, guint64 min, guint64 max, guint64 *count)
{
    return g_ascii_string_to_unsigned(text, 10, min, max, count, NULL);
}

char *quantity_format_size(guint64 bytes)
{
    static const char *const units[] = {"KiB", "MiB", "GiB", "TiB"};
    for (int i = G_N_ELEMENTS(units) - 1; i >= 0; i--) {
        guint64 unit = (guint64)1 << (10 * (i + 1));
        guint64 tenths = bytes % unit * 10 / unit;
        if (bytes >= unit && bytes % unit * 10 % unit == 0) {
            return tenths > 0 ? g_strdup_printf("%" G_GUINT64_FORMAT ".%" G_GUINT64_FORMAT " %s",
                                                bytes / unit, tenths, units[i])
                              : g_strdup_printf("%" G_GUINT64_FORMAT " %s", bytes / unit, units[i]);
        }
    }
    return g_strdup_printf("%" G_GUINT64_FORMAT " byte%s", bytes, bytes == 1 ? "" : "s");
}
