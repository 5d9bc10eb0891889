// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/* Sets of words, and what a misspelt one was probably meant to be. */

#include <glib.h>

/* The word of @words (NULL-terminated) nearest to @word, or NULL if none is near enough for a
 * typing mistake. */
const char *oci_words_nearest(const char *const *words, const char *word);

/* "raw, qcow2, vhd (did you mean qcow2?)". The caller owns it. */
char *oci_words_hint(const char *const *words, const char *word);
