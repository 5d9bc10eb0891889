// SPDX-License-Identifier: LGPL-2.1-or-later
#include "oci/words.h"

#include <stdbool.h>
#include <string.h>

/* Longer input is no typing mistake of ours, and costs time. */
#define LONGEST_WORD 64

/* Levenshtein's distance, without regard to case. */
static guint distance(const char *a, const char *b)
{
    gsize n = strlen(b);
    guint row[LONGEST_WORD + 1];
    for (gsize j = 0; j <= n; j++) {
        row[j] = j;
    }
    for (gsize i = 1; a[i - 1] != '\0'; i++) {
        guint diagonal = row[0];
        row[0] = i;
        for (gsize j = 1; j <= n; j++) {
            guint replaced = diagonal + (g_ascii_tolower(a[i - 1]) != g_ascii_tolower(b[j - 1]));
            diagonal = row[j];
            row[j] = MIN(replaced, MIN(row[j - 1], row[j]) + 1);
        }
    }
    return row[n];
}

/* How many characters all of @words begin with, up to a '_' or '-': "SCMP_ACT_". */
static gsize common_prefix(const char *const *words)
{
    const char *first = words[0];
    gsize length = first != NULL ? strlen(first) : 0;
    for (gsize i = 0; words[i] != NULL; i++) {
        gsize same = 0;
        while (same < length && first[same] == words[i][same]) {
            same++;
        }
        length = same;
    }
    while (length > 0 && g_ascii_isalnum(first[length - 1])) {
        length--;
    }
    return length;
}

/* Whether @part is a piece of @word, from a '_' or '-' on: "nofile" of "RLIMIT_NOFILE". */
static bool is_piece(const char *word, const char *part)
{
    gsize length = strlen(part);
    for (const char *at = word; *at != '\0'; at++) {
        bool start = at == word || !g_ascii_isalnum(at[-1]);
        if (start && g_ascii_strncasecmp(at, part, length) == 0 &&
            (length >= 3 || at[length] == '\0')) {
            return true;
        }
    }
    return false;
}

static const char *shortest_with(const char *const *words, const char *part)
{
    const char *best = NULL;
    for (; strlen(part) >= 2 && *words != NULL; words++) {
        if (is_piece(*words, part) && (best == NULL || strlen(*words) < strlen(best))) {
            best = *words;
        }
    }
    return best;
}

const char *oci_words_nearest(const char *const *words, const char *word)
{
    if (strlen(word) > LONGEST_WORD) {
        return NULL;
    }
    const char *best = NULL;
    guint best_distance = G_MAXUINT;
    /* What all begin with would make any two of them look near. */
    gsize prefix = common_prefix(words);
    prefix = prefix > 0 && g_ascii_strncasecmp(word, words[0], prefix) == 0 ? prefix : 0;
    for (gsize i = 0; words[i] != NULL; i++) {
        guint d = strlen(words[i]) <= LONGEST_WORD ? distance(word + prefix, words[i] + prefix)
                                                   : G_MAXUINT;
        if (d < best_distance) {
            best_distance = d;
            best = words[i] + prefix;
        }
    }
    bool near =
        best != NULL && best_distance <= MAX(2, strlen(best) / 3) && best_distance < strlen(best);
    return near ? best - prefix : shortest_with(words, word + prefix);
}

char *oci_words_hint(const char *const *words, const char *word)
{
    g_autofree char *all = g_strjoinv(", ", (char **)words);
    const char *nearest = oci_words_nearest(words, word);
    return nearest != NULL ? g_strdup_printf("%s (did you mean %s?)", all, nearest)
                           : g_steal_pointer(&all);
}
