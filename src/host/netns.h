// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/* Network namespaces: what a VM's network devices see of the host. */

#include <glib.h>
#include <stdbool.h>

/*
 * The network namespace that the file @path stands for ("ip netns add" makes such files;
 * /proc/PID/ns/net is one), as a descriptor: that is good for longer than the name. -1 and @error
 * (ERROR_UNAVAILABLE).
 */
int netns_open_file(const char *path, GError **error);
/*
 * Moves the calling thread into it. Threads and processes that it starts later are in there as
 * well, others are not: so before there are any. ERROR_UNAVAILABLE; ERROR_CONFIG when @path, of
 * which @fd is, is something else.
 */
bool netns_join(int fd, const char *path, GError **error);

/* The one that the calling thread is in, as a descriptor; -1 and @error. */
int netns_open(GError **error);
/* Moves the calling thread, and no other, into what netns_open() gave. */
bool netns_enter(int fd, GError **error);
