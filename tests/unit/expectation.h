// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/*
 * Files that say what must come out: compared as a diff that the test prints, and written anew with
 * GOLDEN_UPDATE=1.
 */

#include <gio/gio.h>
#include <glib/gstdio.h>
#include <stdbool.h>

/* What @arguments print, in one message. Whether they went well; not there is not well. */
static inline bool command_succeeds(const char *const *arguments)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *output = NULL;
    g_autoptr(GSubprocess) process = g_subprocess_newv(
        arguments, G_SUBPROCESS_FLAGS_STDOUT_PIPE | G_SUBPROCESS_FLAGS_STDERR_MERGE, &error);
    if (process == NULL ||
        !g_subprocess_communicate_utf8(process, NULL, NULL, &output, NULL, &error)) {
        g_test_message("%s: %s", arguments[0], error->message);
        return false;
    }
    if (!g_subprocess_get_successful(process)) {
        g_test_message("%s", output);
        return false;
    }
    return true;
}

static inline char *write_scratch(const char *text)
{
    char *path = NULL;
    int fd = g_file_open_tmp("ocivirt-golden-XXXXXX", &path, NULL);
    g_assert_cmpint(fd, >=, 0);
    g_close(fd, NULL);
    g_assert_true(g_file_set_contents(path, text, -1, NULL));
    return path;
}

static inline void expectation_update(const char *path, const char *expected, const char *actual)
{
    if (actual == NULL) {
        g_unlink(path);
    } else if (g_strcmp0(expected, actual) != 0) {
        g_assert_true(g_file_set_contents(path, actual, -1, NULL));
    }
}

/* @actual must be what file @path holds; NULL: there must be no such file. */
static inline void expectation_compare(const char *path, const char *actual)
{
    g_autofree char *expected = NULL;
    bool there = g_file_get_contents(path, &expected, NULL, NULL);
    if (g_getenv("GOLDEN_UPDATE") != NULL) {
        expectation_update(path, expected, actual);
    } else if (actual == NULL && there) {
        g_test_message("%s is there, and should not be", path);
        g_test_fail();
    } else if (actual != NULL && g_strcmp0(expected, actual) != 0) {
        g_autofree char *scratch = write_scratch(actual);
        const char *const diff[] = {"diff", "-u", there ? path : "/dev/null", scratch, NULL};
        command_succeeds(diff); /* it tells the difference */
        g_unlink(scratch);
        g_test_fail();
    }
}
