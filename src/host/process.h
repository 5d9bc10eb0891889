// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/*
 * A process beside this one, QEMU or a helper: signals through a pidfd, so that they reach it or
 * nobody (libvirt's own destroy may poll for 40 s), and what proc(5) knows of it.
 */

#include <glib.h>
#include <stdbool.h>
#include <sys/types.h>

/* When process @pid started, in clock ticks after boot; 0 if there is none. */
guint64 process_start_time(pid_t pid);
/* The processor time that all threads of @pid have had, in ns. False: there is no such process. */
bool process_times(pid_t pid, guint64 *user, guint64 *system);

/* A pidfd of @pid, which must be a child of our parent, the supervisor, and through which signals
 * can be sent. -1 and @error: it is not, or they cannot (ERROR_UNAVAILABLE: a seccomp profile). */
int process_open_sibling(pid_t pid, GError **error);
/* The same of the process that started at @started. -1: it is gone. */
int process_reopen(pid_t pid, guint64 started);
void process_signal(int pidfd, int signal);
/* SIGTERM, on which QEMU flushes its disks, and SIGKILL if that does not help. Whether it, as
 * above, is gone. Blocks, seconds if need be. */
bool process_end(pid_t pid, guint64 started);
