// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/* Sets of CPUs or NUMA nodes, as cpuset(7)'s "List format" writes them: "0-3,5". */

#include <glib.h>
#include <stdbool.h>

/* Linux's NR_CPUS is at most 8192; it has fewer nodes. */
#define CPULIST_MAX 8192

struct cpulist {
    guint64 bits[CPULIST_MAX / 64];
};

/* What a file of the kernel can hold: a page. No list that anybody means is longer. */
#define CPULIST_MAX_LENGTH 4096

/* All of @text must be a list that is not empty, nor longer than that. */
bool cpulist_parse(const char *text, struct cpulist *list);
unsigned cpulist_count(const struct cpulist *list);
/* Takes out what is not in @other. */
void cpulist_intersect(struct cpulist *list, const struct cpulist *other);
/* Takes out all but the first. */
void cpulist_keep_first(struct cpulist *list);
void cpulist_add(struct cpulist *list, unsigned number);
/* The same form, the shortest that there is; "" for an empty set. The caller owns it. */
char *cpulist_format(const struct cpulist *list);
