// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/*
 * Programs that stand beside QEMU and serve one of its devices: passt, virtiofsd, swtpm. Each is an
 * orphan from its first moment, so that the supervisor reaps it, whichever engine lives by then,
 * and ends by itself when QEMU does.
 */

#include <glib.h>
#include <stdbool.h>
#include <sys/types.h>

/* The number that the descriptor @fd of a command has in the helper. */
#define HELPER_FD 3
#define HELPER_FD_TEXT "3"

struct helper_command {
    char **argv;     /* the first is an absolute path */
    int fd;          /* a socket; stays the caller's */
    const char *log; /* a file for all that it says, emptied first */
    GBytes *filter;  /* seccomp: an array of struct sock_filter; NULL: none */
};

/* Starts it with default signal handling, an empty environment but for PATH, in a session of its
 * own and with no descriptors beside 0, 1, 2 and HELPER_FD. ERROR_UNAVAILABLE. */
bool helper_start(const struct helper_command *command, pid_t *pid, GError **error);

/* What it said last that may tell why it ended, or NULL; the caller owns it. */
char *helper_last_words(const char *log);

/* The first of @candidates that can be executed: absolute paths, or names to be found in $PATH.
 * NULL: none. The caller owns it. */
char *helper_find(const char *const *candidates);

/* A filter that lets a process change nothing in any file system: it gets EROFS. For
 * @command.filter; the caller owns it. */
GBytes *helper_readonly_filter(GError **error);

/* A UNIX socket at @path that listens, in place of whatever is there; -1 and @error. */
int helper_listen(const char *path, GError **error);
/* One that is connected to the one at @path. */
int helper_connect(const char *path, GError **error);
/* The same, and does not block: -1 also where too many wait to be accepted. */
int helper_connect_now(const char *path);
/* The next connection to @listener, which QEMU makes within @ms. Blocks. */
int helper_accept(int listener, int ms, GError **error);
