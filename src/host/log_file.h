// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/*
 * Files that other programs log to for as long as a VM lives: QEMU, its helpers, libvirt. A guest
 * can have some of them say much, and what they are on may be a tmpfs, so memory.
 */

#include <glib.h>
#include <stdbool.h>

#define LOG_FILE_MAX ((gsize)1 << 20)   /* bytes */
#define LOG_FILE_KEPT ((gsize)64 << 10) /* of those, the last */

/* Leaves at most the last LOG_FILE_KEPT bytes, in whole lines, of a log that has more than
 * LOG_FILE_MAX. It must be open for appending wherever it is written; what is written at that very
 * moment may be lost. False and errno: it cannot be. */
bool log_file_bound(const char *path);

/* The same with all NAME.log in @folder. */
void log_file_bound_all(const char *folder);
