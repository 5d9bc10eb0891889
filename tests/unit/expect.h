// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/*
 * Assertions for tables: a failure names its row, and the other rows are still tried.
 */

#include <glib.h>
#include <stdbool.h>

#define expect(row, condition)                                                                     \
    G_STMT_START                                                                                   \
    {                                                                                              \
        if (!(condition)) {                                                                        \
            g_test_message("%s: row \"%s\": %s is not so", G_STRLOC, row, #condition);             \
            g_test_fail();                                                                         \
        }                                                                                          \
    }                                                                                              \
    G_STMT_END

#define expect_uint(row, actual, expected)                                                         \
    G_STMT_START                                                                                   \
    {                                                                                              \
        guint64 actual_ = (actual), expected_ = (expected);                                        \
        if (actual_ != expected_) {                                                                \
            g_test_message("%s: row \"%s\": %s is %" G_GUINT64_FORMAT                              \
                           ", and should be %" G_GUINT64_FORMAT,                                   \
                           G_STRLOC, row, #actual, actual_, expected_);                            \
            g_test_fail();                                                                         \
        }                                                                                          \
    }                                                                                              \
    G_STMT_END

#define expect_str(row, actual, expected)                                                          \
    G_STMT_START                                                                                   \
    {                                                                                              \
        const char *actual_ = (actual), *expected_ = (expected);                                   \
        if (g_strcmp0(actual_, expected_) != 0) {                                                  \
            g_test_message("%s: row \"%s\": %s is \"%s\", and should be \"%s\"", G_STRLOC, row,    \
                           #actual, actual_ != NULL ? actual_ : "(NULL)",                          \
                           expected_ != NULL ? expected_ : "(NULL)");                              \
            g_test_fail();                                                                         \
        }                                                                                          \
    }                                                                                              \
    G_STMT_END
