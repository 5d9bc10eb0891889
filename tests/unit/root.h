// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/* Root directories in a directory that a test has for itself. */

#include "src/engine/root.h"
#include "src/host/instance.h"

#include <glib.h>
#include <glib/gstdio.h>
#include <stdbool.h>
#include <unistd.h>

static char *scratch; /* a directory */

/* SCRATCH/NAME. */
static char *in_scratch(const char *name)
{
    return g_build_filename(scratch, name, NULL);
}

static void put(const struct root *root, const char *name, const char *text)
{
    g_autofree char *path = root_file(root, name);
    g_autofree char *parent = g_path_get_dirname(path);
    g_assert_cmpint(g_mkdir_with_parents(parent, 0700), ==, 0);
    g_assert_true(g_file_set_contents(path, text, -1, NULL));
}

static bool has(const struct root *root, const char *name)
{
    g_autofree char *path = root_file(root, name);
    return g_file_test(path, G_FILE_TEST_EXISTS) || g_file_test(path, G_FILE_TEST_IS_SYMLINK);
}

static void choose(struct root *root, const char *name)
{
    g_autofree char *path = in_scratch(name);
    g_autoptr(GError) error = NULL;
    root_choose(root, path, &error);
    g_assert_no_error(error);
}

static void choose_and_open(struct root *root, const char *name)
{
    g_autoptr(GError) error = NULL;
    choose(root, name);
    root_open(root, NULL, &error);
    g_assert_no_error(error);
}

static void write_instance(const struct root *root, pid_t qemu, guint64 started)
{
    struct instance instance;
    g_autofree char *path = root_file(root, "instance.json");
    instance_init(&instance, "first", getpid());
    instance.qemu = qemu;
    instance.qemu_started = started;
    g_assert_true(instance_write(&instance, path, NULL));
    instance_finish(&instance);
}
