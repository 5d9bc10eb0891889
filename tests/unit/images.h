// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/* Disk images, in a directory that a test has for itself. */

#include "tests/unit/expect.h"
#include "tests/unit/remove.h"

#include <gio/gio.h>
#include <glib.h>

static char *scratch; /* the directory */

static void make_scratch(void)
{
    scratch = g_dir_make_tmp("ocivirt-test-XXXXXX", NULL);
    g_assert_nonnull(scratch);
}

static void remove_scratch(void)
{
    remove_all(scratch);
    g_clear_pointer(&scratch, g_free);
}

/* The caller owns the path. */
static char *in_scratch(const char *name)
{
    return g_build_filename(scratch, name, NULL);
}

static void run(const char *program, ...) G_GNUC_NULL_TERMINATED;

static void run(const char *program, ...)
{
    g_autoptr(GPtrArray) words = g_ptr_array_new();
    va_list args;
    va_start(args, program);
    for (const char *word = program; word != NULL; word = va_arg(args, const char *)) {
        g_ptr_array_add(words, (char *)word);
    }
    va_end(args);
    g_ptr_array_add(words, NULL);
    g_autoptr(GError) error = NULL;
    g_autoptr(GSubprocess) process =
        g_subprocess_newv((const char *const *)words->pdata,
                          G_SUBPROCESS_FLAGS_STDOUT_PIPE | G_SUBPROCESS_FLAGS_STDERR_MERGE, &error);
    g_assert_no_error(error);
    g_autofree char *said = NULL;
    g_subprocess_communicate_utf8(process, NULL, NULL, &said, NULL, &error);
    g_assert_no_error(error);
    expect(said, g_subprocess_get_successful(process));
}

/* A new image NAME, with qemu-img's @options or NULL; the caller owns its path. */
static char *make_image(const char *name, const char *format, const char *size, const char *options)
{
    char *path = in_scratch(name);
    run("qemu-img", "create", "-q", "-f", format, path, size, options != NULL ? "-o" : NULL,
        options, NULL);
    return path;
}
