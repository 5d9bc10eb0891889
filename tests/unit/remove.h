// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/* What a test has made. */

#include <glib.h>
#include <glib/gstdio.h>

/* @path with all that is in it; follows no link. */
static void remove_all(const char *path)
{
    GDir *dir = g_file_test(path, G_FILE_TEST_IS_SYMLINK) ? NULL : g_dir_open(path, 0, NULL);
    const char *name;
    while (dir != NULL && (name = g_dir_read_name(dir)) != NULL) {
        g_autofree char *child = g_build_filename(path, name, NULL);
        remove_all(child);
    }
    g_clear_pointer(&dir, g_dir_close);
    g_remove(path);
}
