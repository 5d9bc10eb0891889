// SPDX-License-Identifier: LGPL-2.1-or-later
#include "src/util/cpulist.h"
#include "tests/unit/expect.h"

static void test_parse(void)
{
    static const struct {
        const char *text;
        int count; /* -1: is none */
    } lists[] = {
        {"0", 1},
        {"7", 1},
        {"0-3", 4},
        {"0-3,5", 5},
        {"5,0-3", 5},
        {"3-3", 1},
        {"0,0,0", 1},
        {"0-3,2-5", 6}, /* each counts once */
        {"00", 1},
        {"8191", 1},
        {"0-8191", 8192},
        {"0-8191,0-8191", 8192},
        {"8192", -1},
        {"0-8192", -1},
        {"99999999999999999999", -1},
        {"", -1},
        {",", -1},
        {"0,", -1},
        {",0", -1},
        {"0,,1", -1},
        {"0-", -1},
        {"-1", -1},
        {"0--1", -1},
        {"0-1-2", -1},
        {"3-1", -1},
        {"a", -1},
        {"0-3x", -1},
        {" 0", -1},
        {"0 ", -1},
        {"0, 1", -1},
        {"0;1", -1},
        {"0-3\n", -1},
        {"0x1", -1},
        {"+1", -1},
        {"1.5", -1},
        {"max", -1},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(lists); i++) {
        struct cpulist list;
        bool ok = cpulist_parse(lists[i].text, &list);
        expect(lists[i].text, ok == (lists[i].count >= 0));
        if (ok) {
            expect_uint(lists[i].text, cpulist_count(&list), lists[i].count);
        }
    }
}

/* Long ones cost time, and are none that a kernel takes. */
static void test_length(void)
{
    struct cpulist list;
    g_autofree char *longest = g_strnfill(CPULIST_MAX_LENGTH, '0');
    g_assert_true(cpulist_parse(longest, &list));
    g_autofree char *longer = g_strnfill(CPULIST_MAX_LENGTH + 1, '0');
    g_assert_false(cpulist_parse(longer, &list));
}

static void test_format(void)
{
    static const char *const lists[][2] = {
        {"0", "0"},           {"0-3,5", "0-3,5"},           {"5,0-3", "0-3,5"},
        {"1,0", "0-1"},       {"63,64,65", "63-65"},        {"8191", "8191"},
        {"0-8191", "0-8191"}, {"2,4,6-9,8-11", "2,4,6-11"},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(lists); i++) {
        struct cpulist list;
        g_assert_true(cpulist_parse(lists[i][0], &list));
        g_autofree char *text = cpulist_format(&list);
        expect_str(lists[i][0], text, lists[i][1]);
    }
    /* The last has no neighbour, whatever lies behind it. */
    struct {
        struct cpulist list;
        guint64 behind;
    } last = {{{0}}, G_MAXUINT64};
    cpulist_add(&last.list, CPULIST_MAX - 1);
    g_autofree char *alone = cpulist_format(&last.list);
    g_assert_cmpstr(alone, ==, "8191");
    struct cpulist none = {{0}};
    g_autofree char *text = cpulist_format(&none);
    g_assert_cmpstr(text, ==, "");
}

static void test_intersect(void)
{
    static const struct {
        const char *a, *b, *both, *first;
    } cases[] = {
        {"0-3", "2-5", "2-3", "2"},
        {"0-8191", "8191", "8191", "8191"},
        {"0-200", "60-70,130", "60-70,130", "60"},
        {"5", "5", "5", "5"},
        {"0-63", "64", "", ""},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        struct cpulist a, b;
        g_assert_true(cpulist_parse(cases[i].a, &a) && cpulist_parse(cases[i].b, &b));
        cpulist_intersect(&a, &b);
        g_autofree char *both = cpulist_format(&a);
        expect_str(cases[i].a, both, cases[i].both);
        cpulist_keep_first(&a);
        g_autofree char *first = cpulist_format(&a);
        expect_str(cases[i].a, first, cases[i].first);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_set_nonfatal_assertions();
    g_test_add_func("/cpulist/parse", test_parse);
    g_test_add_func("/cpulist/length", test_length);
    g_test_add_func("/cpulist/format", test_format);
    g_test_add_func("/cpulist/intersect", test_intersect);
    return g_test_run();
}
