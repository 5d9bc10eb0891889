// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/*
 * What the guest says its exit status is: decimal numbers, one a line, that it writes to the
 * virtio-serial port "org.ocivirt.exit". The last one counts.
 *
 * QEMU's end of the port is a pair of FIFOs, of which we hold the one that it writes to. So what
 * the guest has written is in the kernel until it is read: it outlives QEMU and the engine, and it
 * is never more than a pipe holds, 64 KiB. Past that the port takes nothing more: who writes to it
 * in the guest waits, and nobody else does.
 */

#include <glib.h>
#include <stdbool.h>

/*
 * Makes the FIFOs @path.in and @path.out, or takes those that are there, and opens what QEMU
 * writes. The descriptor is non-blocking and closed on exec. -1 and @error (ERROR_UNAVAILABLE) on
 * failure.
 */
int exit_port_open(const char *path, GError **error);

/*
 * What @text says, of which @cut_off tells that it is not all. False: no status. @rejected becomes
 * the last line that is none, fit to be shown, or NULL; the caller owns it.
 */
bool exit_port_parse(const char *text, gsize length, bool cut_off, int *status, char **rejected);

/* Takes what the guest has written out of @fd, once QEMU is gone. False: it has reported no status.
 * What is no status is a warning in the log. */
bool exit_port_read(int fd, int *status);
