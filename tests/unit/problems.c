// SPDX-License-Identifier: LGPL-2.1-or-later
#include "tests/unit/expect.h"
#include "tests/unit/fixture.h"

/* A document without problems of its own, to point into. */
static void init(struct fixture *f)
{
    fixture_init(f, "{'ociVersion':'1.0.0',\n"
                    " 'vm':{'image':{'path':'/i'}},\n"
                    " 'annotations':{'a':'b',\n"
                    "                'c':'d'}}");
}

static void check(const struct fixture *f, const char *expected)
{
    g_autofree char *text = oci_problems_format(&f->problems, "FILE");
    g_assert_cmpstr(text, ==, expected);
}

static void test_none(void)
{
    struct fixture f;
    init(&f);
    g_assert_false(oci_problems_any(&f.problems));
    check(&f, "");
    fixture_finish(&f);
}

static void test_places(void)
{
    struct fixture f;
    init(&f);
    oci_problems_add(&f.problems, "annotations.c", "the value %d", 1);
    g_assert_true(oci_problems_any(&f.problems));
    oci_problems_add_key(&f.problems, "annotations.c", "the name");
    oci_problems_add(&f.problems, "vm.kernel.path", "around");
    oci_problems_add_syntax(&f.problems, 9, 7, "the parser");
    oci_problems_add(&f.problems, "", "the whole");
    oci_problems_add_outside(&f.problems, "environment OCIVIRT_X", "elsewhere");
    oci_problems_add_outside(&f.problems, "", "nowhere");
    check(&f, "environment OCIVIRT_X: elsewhere\n"
              "nowhere\n"
              "FILE:1:1: the whole\n"
              "FILE:2:7: vm.kernel.path: around\n"
              "FILE:4:17: annotations.c: the name\n"
              "FILE:4:21: annotations.c: the value 1\n"
              "FILE:9:7: the parser\n");
    fixture_finish(&f);
}

/* At one place the order of detection is kept; a column decides within a line. */
static void test_order(void)
{
    struct fixture f;
    init(&f);
    oci_problems_add_syntax(&f.problems, 2, 10, "a");
    oci_problems_add_syntax(&f.problems, 10, 1, "b");
    oci_problems_add_syntax(&f.problems, 2, 9, "c");
    oci_problems_add_syntax(&f.problems, 2, 10, "d");
    oci_problems_add_syntax(&f.problems, 1, 99, "e");
    oci_problems_add_syntax(&f.problems, 2, 9, "f");
    check(&f, "FILE:1:99: e\nFILE:2:9: c\nFILE:2:9: f\nFILE:2:10: a\nFILE:2:10: d\nFILE:10:1: b\n");
    g_assert_cmpuint(f.problems.list->len, ==, 6); /* formatting consumes nothing */
    check(&f, "FILE:1:99: e\nFILE:2:9: c\nFILE:2:9: f\nFILE:2:10: a\nFILE:2:10: d\nFILE:10:1: b\n");
    fixture_finish(&f);
}

static void test_no_document(void)
{
    struct oci_problems problems;
    oci_problems_init(&problems);
    oci_problems_add(&problems, "vm", "missing");
    g_autofree char *text = oci_problems_format(&problems, "FILE");
    g_assert_cmpstr(text, ==, "vm: missing\n");
    oci_problems_finish(&problems);
}

static void test_too_many(void)
{
    struct fixture f;
    init(&f);
    for (int i = 0; i < OCI_PROBLEMS_MAX; i++) {
        oci_problems_add(&f.problems, "vm", "problem %d", i);
    }
    g_assert_cmpuint(f.problems.dropped, ==, 0);
    oci_problems_add(&f.problems, "vm", "one");
    oci_problems_add_key(&f.problems, "vm", "two");
    oci_problems_add_outside(&f.problems, "", "three");
    oci_problems_add_syntax(&f.problems, 1, 1, "four");
    g_assert_cmpuint(f.problems.list->len, ==, OCI_PROBLEMS_MAX);
    g_assert_cmpuint(f.problems.dropped, ==, 4);
    g_autofree char *text = oci_problems_format(&f.problems, "FILE");
    g_auto(GStrv) lines = g_strsplit(text, "\n", 0);
    g_assert_cmpuint(g_strv_length(lines), ==, OCI_PROBLEMS_MAX + 2); /* and "" at the end */
    g_assert_cmpstr(lines[OCI_PROBLEMS_MAX], ==, "FILE: 4 more problems are not shown");
    fixture_finish(&f);
}

/* One line per problem, whatever a file has put into it: a line break in a name must not look like
 * a message of its own, and a terminal must not be told what to do. */
static void test_hostile(void)
{
    struct fixture f;
    fixture_init(&f, "{'ociVersion':'1.0.0','vm':{'image':{'path':'/i'}},"
                     "'annotations':{'org.ocivirt.accel':'k\\nv\\u001b[2Jm\\u007f',"
                     "'org.ocivirt.a\\nFILE:1:1: b':'c'}}");
    fixture_read_settings(&f, NULL);
    g_assert_cmpuint(f.problems.list->len, ==, 2);
    g_autofree char *text = oci_problems_format(&f.problems, "FILE");
    g_autofree char *visible = g_strescape(text, "\n");
    g_test_message("%s", visible);
    int lines = 0;
    for (const char *c = text; *c != '\0'; c++) {
        lines += *c == '\n';
        g_assert_true(*c == '\n' || !g_ascii_iscntrl(*c));
    }
    g_assert_cmpint(lines, ==, 2);
    fixture_finish(&f);
}

/* U+009B is ESC [ to a terminal that takes eight-bit controls. */
static void test_hostile_c1(void)
{
    struct fixture f;
    init(&f);
    oci_problems_add(&f.problems, "",
                     "a\xc2\x9b"
                     "2Jb\x7f");
    check(&f, "FILE:1:1: a\\u009b2Jb\\u007f\n");
    fixture_finish(&f);
}

/* The environment can hold any bytes; jansson takes no string of which some are no UTF-8. */
static void test_no_utf8(void)
{
    struct fixture f;
    init(&f);
    oci_problems_add_outside(&f.problems, "environment OCIVIRT_ACCEL", "\"\x80\" is not one of");
    check(&f, "environment OCIVIRT_ACCEL: \"\xef\xbf\xbd\" is not one of\n");
    json_t *array = oci_problems_to_json(&f.problems);
    g_assert_cmpuint(json_array_size(array), ==, 1);
    json_decref(array);
    fixture_finish(&f);
}

/* By line, as the text is; what has no place has no line and no column. */
static void test_json(void)
{
    struct fixture f;
    init(&f);
    oci_problems_add(&f.problems, "annotations.c", "the value \"%s\"", "ü\n");
    oci_problems_add(&f.problems, "vm", "a");
    oci_problems_add_outside(&f.problems, "environment OCIVIRT_X", "elsewhere");
    json_t *json = oci_problems_to_json(&f.problems);
    g_autofree char *expected = fixture_json(
        "[{'path':'environment OCIVIRT_X','message':'elsewhere'},"
        "{'path':'vm','message':'a','line':2,'column':7},"
        "{'path':'annotations.c','message':'the value \\\"ü\\n\\\"','line':4,'column':21}]");
    g_autofree char *text = json_dumps(json, JSON_COMPACT);
    g_assert_cmpstr(text, ==, expected);
    json_decref(json);
    fixture_finish(&f);
}

static void test_json_none(void)
{
    struct fixture f;
    init(&f);
    json_t *json = oci_problems_to_json(&f.problems);
    g_assert_true(json_is_array(json));
    g_assert_cmpuint(json_array_size(json), ==, 0);
    json_decref(json);
    fixture_finish(&f);
}

/* What is wrong is behind the place and the value: neither may push it out of a message. */
static void test_long_words(void)
{
    struct fixture f;
    init(&f);
    g_autofree char *endless = g_strnfill(300, 'x');
    g_autofree char *path = oci_path_child("annotations", endless);
    oci_problems_add(&f.problems, path, "wrong");
    g_autofree char *text = oci_problems_format(&f.problems, "FILE");
    g_assert_true(g_str_has_suffix(text, "xxx…: wrong\n"));
    g_assert_cmpuint(strlen(text), <, 200);
    /* Whoever reads it by program gets it whole. */
    json_t *json = oci_problems_to_json(&f.problems);
    g_assert_cmpstr(json_string_value(json_object_get(json_array_get(json, 0), "path")), ==, path);
    json_decref(json);
    fixture_finish(&f);

    g_autofree char *sixty = g_strnfill(60, 'x');
    g_autofree char *whole = oci_problems_shorten(sixty);
    g_assert_cmpstr(whole, ==, sixty);
    g_autofree char *cut = oci_problems_shorten(endless);
    g_assert_true(g_str_has_prefix(cut, sixty) && g_str_equal(cut + 60, "…"));
    g_autofree char *odd = oci_problems_shorten("a\xff");
    g_assert_cmpstr(odd, ==, "a\xef\xbf\xbd");
}

/* What is around a place, and nothing that only begins with the same letters. */
static void test_cover(void)
{
    static const struct {
        const char *problem, *path;
        bool covers, within;
    } cases[] = {
        {"vm", "vm", true, true},
        {"vm", "vm.kernel.path", true, false},
        {"vm.kernel", "vm", false, true},
        {"vm.kernel", "vm.kernels", false, false},
        {"vm.kernels", "vm.kernel", false, false},
        {"mounts", "mounts[3]", true, false},
        {"mounts[3]", "mounts", false, true},
        {"mounts[3]", "mounts[3].source", true, false},
        {"mounts[3]", "mounts[30]", false, false},
        {"mounts[30]", "mounts[3]", false, false},
        {"annotations[\"a.b\"]", "annotations", false, true},
        {"annotations[\"a.b\"]", "annotations[\"a.b\"]", true, true},
        {"annotations[\"a.b\"]", "annotations.a", false, false},
        {"", "vm", false, false},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        struct fixture f;
        init(&f);
        oci_problems_add(&f.problems, cases[i].problem, "x");
        expect(cases[i].path, oci_problems_cover(&f.problems, cases[i].path) == cases[i].covers);
        expect(cases[i].path, oci_problems_within(&f.problems, cases[i].path) == cases[i].within);
        fixture_finish(&f);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_set_nonfatal_assertions();
    g_test_add_func("/problems/none", test_none);
    g_test_add_func("/problems/places", test_places);
    g_test_add_func("/problems/order", test_order);
    g_test_add_func("/problems/no-document", test_no_document);
    g_test_add_func("/problems/too-many", test_too_many);
    g_test_add_func("/problems/hostile", test_hostile);
    g_test_add_func("/problems/hostile-c1", test_hostile_c1);
    g_test_add_func("/problems/no-utf8", test_no_utf8);
    g_test_add_func("/problems/json", test_json);
    g_test_add_func("/problems/json-none", test_json_none);
    g_test_add_func("/problems/long-words", test_long_words);
    g_test_add_func("/problems/cover", test_cover);
    return g_test_run();
}
