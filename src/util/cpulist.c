// SPDX-License-Identifier: LGPL-2.1-or-later
#include "src/util/cpulist.h"
#include "src/util/quantity.h"

#include <string.h>

void cpulist_add(struct cpulist *list, unsigned number)
{
    list->bits[number / 64] |= (guint64)1 << number % 64;
}

/* The part up to a separator as a number; moves @text behind it. */
static bool parse_number(const char **text, guint64 *number)
{
    gsize digits = strspn(*text, "0123456789");
    g_autofree char *word = g_strndup(*text, digits);
    *text += digits;
    return quantity_parse_count(word, 0, CPULIST_MAX - 1, number);
}

bool cpulist_parse(const char *text, struct cpulist *list)
{
    *list = (struct cpulist){{0}};
    if (strnlen(text, CPULIST_MAX_LENGTH + 1) > CPULIST_MAX_LENGTH) {
        return false;
    }
    for (const char *p = text;; p++) {
        guint64 first, last;
        if (!parse_number(&p, &first)) {
            return false;
        }
        last = first;
        if (*p == '-') {
            p++;
            if (!parse_number(&p, &last) || last < first) {
                return false;
            }
        }
        for (guint64 number = first; number <= last; number++) {
            cpulist_add(list, number);
        }
        if (*p == '\0') {
            return true;
        }
        if (*p != ',') {
            return false;
        }
    }
}

unsigned cpulist_count(const struct cpulist *list)
{
    unsigned count = 0;
    for (gsize i = 0; i < G_N_ELEMENTS(list->bits); i++) {
        count += __builtin_popcountll(list->bits[i]);
    }
    return count;
}

void cpulist_intersect(struct cpulist *list, const struct cpulist *other)
{
    for (gsize i = 0; i < G_N_ELEMENTS(list->bits); i++) {
        list->bits[i] &= other->bits[i];
    }
}

static bool has(const struct cpulist *list, unsigned number)
{
    return number < CPULIST_MAX && (list->bits[number / 64] >> number % 64 & 1) != 0;
}

char *cpulist_format(const struct cpulist *list)
{
    GString *text = g_string_new(NULL);
    for (unsigned first = 0; first < CPULIST_MAX; first++) {
        if (!has(list, first)) {
            continue;
        }
        unsigned last = first;
        while (has(list, last + 1)) {
            last++;
        }
        g_string_append_printf(text, "%s%u", text->len > 0 ? "," : "", first);
        if (last > first) {
            g_string_append_printf(text, "-%u", last);
        }
        first = last;
    }
    return g_string_free(text, FALSE);
}

void cpulist_keep_first(struct cpulist *list)
{
    bool found = false;
    for (gsize i = 0; i < G_N_ELEMENTS(list->bits); i++) {
        guint64 lowest = list->bits[i] & -list->bits[i];
        list->bits[i] = found ? 0 : lowest;
        found |= lowest != 0;
    }
}
