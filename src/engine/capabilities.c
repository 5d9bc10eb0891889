// SPDX-License-Identifier: LGPL-2.1-or-later
#include "src/engine/capabilities.h"

#include <glib.h>
#include <glib/gstdio.h>
#include <string.h>

#define OPENING "<emulator>"
#define CLOSING "</emulator>"
#define VERSION "<version>"

static char *folder_of(const char *root)
{
    return g_build_filename(root, "cache/qemu/capabilities", NULL);
}

static char *name_of(const char *emulator)
{
    g_autofree char *checksum = g_compute_checksum_for_string(G_CHECKSUM_SHA256, emulator, -1);
    return g_strconcat(checksum, ".xml", NULL);
}

/* The path of the emulator in @text as it is written there, or NULL; where it @begins and @ends. */
static char *find_emulator(const char *text, const char **begins, const char **ends)
{
    const char *opening = strstr(text, OPENING);
    *begins = opening != NULL ? opening + strlen(OPENING) : NULL;
    *ends = *begins != NULL ? strstr(*begins, CLOSING) : NULL;
    return *ends != NULL ? g_strndup(*begins, *ends - *begins) : NULL;
}

/* Writes @text, which is of an emulator below @from, as one of the same emulator below @to. */
static void write_for(const char *to, const char *from, const char *text)
{
    const char *begins, *ends;
    g_autofree char *prefix = g_strconcat(from, "/", NULL);
    g_autofree char *written = find_emulator(text, &begins, &ends);
    if (written == NULL || !g_str_has_prefix(written, prefix)) {
        return;
    }
    g_autofree char *emulator = g_build_filename(to, written + strlen(prefix), NULL);
    g_autofree char *markup = g_markup_escape_text(emulator, -1);
    g_autofree char *folder = folder_of(to);
    g_autofree char *name = name_of(emulator);
    g_autofree char *path = g_build_filename(folder, name, NULL);
    g_autoptr(GString) copy = g_string_new_len(text, begins - text);
    g_string_append(copy, markup);
    g_string_append(copy, ends);
    g_file_set_contents(path, copy->str, copy->len, NULL);
}

void capabilities_copy(const char *from, const char *to)
{
    g_autofree char *source = folder_of(from), *target = folder_of(to);
    g_autoptr(GDir) dir = g_dir_open(source, 0, NULL);
    const char *name;
    if (dir == NULL || g_mkdir_with_parents(target, 0700) < 0) {
        return;
    }
    while ((name = g_dir_read_name(dir)) != NULL) {
        g_autofree char *path = g_build_filename(source, name, NULL);
        g_autofree char *text = NULL;
        if (g_file_get_contents(path, &text, NULL, NULL)) {
            write_for(to, from, text);
        }
    }
}

unsigned capabilities_version(const char *root, const char *emulator)
{
    g_autofree char *folder = folder_of(root), *name = name_of(emulator);
    g_autofree char *path = g_build_filename(folder, name, NULL);
    g_autofree char *text = NULL;
    const char *version =
        g_file_get_contents(path, &text, NULL, NULL) ? strstr(text, VERSION) : NULL;
    return version != NULL ? (unsigned)g_ascii_strtoull(version + strlen(VERSION), NULL, 10) : 0;
}

void capabilities_keep_only(const char *root, const char *emulator)
{
    g_autofree char *folder = folder_of(root), *kept = name_of(emulator);
    g_autoptr(GDir) dir = g_dir_open(folder, 0, NULL);
    const char *name;
    while (dir != NULL && (name = g_dir_read_name(dir)) != NULL) {
        if (g_str_has_suffix(name, ".xml") && !g_str_equal(name, kept)) {
            g_autofree char *path = g_build_filename(folder, name, NULL);
            g_unlink(path);
        }
    }
}
