// SPDX-License-Identifier: LGPL-2.1-or-later

/*
 * Runs through a harness what fuzzing has kept, without libFuzzer: called replay-HARNESS, it reads
 * tests/fuzz/regressions/HARNESS, where each file is something that once went wrong, and
 * tests/fuzz/corpus/HARNESS. Or the files that it is given.
 */

#include "tests/fuzz/fuzz.h"

#include <string.h>

static void run_file(const char *path)
{
    char *data = NULL;
    gsize length = 0;
    g_assert_true(g_file_get_contents(path, &data, &length, NULL));
    /* Exactly as long as it is, so that a sanitizer sees who reads on. */
    g_autofree uint8_t *copy = g_memdup2(data, length);
    g_free(data);
    LLVMFuzzerTestOneInput(copy, length);
}

static void test_file(gconstpointer path)
{
    run_file(path);
}

static GPtrArray *list(const char *folder)
{
    GPtrArray *paths = g_ptr_array_new_with_free_func(g_free);
    GDir *dir = g_dir_open(folder, 0, NULL);
    const char *name;
    while (dir != NULL && (name = g_dir_read_name(dir)) != NULL) {
        g_ptr_array_add(paths, g_build_filename(folder, name, NULL));
    }
    g_clear_pointer(&dir, g_dir_close);
    return paths;
}

static void test_corpus(gconstpointer folder)
{
    g_autoptr(GPtrArray) paths = list(folder);
    g_assert_cmpuint(paths->len, >, 10); /* not an empty or a wrong directory */
    for (guint i = 0; i < paths->len; i++) {
        run_file(g_ptr_array_index(paths, i));
    }
}

/* One test each, named after the file. */
static GPtrArray *add_regressions(const char *harness)
{
    g_autofree char *folder = g_build_filename("tests/fuzz/regressions", harness, NULL);
    GPtrArray *paths = list(folder);
    for (guint i = 0; i < paths->len; i++) {
        const char *path = g_ptr_array_index(paths, i);
        g_autofree char *name = g_strconcat("/", harness, "/", strrchr(path, '/') + 1, NULL);
        g_test_add_data_func(name, path, test_file);
    }
    return paths;
}

int main(int argc, char **argv)
{
    g_autofree char *program = g_path_get_basename(argv[0]);
    const char *harness = program + strlen("replay-");
    g_test_init(&argc, &argv, NULL);
    if (argc > 1) {
        for (int i = 1; i < argc; i++) {
            run_file(argv[i]);
        }
        return 0;
    }
    g_autofree char *corpus = g_build_filename("tests/fuzz/corpus", harness, NULL);
    g_autofree char *name = g_strconcat("/", harness, "/corpus", NULL);
    g_test_add_data_func(name, corpus, test_corpus);
    g_autoptr(GPtrArray) regressions = add_regressions(harness);
    return g_test_run();
}
