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
/* The same of the process that started at @started, as instance_start_time() has it. -1: it is
 * gone.
 */
int qemu_process_reopen(pid_t pid, guint64 started);
void qemu_process_signal(int pidfd, int signal);
/* SIGTERM, on which QEMU flushes its disks, and SIGKILL if that does not help. Whether it, as
 * above, is gone. Blocks, seconds if need be. */
bool qemu_process_end(pid_t pid, guint64 started);
