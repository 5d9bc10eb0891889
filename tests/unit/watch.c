// SPDX-License-Identifier: LGPL-2.1-or-later
#include "src/engine/watch.h"
#include "src/util/error.h"
#include "src/util/pattern.h"
#include "tests/unit/expect.h"

#include <string.h>

/* What is looked for on the console, by a pattern that users write and in bytes that guests do. */

static bool feed(struct watch *watch, const char *text)
{
    return watch_feed(watch, text, strlen(text));
}

static void test_lines(void)
{
    static const struct {
        const char *pattern, *output;
        bool seen;
    } cases[] = {
        {"ready", "not yet\nall is ready now\n", true},
        {"^ready$", "ready\r\n", true},
        {"^ready$", "x\rready\n", true},
        {"^ready$", "\n\r\nready\n\n", true},
        {"^ready$", "unready\n", false},
        {"one.*two", "one\ntwo\n", false},
        {"ready", "ready", false}, /* there may be more */
        {"(?i)READY", "ready\n", true},
        {"caf\xc3\xa9", "caf\xc3\xa9\n", true},
        {"\xc3", "\xff\xc3\n", true}, /* bytes, whatever they are in UTF-8 */
        {"^\\x00x$", "x\n", false},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        struct watch_memory memory = {0};
        struct watch *watch = watch_create(cases[i].pattern, &memory);
        expect(cases[i].output, feed(watch, cases[i].output) == cases[i].seen);
        expect(cases[i].output, memory.seen == cases[i].seen);
        watch_destroy(watch);
    }
}

static void test_once(void)
{
    struct watch_memory memory = {0};
    struct watch *watch = watch_create("ready", &memory);
    g_assert_true(feed(watch, "ready\nready\n"));
    g_assert_false(feed(watch, "ready\n"));
    g_assert_true(memory.seen);
    watch_forget(watch);
    g_assert_false(memory.seen);
    g_assert_true(feed(watch, "ready\n"));
    watch_destroy(watch);
}

/* Any bytes at a time, and whoever watches. */
static void test_pieces(void)
{
    static const char text[] = "boot\nall is ready\nmore\n";
    for (gsize first = 0; first < sizeof(text); first++) {
        struct watch_memory memory = {0};
        struct watch *one = watch_create("^all is ready$", &memory);
        watch_feed(one, text, first);
        watch_destroy(one);
        struct watch *other = watch_create("^all is ready$", &memory);
        watch_feed(other, text + first, strlen(text) - MIN(first, strlen(text)));
        g_assert_true(memory.seen);
        watch_destroy(other);
    }
}

static void test_prompt(void)
{
    struct watch_memory memory = {0};
    struct watch *watch = watch_create("login: $", &memory);
    g_assert_false(watch_look_at_rest(watch));
    g_assert_false(feed(watch, "\r\nvm log"));
    g_assert_false(watch_look_at_rest(watch));
    g_assert_false(feed(watch, "in: "));
    g_assert_true(watch_look_at_rest(watch));
    g_assert_false(watch_look_at_rest(watch));
    g_assert_true(memory.seen);
    watch_destroy(watch);
}

static void test_long_line(void)
{
    struct watch_memory memory = {0};
    struct watch *watch = watch_create("ready", &memory);
    g_autofree char *start = g_strnfill(WATCH_LINE_MAX - 4, 'x');
    feed(watch, start);
    g_assert_false(feed(watch, "ready\n"));
    g_assert_false(feed(watch, start) || feed(watch, "\n"));
    g_assert_cmpuint(memory.length, ==, 0);
    feed(watch, start + 1);
    g_assert_true(feed(watch, "ready, and more that is not looked at\n"));
    watch_destroy(watch);
}

/* Without a limit each of these lines takes longer than anybody lives. */
static void test_hostile(void)
{
    struct watch_memory memory = {0};
    struct watch *watch = watch_create("^(x+x+)+y$", &memory);
    g_autofree char *line = g_strnfill(WATCH_LINE_MAX - 2, 'x');
    for (int i = 0; i < 20000; i++) {
        g_assert_false(feed(watch, line) || feed(watch, "yz\n"));
    }
    watch_destroy(watch);
}

static void test_patterns(void)
{
    static const struct {
        const char *text, *fragment;
    } cases[] = {
        {"(", "at char 1: missing"}, {"a{2,1}", "out of order"}, {"", "empty line"},
        {"x*", "empty line"},        {"^$", "empty line"},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GError) error = NULL;
        g_assert_null(pattern_compile(cases[i].text, &error));
        g_assert_error(error, ERROR_DOMAIN, ERROR_CONFIG);
        expect(cases[i].text, strstr(error->message, cases[i].fragment) != NULL);
    }
    g_autofree char *fits = g_strnfill(PATTERN_MAX, 'x');
    g_autofree char *long_one = g_strnfill(PATTERN_MAX + 1, 'x');
    g_autoptr(GRegex) regex = pattern_compile(fits, NULL);
    g_assert_nonnull(regex);
    g_assert_null(pattern_compile(long_one, NULL));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/watch/lines", test_lines);
    g_test_add_func("/watch/once", test_once);
    g_test_add_func("/watch/pieces", test_pieces);
    g_test_add_func("/watch/prompt", test_prompt);
    g_test_add_func("/watch/long-line", test_long_line);
    g_test_add_func("/watch/hostile", test_hostile);
    g_test_add_func("/watch/patterns", test_patterns);
    return g_test_run();
}
