// SPDX-License-Identifier: LGPL-2.1-or-later
#include "oci/texts.h"
#include "src/util/error.h"
#include "tests/unit/expect.h"

#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char *bundle; /* a directory */

static void write_file(const char *name, const char *data, gsize length)
{
    g_autofree char *path = g_build_filename(bundle, name, NULL);
    g_assert_true(g_file_set_contents(path, data, length, NULL));
}

static void test_paths(void)
{
    static const struct {
        const char *value;
        bool path;
    } cases[] = {
        {"/a", true},     {"./a", true},        {"../a", true},   {"/", true},
        {"a/b", false},   {"", false},          {".", false},     {"..", false},
        {".a/b", false},  {"#!/bin/sh", false}, {"/a\nb", false}, {"~/a", false},
        {"./a\n", false}, {"{\"a\":1}", false},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        struct oci_text text = {0};
        expect(cases[i].value, oci_text_is_path(cases[i].value) == cases[i].path);
        expect(cases[i].value, !oci_text_is_set(&text));
        oci_text_set(&text, cases[i].value);
        expect(cases[i].value, oci_text_is_set(&text));
        expect(cases[i].value, (text.path != NULL) == cases[i].path);
        expect(cases[i].value, (text.bytes != NULL) != cases[i].path);
        oci_text_clear(&text);
    }
}

/* Reads what @value says; the text, or NULL and the message. */
static char *read_text(const char *value, char **message)
{
    struct oci_text text = {0};
    g_autoptr(GError) error = NULL;
    oci_text_set(&text, value);
    bool ok = oci_text_read(&text, bundle, &error);
    char *words = ok ? oci_text_dup(&text) : NULL;
    *message = ok ? NULL : g_strdup(error->message);
    g_assert_true(ok || g_error_matches(error, ERROR_DOMAIN, ERROR_CONFIG));
    oci_text_clear(&text);
    return words;
}

static void test_read(void)
{
    write_file("data", "one\ntwo\n", 8);
    g_autofree char *absolute = g_build_filename(bundle, "data", NULL);
    g_autofree char *link = g_build_filename(bundle, "link", NULL);
    g_assert_cmpint(symlink("data", link), ==, 0);
    const char *const values[] = {"./data", absolute, "./../" /* the bundle's name follows */,
                                  "./link"};
    for (gsize i = 0; i < G_N_ELEMENTS(values); i++) {
        g_autofree char *message = NULL, *name = g_path_get_basename(bundle);
        g_autofree char *value =
            i == 2 ? g_strconcat(values[i], name, "/data", NULL) : g_strdup(values[i]);
        g_autofree char *words = read_text(value, &message);
        expect_str(value, words, "one\ntwo\n");
    }
    g_autofree char *message = NULL, *inline_text = read_text("words", &message);
    g_assert_cmpstr(inline_text, ==, "words");
}

static void test_bytes(void)
{
    struct oci_text text = {0};
    write_file("bytes", "\x1f\x8b\0x", 4);
    oci_text_set(&text, "./bytes");
    g_assert_true(oci_text_read(&text, bundle, NULL));
    g_assert_cmpuint(g_bytes_get_size(text.bytes), ==, 4);
    /* Read once: what stands in the file later is for a later start. */
    write_file("bytes", "", 0);
    g_assert_true(oci_text_read(&text, bundle, NULL));
    g_assert_cmpuint(g_bytes_get_size(text.bytes), ==, 4);
    oci_text_clear(&text);
    g_assert_false(oci_text_is_set(&text));
}

static void test_refusals(void)
{
    g_autofree char *large = g_malloc0(OCI_TEXT_MAX_BYTES + 1);
    g_autofree char *fifo = g_build_filename(bundle, "fifo", NULL);
    write_file("most", large, OCI_TEXT_MAX_BYTES);
    write_file("more", large, OCI_TEXT_MAX_BYTES + 1);
    g_assert_cmpint(mkfifo(fifo, 0600), ==, 0);
    static const char *const cases[][2] = {
        {"./most", NULL},
        {"./more", "/more has more than 1 MiB, which is the most that is read"},
        {"./none", "/none: No such file or directory"},
        {"./", "is a directory, and must be a file"},
        {"./fifo", "/fifo is no regular file, and must be a file"},
        {"/dev/zero", "/dev/zero is no regular file, and must be a file"},
        {"./most/x", "/most/x: Not a directory"},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *message = NULL, *words = read_text(cases[i][0], &message);
        if (cases[i][1] == NULL) {
            expect(cases[i][0], words != NULL);
        } else {
            expect(cases[i][0], words == NULL && strstr(message, cases[i][1]) != NULL);
        }
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_set_nonfatal_assertions();
    bundle = g_dir_make_tmp("ocivirt-texts-XXXXXX", NULL);
    g_assert_nonnull(bundle);
    g_test_add_func("/texts/paths", test_paths);
    g_test_add_func("/texts/read", test_read);
    g_test_add_func("/texts/bytes", test_bytes);
    g_test_add_func("/texts/refusals", test_refusals);
    int status = g_test_run();
    static const char *const names[] = {"data", "link", "bytes", "most", "more", "fifo"};
    for (gsize i = 0; i < G_N_ELEMENTS(names); i++) {
        g_autofree char *path = g_build_filename(bundle, names[i], NULL);
        g_unlink(path);
    }
    g_rmdir(bundle);
    g_free(bundle);
    return status;
}
