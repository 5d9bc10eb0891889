// SPDX-License-Identifier: LGPL-2.1-or-later
#include "oci/seccomp_choose.h"
#include "tests/unit/expect.h"
#include "tests/unit/fixture.h"

#include <glib/gstdio.h>

/* Which profile is taken, and who is told of what is wrong with it; what filters do is seccomp.c's.
 */

#define BOOT "'ociVersion':'1.0.0','vm':{'image':{'path':'/i'}}"
#define WITH_PROFILE "{" BOOT ",'linux':{'seccomp':{'defaultAction':'SCMP_ACT_ALLOW'}}}"
#define WITH_SETTING(value) "{" BOOT ",'annotations':{'org.ocivirt.seccomp':'" value "'}}"

static char *bundle;

static void put_file(const char *name, const char *quoted)
{
    g_autofree char *path = g_build_filename(bundle, name, NULL);
    g_autofree char *text = fixture_json(quoted);
    g_assert_true(g_file_set_contents(path, text, -1, NULL));
}

static void init(struct fixture *f, const char *json, const char *variable)
{
    const char *const environment[] = {variable, NULL};
    fixture_init(f, json);
    fixture_read_settings(f, environment);
    g_assert_true(fixture_is_fine(f));
}

static void test_source(void)
{
    static const struct {
        const char *json, *variable;
        enum oci_seccomp_source source;
    } cases[] = {
        {"{" BOOT "}", NULL, OCI_SECCOMP_DEFAULT},
        {"{" BOOT ",'linux':{'seccomp':null}}", NULL, OCI_SECCOMP_DEFAULT},
        {WITH_PROFILE, NULL, OCI_SECCOMP_CONFIG},
        {WITH_PROFILE, "OCIVIRT_SECCOMP=default", OCI_SECCOMP_DEFAULT},
        {WITH_PROFILE, "OCIVIRT_SECCOMP=off", OCI_SECCOMP_OFF},
        {WITH_PROFILE, "OCIVIRT_SECCOMP=./p.json", OCI_SECCOMP_FILE},
        {"{" BOOT "}", "OCIVIRT_SECCOMP=config", OCI_SECCOMP_CONFIG},
        {WITH_SETTING("off"), NULL, OCI_SECCOMP_OFF},
        {WITH_SETTING("/p"), "OCIVIRT_SECCOMP=default", OCI_SECCOMP_DEFAULT},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        struct fixture f;
        init(&f, cases[i].json, cases[i].variable);
        expect(cases[i].json, oci_seccomp_source(f.config, &f.settings) == cases[i].source);
        fixture_finish(&f);
    }
}

/* Whether there is a filter; the problems and warnings are the fixture's. */
static bool choose(struct fixture *f, const char *json, const char *variable)
{
    unsigned flags = 99;
    init(f, json, variable);
    GBytes *filter =
        oci_seccomp_choose(f->config, &f->settings, bundle, &f->problems, f->warnings, &flags);
    g_assert_cmpuint(flags, !=, 99);
    bool there = filter != NULL && g_bytes_get_size(filter) > 0;
    g_clear_pointer(&filter, g_bytes_unref);
    return there;
}

static void test_filters(void)
{
    static const struct {
        const char *json, *variable;
        bool filter;
    } cases[] = {
        {"{" BOOT "}", NULL, true},
        {WITH_PROFILE, NULL, true},
        {WITH_PROFILE, "OCIVIRT_SECCOMP=off", false},
        {"{" BOOT "}", "OCIVIRT_SECCOMP=./good.json", true},
    };
    put_file("good.json", "{'defaultAction':'SCMP_ACT_ALLOW',"
                          "'syscalls':[{'names':['swapon'],'action':'SCMP_ACT_ERRNO'}]}");
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        struct fixture f;
        expect(cases[i].json, choose(&f, cases[i].json, cases[i].variable) == cases[i].filter);
        expect(cases[i].json, fixture_is_fine(&f));
        expect_uint(cases[i].json, f.warnings->len, 0);
        fixture_finish(&f);
    }
}

static void test_absolute_file(void)
{
    g_autofree char *variable = g_strdup_printf("OCIVIRT_SECCOMP=%s/good.json", bundle);
    struct fixture f;
    g_assert_true(choose(&f, "{" BOOT "}", variable));
    g_assert_true(fixture_is_fine(&f));
    fixture_finish(&f);
}

/* Whoever has named the profile is told what is wrong: annotation, or variable. */
static void test_problems(void)
{
    static const struct {
        const char *json, *variable;
        const char *where, *message;
    } cases[] = {
        {WITH_SETTING("config"), NULL, "annotations[\"org.ocivirt.seccomp\"]",
         "there is no profile in the config"},
        {"{" BOOT "}", "OCIVIRT_SECCOMP=config", "environment OCIVIRT_SECCOMP",
         "there is no profile in the config"},
        {WITH_SETTING("./none.json"), NULL, "annotations[\"org.ocivirt.seccomp\"]",
         "none.json: No such file or directory"},
        {WITH_SETTING("./no-json.json"), NULL, "annotations[\"org.ocivirt.seccomp\"]",
         "/no-json.json:1:13: not valid JSON"},
        {WITH_SETTING("./bad.json"), NULL, "annotations[\"org.ocivirt.seccomp\"]",
         "/bad.json:1:18: defaultAction: \"ALLOW\" is not one of"},
    };
    put_file("no-json.json", "defaultAction");
    put_file("bad.json", "{'defaultAction':'ALLOW'}");
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        struct fixture f;
        expect(cases[i].json, !choose(&f, cases[i].json, cases[i].variable));
        expect(cases[i].json, fixture_has_only(&f, cases[i].where, cases[i].message));
        fixture_finish(&f);
    }
}

/* Each by itself, not the first. */
static void test_several_problems(void)
{
    struct fixture f;
    put_file("several.json", "{'defaultAction':'X','syscalls':[{'names':[],'action':'Y'}]}");
    g_assert_false(choose(&f, WITH_SETTING("./several.json"), NULL));
    g_assert_cmpuint(f.problems.list->len, ==, 3);
    fixture_finish(&f);
}

/* A call that this libseccomp does not know is left out, and that is said. */
static void test_warnings(void)
{
    struct fixture f;
    put_file("new.json", "{'defaultAction':'SCMP_ACT_ERRNO',"
                         "'syscalls':[{'names':['no_such_call'],'action':'SCMP_ACT_ALLOW'}]}");
    g_assert_true(choose(&f, WITH_SETTING("./new.json"), NULL));
    g_assert_true(fixture_is_fine(&f));
    g_assert_cmpuint(f.warnings->len, ==, 1);
    const char *warning = g_ptr_array_index(f.warnings, 0);
    g_assert_nonnull(strstr(warning, "/new.json: "));
    g_assert_nonnull(strstr(warning, "no_such_call"));
    fixture_finish(&f);
}

static void remove_bundle(void)
{
    static const char *const files[] = {"good.json", "no-json.json", "bad.json", "several.json",
                                        "new.json"};
    for (gsize i = 0; i < G_N_ELEMENTS(files); i++) {
        g_autofree char *path = g_build_filename(bundle, files[i], NULL);
        g_unlink(path);
    }
    g_assert_cmpint(g_rmdir(bundle), ==, 0);
    g_free(bundle);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_set_nonfatal_assertions();
    bundle = g_dir_make_tmp("ocivirt-test-XXXXXX", NULL);
    g_test_add_func("/seccomp-choose/source", test_source);
    g_test_add_func("/seccomp-choose/filters", test_filters);
    g_test_add_func("/seccomp-choose/absolute-file", test_absolute_file);
    g_test_add_func("/seccomp-choose/problems", test_problems);
    g_test_add_func("/seccomp-choose/several-problems", test_several_problems);
    g_test_add_func("/seccomp-choose/warnings", test_warnings);
    int status = g_test_run();
    remove_bundle();
    return status;
}
