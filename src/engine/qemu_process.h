// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/*
 * QEMU as a process: signals through a pidfd, so that they reach it or nobody. libvirt's own
 * destroy may poll for 40 s.
 */

#include <glib.h>
#include <stdbool.h>
#include <sys/types.h>

/* A pidfd of @pid, which must be a child of our parent, the supervisor. -1 and @error: it is not.
 */
int qemu_process_open(pid_t pid, GError **error);
void qemu_process_signal(int pidfd, int signal);
