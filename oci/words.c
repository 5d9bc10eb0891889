// SPDX-License-Identifier: LGPL-2.1-or-later
#include "oci/words.h"

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

const char *oci_words_nearest(const char *const *words, const char *word)
{
    if (strlen(word) > LONGEST_WORD) {
        return NULL;
    }
    const char *best = NULL;
    guint best_distance = G_MAXUINT;
    for (; *words != NULL; words++) {
        guint d = strlen(*words) <= LONGEST_WORD ? distance(word, *words) : G_MAXUINT;
        if (d < best_distance) {
            best_distance = d;
            best = *words;
        }
    }
    return best != NULL && best_distance <= MAX(2, strlen(best) / 3) && best_distance < strlen(best)
               ? best
               : NULL;
}

char *oci_words_hint(const char *const *words, const char *word)
{
    g_autofree char *all = g_strjoinv(", ", (char **)words);
    const char *nearest = oci_words_nearest(words, word);
    return nearest != NULL ? g_strdup_printf("%s (did you mean %s?)", all, nearest)
                           : g_steal_pointer(&all);
}
