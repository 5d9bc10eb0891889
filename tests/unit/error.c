// SPDX-License-Identifier: LGPL-2.1-or-later
#include "src/util/error.h"

#include <errno.h>
#include <gio/gio.h>

/* sysexits.h's values, which scripts around ocivirt rely on. */
static void test_contract(void)
{
    g_assert_cmpint(ERROR_USAGE, ==, 64);
    g_assert_cmpint(ERROR_UNAVAILABLE, ==, 69);
    g_assert_cmpint(ERROR_INTERNAL, ==, 70);
    g_assert_cmpint(ERROR_BUSY, ==, 75);
    g_assert_cmpint(ERROR_CONFIG, ==, 78);
}

static void test_exit_status(void)
{
    g_autoptr(GError) ours = g_error_new(ERROR_DOMAIN, ERROR_BUSY, "busy");
    g_assert_cmpint(error_exit_status(ours), ==, 75);
    g_autoptr(GError) foreign = g_error_new(G_IO_ERROR, G_IO_ERROR_FAILED, "failed");
    g_assert_cmpint(error_exit_status(foreign), ==, 70);
}

static void test_errno(void)
{
    g_autoptr(GError) error = NULL;
    errno = ENOENT; /* what counts is the saved one */
    error_set_errno(&error, ERROR_UNAVAILABLE, ENOSPC, "cannot open %s", "/x");
    g_assert_error(error, ERROR_DOMAIN, ERROR_UNAVAILABLE);
    g_assert_cmpstr(error->message, ==, "cannot open /x: No space left on device");
    error_set_errno(NULL, ERROR_UNAVAILABLE, ENOSPC, "nobody asked");
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_set_nonfatal_assertions();
    g_test_add_func("/error/contract", test_contract);
    g_test_add_func("/error/exit-status", test_exit_status);
    g_test_add_func("/error/errno", test_errno);
    return g_test_run();
}
