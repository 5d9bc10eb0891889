// SPDX-License-Identifier: LGPL-2.1-or-later
#include "src/host/log_file.h"
#include "tests/unit/remove.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char *folder;

static char *file(const char *name)
{
    return g_build_filename(folder, name, NULL);
}

/* Lines, each of the same 16 bytes but for a number; the caller owns them. */
static char *lines(gsize count)
{
    GString *text = g_string_new(NULL);
    for (gsize i = 0; i < count; i++) {
        g_string_append_printf(text, "line %10zu\n", i);
    }
    return g_string_free(text, FALSE);
}

static char *contents(const char *path, gsize *length)
{
    char *text;
    g_assert_true(g_file_get_contents(path, &text, length, NULL));
    return text;
}

static void expect_length(const char *path, gsize expected)
{
    gsize length;
    g_free(contents(path, &length));
    g_assert_cmpuint(length, ==, expected);
}

static void test_end_is_kept(void)
{
    g_autofree char *path = file("a.log"), *text = lines(LOG_FILE_MAX / 16 + 1);
    g_assert_true(g_file_set_contents(path, text, -1, NULL));
    g_assert_true(log_file_bound(path));
    gsize length;
    g_autofree char *left = contents(path, &length);
    /* Its first line was not whole, as far as anybody can tell. */
    g_assert_cmpuint(length, ==, LOG_FILE_KEPT - 16);
    g_assert_true(g_str_has_suffix(text, left));
    g_assert_true(g_str_has_prefix(left, "line"));
}

static void test_short_ones_stay(void)
{
    g_autofree char *path = file("b.log"), *text = lines(LOG_FILE_MAX / 16);
    g_assert_true(g_file_set_contents(path, text, -1, NULL));
    g_assert_true(log_file_bound(path));
    expect_length(path, LOG_FILE_MAX);
}

static void test_one_long_line(void)
{
    g_autofree char *path = file("c.log"), *text = g_strnfill(LOG_FILE_MAX + 1, 'x');
    g_assert_true(g_file_set_contents(path, text, -1, NULL));
    g_assert_true(log_file_bound(path));
    expect_length(path, LOG_FILE_KEPT);
}

/* Whoever has it open goes on behind what is left. */
static void test_writer_goes_on(void)
{
    g_autofree char *path = file("d.log"), *text = lines(LOG_FILE_MAX / 16 + 1);
    int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    g_assert_cmpint(write(fd, text, strlen(text)), ==, strlen(text));
    g_assert_true(log_file_bound(path));
    g_assert_cmpint(write(fd, "more\n", 5), ==, 5);
    close(fd);
    gsize length;
    g_autofree char *left = contents(path, &length);
    g_assert_cmpuint(length, ==, LOG_FILE_KEPT - 16 + 5);
    g_assert_cmpuint(strlen(left), ==, length);
    g_assert_true(g_str_has_suffix(left, "\nmore\n"));
}

/* Nor is there any waiting for a FIFO's other end. */
static void test_what_is_no_log(void)
{
    g_autofree char *large = file("large"), *link = file("link.log"), *fifo = file("fifo.log");
    g_autofree char *nothing = file("nothing.log"), *text = lines(LOG_FILE_MAX / 16 + 1);
    g_assert_true(g_file_set_contents(large, text, -1, NULL));
    g_assert_cmpint(symlink(large, link), ==, 0);
    g_assert_cmpint(mkfifo(fifo, 0600), ==, 0);
    g_assert_false(log_file_bound(link));
    g_assert_true(log_file_bound(fifo));
    g_assert_false(log_file_bound(nothing));
    log_file_bound_all(folder);
    log_file_bound_all(nothing);
    expect_length(large, strlen(text));
}

static void test_all(void)
{
    g_autofree char *path = file("e.log"), *text = lines(LOG_FILE_MAX / 16 + 1);
    g_assert_true(g_file_set_contents(path, text, -1, NULL));
    log_file_bound_all(folder);
    expect_length(path, LOG_FILE_KEPT - 16);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    folder = g_dir_make_tmp("ocivirt-log-file.XXXXXX", NULL);
    g_test_add_func("/log-file/end-is-kept", test_end_is_kept);
    g_test_add_func("/log-file/short-ones-stay", test_short_ones_stay);
    g_test_add_func("/log-file/one-long-line", test_one_long_line);
    g_test_add_func("/log-file/writer-goes-on", test_writer_goes_on);
    g_test_add_func("/log-file/what-is-no-log", test_what_is_no_log);
    g_test_add_func("/log-file/all", test_all);
    int status = g_test_run();
    remove_all(folder);
    g_free(folder);
    return status;
}
