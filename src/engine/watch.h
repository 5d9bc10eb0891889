// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/*
 * Looks for a line on the console. Lines end with LF or CR and have no end of their own in what is
 * matched; empty ones are passed over, and of a long one the first WATCH_LINE_MAX bytes count. What
 * the guest writes is hostile: when matching has taken WATCH_SHARE of the time, lines are passed
 * over for as long as it takes to make up for that.
 */

#include <glib.h>
#include <stdbool.h>

#define WATCH_LINE_MAX 512
#define WATCH_SHARE 0.2

/* What is to survive the process that watches. All zero is the beginning. */
struct watch_memory {
    bool seen;
    guint length; /* of the line that has not ended yet */
    char line[WATCH_LINE_MAX];
};

struct watch;

/* @pattern is of pattern_compile(), and right; @memory stays the caller's. */
struct watch *watch_create(const char *pattern, struct watch_memory *memory);
void watch_destroy(struct watch *watch); /* takes NULL */

/* The next bytes. True: there it is, for the first time. */
bool watch_feed(struct watch *watch, const char *bytes, gsize length);

/* No more bytes have come for a while: a line that has not ended, such as a prompt, counts too. */
bool watch_look_at_rest(struct watch *watch);

/* It is looked for anew. */
void watch_forget(struct watch *watch);
