// SPDX-License-Identifier: LGPL-2.1-or-later
#include "src/util/ports.h"
#include "src/util/error.h"
#include "src/util/quantity.h"

#include <string.h>

#define LAST_PORT 65535

static bool parse_port(const char *text, guint *port)
{
    guint64 number = 0;
    bool ok = quantity_parse_count(text, 1, LAST_PORT, &number);
    *port = number;
    return ok;
}

/* "80", "80-90" */
static bool parse_range(const char *text, guint *first, guint *last)
{
    g_auto(GStrv) ends = g_strsplit(text, "-", 0);
    guint count = g_strv_length(ends);
    *last = 0;
    if (count < 1 || count > 2 || !parse_port(ends[0], first) ||
        (count == 2 && !parse_port(ends[1], last))) {
        return false;
    }
    *last = count == 2 ? *last : *first;
    return *first <= *last;
}

static bool parse_protocol(char *word, bool *udp)
{
    char *slash = strchr(word, '/');
    *udp = slash != NULL && g_str_equal(slash, "/udp");
    bool ok = slash == NULL || *udp || g_str_equal(slash, "/tcp");
    if (slash != NULL) {
        *slash = '\0';
    }
    return ok;
}

static bool parse_word(const char *word, struct port_range *range)
{
    g_autofree char *ports = g_strdup(word);
    bool ok = parse_protocol(ports, &range->udp);
    char *colon = strchr(ports, ':');
    guint to_last = 0;
    if (colon != NULL) {
        *colon = '\0';
    }
    ok = ok && parse_range(ports, &range->first, &range->last);
    if (!ok || colon == NULL) {
        range->to = range->first;
        return ok;
    }
    return parse_range(colon + 1, &range->to, &to_last) &&
           to_last - range->to == range->last - range->first;
}

static const struct port_range *find_overlap(const GArray *ports, const struct port_range *range)
{
    for (guint i = 0; i < ports->len; i++) {
        const struct port_range *other = &g_array_index(ports, struct port_range, i);
        if (other->udp == range->udp && other->first <= range->last &&
            range->first <= other->last) {
            return other;
        }
    }
    return NULL;
}

static bool add_word(GArray *ports, const char *word, GError **error)
{
    struct port_range range = {0};
    g_autofree char *shown = g_utf8_make_valid(word, -1);
    if (!parse_word(word, &range)) {
        g_set_error(error, ERROR_DOMAIN, ERROR_CONFIG,
                    "\"%.30s\" is no port such as 80, 8080:80/tcp, 53/udp or 9000-9010:100-110, "
                    "each from 1 to %d",
                    shown, LAST_PORT);
        return false;
    }
    if (find_overlap(ports, &range) != NULL) {
        g_set_error(error, ERROR_DOMAIN, ERROR_CONFIG,
                    "\"%.30s\" names a port that is named before", shown);
        return false;
    }
    g_array_append_val(ports, range);
    return true;
}

GArray *ports_parse(const char *text, GError **error)
{
    g_autoptr(GArray) ports = g_array_new(FALSE, FALSE, sizeof(struct port_range));
    g_auto(GStrv) words = g_strsplit_set(text, " ,\t\n", 0);
    for (char **word = words; *word != NULL; word++) {
        if (**word != '\0' && !add_word(ports, *word, error)) {
            return NULL;
        }
    }
    if (ports->len == 0) {
        g_set_error(error, ERROR_DOMAIN, ERROR_CONFIG, "it names no port");
        return NULL;
    }
    return g_steal_pointer(&ports);
}

char *ports_format(const GArray *ports, bool udp)
{
    GString *text = g_string_new(NULL);
    for (guint i = 0; i < ports->len; i++) {
        const struct port_range *range = &g_array_index(ports, struct port_range, i);
        if (range->udp != udp) {
            continue;
        }
        g_string_append_printf(text, "%s%u", text->len > 0 ? "," : "", range->first);
        if (range->last != range->first) {
            g_string_append_printf(text, "-%u", range->last);
        }
        if (range->to != range->first) {
            g_string_append_printf(text, ":%u", range->to);
            if (range->last != range->first) {
                g_string_append_printf(text, "-%u", range->to + range->last - range->first);
            }
        }
    }
    return g_string_free(text, FALSE);
}

guint ports_count(const GArray *ports, bool udp)
{
    guint count = 0;
    for (guint i = 0; i < ports->len; i++) {
        const struct port_range *range = &g_array_index(ports, struct port_range, i);
        count += range->udp == udp ? range->last - range->first + 1 : 0;
    }
    return count;
}

void ports_add(GArray *ports, guint first, guint last, bool udp, const GArray *skip)
{
    while (first <= last) {
        const struct port_range rest = {first, last, first, udp};
        const struct port_range *hole = NULL;
        /* The lowest one there is. */
        for (guint i = 0; skip != NULL && i < skip->len; i++) {
            const struct port_range *other = &g_array_index(skip, struct port_range, i);
            if (other->udp == udp && other->first <= rest.last && rest.first <= other->last &&
                (hole == NULL || other->first < hole->first)) {
                hole = other;
            }
        }
        if (hole == NULL || hole->first > first) {
            struct port_range range = {first, hole == NULL ? last : hole->first - 1, first, udp};
            g_array_append_val(ports, range);
        }
        if (hole == NULL) {
            return;
        }
        first = hole->last + 1;
    }
}

guint ports_find(const GArray *ports, guint guest_port)
{
    for (guint i = 0; ports != NULL && i < ports->len; i++) {
        const struct port_range *range = &g_array_index(ports, struct port_range, i);
        if (!range->udp && guest_port >= range->to &&
            guest_port - range->to <= range->last - range->first) {
            return range->first + (guest_port - range->to);
        }
    }
    return 0;
}
