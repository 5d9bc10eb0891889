// SPDX-License-Identifier: LGPL-2.1-or-later
#include "src/host/exit_port.h"
#include "src/util/error.h"
#include "src/util/log.h"
#include "tests/unit/expect.h"

#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define NONE (-1)

static const struct row {
    const char *text;
    gsize length; /* 0: up to the NUL */
    bool cut_off;
    int status;
    const char *rejected;
} rows[] = {
    {"7\n", .status = 7},
    {"7", .status = 7},
    {"0\n", .status = 0},
    {"255", .status = 255},
    {"256", .status = NONE, .rejected = "256"},
    {"007\n", .status = 7},
    {"4294967303\n", .status = NONE, .rejected = "4294967303"},
    {"18446744073709551623\n", .status = NONE, .rejected = "18446744073709551623"},
    {" 7\t\r\n", .status = 7},
    {"\n\n \n", .status = NONE},
    {"", .status = NONE},
    {"1\n2\n3\n", .status = 3},
    {"1\n2\n3", .status = 3},
    {"1\nno\n", .status = 1, .rejected = "no"},
    {"yes\n1\nno\n\n", .status = 1, .rejected = "no"},
    {"no\n1\n", .status = 1, .rejected = "no"},
    {"-1\n", .status = NONE, .rejected = "-1"},
    {"+1\n", .status = NONE, .rejected = "+1"},
    {"1.0\n", .status = NONE, .rejected = "1.0"},
    {"0x7\n", .status = NONE, .rejected = "0x7"},
    {"1 2\n", .status = NONE, .rejected = "1 2"},
    {"7\0", .length = 2, .status = NONE, .rejected = "7\\x00"},
    {"\033[2J\"\\\xff\xc3\xa4\n", .status = NONE, .rejected = "\\x1b[2J\\\"\\\\\\xff\\xc3\\xa4"},
    {"1234567890123456789012345678901234567890\n", .status = NONE,
     .rejected = "1234567890123456789012345678901234567890"},
    {"12345678901234567890123456789012345678901\n", .status = NONE,
     .rejected = "1234567890123456789012345678901234567890…"},
    /* a number of which the end is missing is another number */
    {"1\n12", .cut_off = true, .status = 1},
    {"1\n12\n", .cut_off = true, .status = 12},
    {"12", .cut_off = true, .status = NONE},
    {"1\nrubbish", .cut_off = true, .status = 1},
};

static void test_parse(void)
{
    for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
        const struct row *row = &rows[i];
        gsize length = row->length > 0 ? row->length : strlen(row->text);
        /* not one byte more, for the sanitizers */
        g_autofree char *text = g_memdup2(row->text, length);
        g_autofree char *rejected = NULL;
        int status = NONE;
        bool reported = exit_port_parse(text, length, row->cut_off, &status, &rejected);
        expect(row->text, reported == (row->status != NONE));
        expect(row->text, status == row->status);
        expect_str(row->text, rejected, row->rejected);
    }
}

/* --- the pipe --- */

static char *scratch;

static char *in_scratch(const char *name)
{
    return g_build_filename(scratch, name, NULL);
}

static int open_port(void)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *path = in_scratch("exit");
    int fd = exit_port_open(path, &error);
    g_assert_no_error(error);
    return fd;
}

/* As QEMU opens and writes it; how much it took. */
static gsize write_as_qemu(const char *text, gsize times)
{
    g_autofree char *path = in_scratch("exit.out");
    int fd = open(path, O_RDWR | O_NONBLOCK);
    g_assert_cmpint(fd, >=, 0);
    gsize taken = 0;
    while (times-- > 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text)) {
        taken += strlen(text);
    }
    close(fd);
    return taken;
}

static void remove_port(void)
{
    static const char *const names[] = {"exit.in", "exit.out"};
    for (gsize i = 0; i < G_N_ELEMENTS(names); i++) {
        g_autofree char *path = in_scratch(names[i]);
        g_unlink(path);
    }
}

static void expect_report(int fd, int expected)
{
    int status = NONE;
    g_assert_true(exit_port_read(fd, &status) == (expected != NONE));
    g_assert_cmpint(status, ==, expected);
}

static void test_pipe(void)
{
    int fd = open_port();
    expect_report(fd, NONE);
    write_as_qemu("7\n", 1);
    /* QEMU has closed it, and what it wrote is still there: once */
    expect_report(fd, 7);
    expect_report(fd, NONE);
    g_assert_cmpint(fcntl(fd, F_GETFD) & FD_CLOEXEC, ==, FD_CLOEXEC);
    g_autofree char *in = in_scratch("exit.in");
    struct stat status;
    g_assert_cmpint(stat(in, &status), ==, 0);
    g_assert_true(S_ISFIFO(status.st_mode));
    g_assert_cmpint(status.st_mode & 0777, ==, 0600);
    close(fd);
    remove_port();
}

/* An ocivirt that takes a VM over opens the same pipe. */
static void test_taken_over(void)
{
    int qemu = open_port();
    write_as_qemu("7\n", 1);
    int fd = open_port();
    g_assert_cmpint(fcntl(fd, F_GETFD) & FD_CLOEXEC, ==, FD_CLOEXEC);
    g_assert_cmpint(fcntl(fd, F_GETFL) & O_NONBLOCK, ==, O_NONBLOCK);
    expect_report(fd, 7);
    close(fd);
    close(qemu);
    remove_port();
}

static void test_full(void)
{
    int fd = open_port();
    gsize taken = write_as_qemu("123\n", 1 << 20);
    g_assert_cmpuint(taken, >, 4000);
    g_assert_cmpuint(taken, <, 1 << 20);
    expect_report(fd, 123);
    /* 1, 221, 221, …, 22: the last of them is half of another */
    g_assert_cmpuint(write_as_qemu("1\n22", 1 << 20), ==, taken);
    expect_report(fd, 221);
    close(fd);
    remove_port();
}

static void test_cannot_open(void)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *nowhere = in_scratch("nowhere/exit");
    g_assert_cmpint(exit_port_open(nowhere, &error), ==, -1);
    g_assert_error(error, ERROR_DOMAIN, ERROR_UNAVAILABLE);
    g_assert_nonnull(strstr(error->message, "nowhere/exit.in: No such file"));
    g_clear_error(&error);

    g_autofree char *path = in_scratch("exit");
    g_autofree char *out = in_scratch("exit.out");
    g_file_set_contents(out, "7\n", -1, NULL);
    g_assert_cmpint(exit_port_open(path, &error), ==, -1);
    g_assert_error(error, ERROR_DOMAIN, ERROR_UNAVAILABLE);
    g_assert_nonnull(strstr(error->message, "no FIFO"));
    remove_port();
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_set_nonfatal_assertions();
    log_setup(LOG_ERROR, LOG_FORMAT_TEXT);
    scratch = g_dir_make_tmp("ocivirt-test-XXXXXX", NULL);
    g_test_add_func("/exit-port/parse", test_parse);
    g_test_add_func("/exit-port/pipe", test_pipe);
    g_test_add_func("/exit-port/taken-over", test_taken_over);
    g_test_add_func("/exit-port/full", test_full);
    g_test_add_func("/exit-port/cannot-open", test_cannot_open);
    int status = g_test_run();
    g_rmdir(scratch);
    g_free(scratch);
    return status;
}
