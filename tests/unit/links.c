// SPDX-License-Identifier: LGPL-2.1-or-later
#include "src/host/links.h"
#include "tests/unit/expect.h"

#include <glib/gstdio.h>
#include <unistd.h>

/* The temporary directory, which the rows write as "@"; without a link itself. */
static char *scratch;

static char *in_scratch(const char *text)
{
    g_auto(GStrv) parts = g_strsplit(text, "@", -1);
    return g_strjoinv(scratch, parts);
}

static void put_link(const char *name, const char *target)
{
    g_autofree char *at = in_scratch(name), *to = in_scratch(target);
    g_assert_cmpint(symlink(to, at), ==, 0);
}

static void test_follow(void)
{
    static const struct {
        const char *path;
        const char *way; /* joined by blanks */
    } cases[] = {
        {"/", "/"},
        {"//", "/"},
        {"@/folder", "@/folder"},
        {"/@//folder/.", "@/folder"},
        {"@/folder/../folder/none/../x", "@/folder @/folder/none @/folder/x"},
        {"@/none/of/these", "@/none/of/these"},
        {"@/alias", "@/alias @/folder"},
        {"@/alias/x", "@/alias @/folder/x"},
        {"@/alias/..", "@/alias @/folder @"},
        {"@/relative/x", "@/relative @/folder/x"},
        {"@/two", "@/two @/alias @/folder"},
        {"@/folder/up/alias/x", "@/folder/up @/folder @/alias @/folder/x"},
        {"@/dangling", "@/dangling @/not/there"},
        {"/proc/self/root@/folder", "@/folder"},
    };
    put_link("@/alias", "@/folder");
    put_link("@/relative", "./folder");
    put_link("@/two", "alias");
    put_link("@/folder/up", "..");
    put_link("@/dangling", "not/there");
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *path = in_scratch(cases[i].path), *wanted = in_scratch(cases[i].way);
        g_auto(GStrv) way = links_follow(path);
        g_autofree char *text = g_strjoinv(" ", way);
        /* /proc/self is a link, too, to the number of this process. */
        bool of_proc = g_str_has_prefix(path, "/proc");
        expect(cases[i].path, of_proc ? g_str_has_suffix(text, wanted) : g_str_equal(text, wanted));
    }
}

static void test_loop(void)
{
    put_link("@/loop", "@/loop");
    g_autofree char *path = in_scratch("@/loop/x");
    g_auto(GStrv) way = links_follow(path);
    g_assert_cmpuint(g_strv_length(way), ==, 41);
    g_assert_cmpstr(way[40], ==, path);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_set_nonfatal_assertions();
    g_autofree char *made = g_dir_make_tmp("ocivirt-links-XXXXXX", NULL);
    g_assert_nonnull(made);
    scratch = realpath(made, NULL);
    g_autofree char *folder = in_scratch("@/folder");
    g_assert_cmpint(g_mkdir(folder, 0700), ==, 0);
    g_test_add_func("/links/follow", test_follow);
    g_test_add_func("/links/loop", test_loop);
    int status = g_test_run();
    static const char *const names[] = {"@/alias",     "@/relative", "@/two",
                                        "@/folder/up", "@/dangling", "@/loop"};
    for (gsize i = 0; i < G_N_ELEMENTS(names); i++) {
        g_autofree char *name = in_scratch(names[i]);
        g_unlink(name);
    }
    g_rmdir(folder);
    g_rmdir(scratch);
    free(scratch);
    return status;
}
