// SPDX-License-Identifier: LGPL-2.1-or-later
#include "src/util/pattern.h"
#include "src/util/error.h"

#include <string.h>

/* GRegex has no word for a limit, and PCRE2 reads one at the start of a pattern: steps from each
 * place of the line where a match may begin. */
#define LIMITS "(*LIMIT_MATCH=10000)"

static bool refuse(GError **error, const char *message)
{
    g_set_error(error, ERROR_DOMAIN, ERROR_CONFIG, "%s", message);
    return false;
}

static bool check(const char *text, GError **error)
{
    g_autoptr(GError) local = NULL;
    if (strlen(text) > PATTERN_MAX) {
        g_set_error(error, ERROR_DOMAIN, ERROR_CONFIG,
                    "a pattern can have %d bytes, and this one has %zu", PATTERN_MAX, strlen(text));
        return false;
    }
    /* Alone, so that the message counts right. */
    g_autoptr(GRegex) regex = g_regex_new(text, G_REGEX_RAW, 0, &local);
    if (regex == NULL) {
        /* "Error while compiling regular expression ‘…’ at char 4: …": without the pattern again.
         */
        const char *reason = g_strrstr(local->message, "at char ");
        return refuse(error, reason != NULL ? reason : local->message);
    }
    if (pattern_matches(regex, "", 0)) {
        return refuse(error, "a pattern that matches an empty line matches everything");
    }
    return true;
}

GRegex *pattern_compile(const char *text, GError **error)
{
    if (!check(text, error)) {
        return NULL;
    }
    g_autofree char *limited = g_strconcat(LIMITS, text, NULL);
    g_autoptr(GError) local = NULL;
    GRegex *regex = g_regex_new(limited, G_REGEX_RAW, 0, &local);
    if (regex == NULL) {
        refuse(error, local->message);
    }
    return regex;
}

bool pattern_matches(const GRegex *pattern, const char *line, gsize length)
{
    return g_regex_match_full(pattern, line, (gssize)length, 0, 0, NULL, NULL);
}
