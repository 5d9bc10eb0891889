// SPDX-License-Identifier: LGPL-2.1-or-later
#include "tests/unit/expect.h"
#include "tests/unit/fixture.h"

/* A document of @text (not quoted, @length bytes), parsed without a problem or not. */
static bool parse(struct fixture *f, const char *text, gsize length)
{
    *f = (struct fixture){.warnings = g_ptr_array_new()};
    oci_problems_init(&f->problems);
    char *copy = g_malloc0(length + 1);
    memcpy(copy, text, length);
    return oci_document_init(&f->document, copy, length, &f->problems);
}

/* "LINE:COLUMN" of @offset. */
static char *place(const struct oci_document *document, gsize offset)
{
    unsigned line, column;
    oci_document_line_column(document, offset, &line, &column);
    return g_strdup_printf("%u:%u", line, column);
}

/* Whether the value at @path is there; where its name and it stand. */
static bool locate(const struct oci_document *document, const char *path, char **key, char **value)
{
    struct oci_position position;
    bool found = oci_document_locate(document, path, &position);
    *key = place(document, position.key);
    *value = place(document, position.value);
    return found;
}

/* The integer at @path, long or not. */
static bool read_unsigned(const struct oci_document *document, const char *path, guint64 *value)
{
    struct oci_position position;
    g_autofree char *token = oci_document_token(document, path);
    return oci_document_locate(document, path, &position) && token != NULL &&
           g_ascii_string_to_unsigned(token, 10, 0, G_MAXUINT64, value, NULL);
}

/* What the tree holds in place of the member @name of the root, as digits; NULL: no long integer.
 */
static char *long_integer(const struct oci_document *document, const char *name)
{
    json_t *value = json_object_get(document->root, name);
    return json_is_real(value) ? oci_document_long_integer(document, json_real_value(value)) : NULL;
}

struct expected {
    const char *path;
    bool found;
    const char *key, *value;
};

static void check_places(const char *text, const struct expected *expected, gsize n)
{
    struct fixture f;
    g_assert_true(parse(&f, text, strlen(text)));
    for (gsize i = 0; i < n; i++) {
        g_autofree char *key = NULL, *value = NULL;
        bool found = locate(&f.document, expected[i].path, &key, &value);
        expect(expected[i].path, found == expected[i].found);
        expect_str(expected[i].path, key, expected[i].key);
        expect_str(expected[i].path, value, expected[i].value);
    }
    fixture_finish(&f);
}

static void test_nested(void)
{
    static const char text[] = "\n"
                               "  {\"a\": 1,\n"
                               "   \"b\" :\n"
                               "      {\"c\": [10, [ 20 , 21], {\"d\": null}, \"x,]}\"],\n"
                               "\t\"e\":true, \"f\":{}, \"g\":[]}}\n";
    static const struct expected expected[] = {
        {"", true, "2:3", "2:3"},
        {"a", true, "2:4", "2:9"},
        {"b", true, "3:4", "4:7"},
        {"b.c", true, "4:8", "4:13"},
        {"b.c[0]", true, "4:14", "4:14"},
        {"b.c[1]", true, "4:18", "4:18"},
        {"b.c[1][1]", true, "4:25", "4:25"},
        {"b.c[2]", true, "4:30", "4:30"},
        {"b.c[2].d", true, "4:31", "4:36"},
        {"b.c[3]", true, "4:43", "4:43"},
        {"b.e", true, "5:2", "5:6"},
        {"b[\"e\"]", true, "5:2", "5:6"},
        {"b.g", true, "5:20", "5:24"},
        /* what is not there is missing from the innermost thing around it */
        {"z", false, "2:3", "2:3"},
        {"z.y.x", false, "2:3", "2:3"},
        {"a.b", false, "2:4", "2:9"},
        {"b.z", false, "3:4", "4:7"},
        {"b.c[4]", false, "4:8", "4:13"},
        {"b.c[1][2]", false, "4:18", "4:18"},
        {"b.c[1].x", false, "4:18", "4:18"},
        {"b.f.x", false, "5:12", "5:16"},
        {"b.g[0]", false, "5:20", "5:24"},
        {"b[0]", false, "3:4", "4:7"},
        {"b.c[18446744073709551616]", false, "4:8", "4:13"},
    };
    check_places(text, expected, G_N_ELEMENTS(expected));
}

/* Columns are bytes: an editor's "go to byte" and the eye agree up to the first umlaut. */
static void test_utf8(void)
{
    static const char text[] = "{\"ä\": \"ö\", \"b\": 1,\n \"€\": {\"𝄞\": 2}}";
    static const struct expected expected[] = {
        {"ä", true, "1:2", "1:8"},
        {"b", true, "1:14", "1:19"},
        {"€", true, "2:2", "2:9"},
        {"€.𝄞", true, "2:10", "2:18"},
    };
    check_places(text, expected, G_N_ELEMENTS(expected));
}

static void test_line_ends(void)
{
    static const char text[] = "{\r\n  \"a\": 1,\r\n  \"b\": [\r\n    2\r\n  ]\r\n}\r\n";
    static const struct expected expected[] = {
        {"a", true, "2:3", "2:8"},
        {"b", true, "3:3", "3:8"},
        {"b[0]", true, "4:5", "4:5"},
    };
    check_places(text, expected, G_N_ELEMENTS(expected));
}

static void test_escaped_keys(void)
{
    static const char text[] =
        "{\"a\\\"b\": 1, \"c\\\\\": 2, \"\\u0064\": 3, \"e.f\": 4, \"g[0]\": 5,\n"
        "\"\": 6, \"h i\": 7, \"\\uD834\\uDD1E\": 8, \"\\n\": 9,\n"
        "\"x\": \"\\\"y\\\": \\\\\", \"y\": 10}";
    static const struct expected expected[] = {
        {"[\"a\\\"b\"]", true, "1:2", "1:10"}, {"[\"c\\\\\"]", true, "1:13", "1:20"},
        {"d", true, "1:23", "1:33"},           {"[\"e.f\"]", true, "1:36", "1:43"},
        {"[\"g[0]\"]", true, "1:46", "1:54"},  {"[\"\"]", true, "2:1", "2:5"},
        {"[\"h i\"]", true, "2:8", "2:15"},    {"𝄞", true, "2:18", "2:34"},
        {"[\"\n\"]", true, "2:37", "2:43"},    {"y", true, "3:19", "3:24"},
        {"e.f", false, "1:1", "1:1"},
    };
    check_places(text, expected, G_N_ELEMENTS(expected));
}

/* Any name that JSON can have can be made a path of, and is found by it. */
static void test_child(void)
{
    static const struct {
        const char *parent, *name, *path;
    } cases[] = {
        {"", "vm", "vm"},
        {"vm", "kernel", "vm.kernel"},
        {"annotations", "plain", "annotations.plain"},
        {"annotations", "org.ocivirt.memory", "annotations[\"org.ocivirt.memory\"]"},
        {"annotations", "", "annotations[\"\"]"},
        {"annotations", "a b", "annotations[\"a b\"]"},
        {"annotations", "a\"b", "annotations[\"a\\\"b\"]"},
        {"annotations", "a\\b", "annotations[\"a\\\\b\"]"},
        {"annotations", "[0]", "annotations[\"[0]\"]"},
        {"", "a.b", "[\"a.b\"]"},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *path = oci_path_child(cases[i].parent, cases[i].name);
        g_assert_cmpstr(path, ==, cases[i].path);
    }

    static const char *const names[] = {"",    ".",   "..",     "[",  "]",    "\"", "\\",   "\\\"",
                                        "\"]", "[\"", "a.b[0]", "\n", "ä\tö", " ",  "\"].x"};
    for (gsize i = 0; i < G_N_ELEMENTS(names); i++) {
        json_t *root = json_pack("{s{sssi}}", "o", "other", "", names[i], (int)i);
        char *text = json_dumps(root, 0);
        struct fixture f;
        g_assert_true(parse(&f, text, strlen(text)));
        g_autofree char *path = oci_path_child("o", names[i]);
        guint64 number = 0;
        expect(path, read_unsigned(&f.document, path, &number));
        expect_uint(path, number, i);
        fixture_finish(&f);
        free(text);
        json_decref(root);
    }
}

/* Words that are no path of ours must not lead astray, or out of the text. */
static void test_odd_paths(void)
{
    static const char *const paths[] = {"[", "[\"", "[\"a", "[\"a\\", "[\"a\"", "a..b",
                                        ".", "a[",  "a[x]", "a[-1]",  "a[0",    "[]",
                                        "]", "a[[", "a[\"", "....",   "a.b.c.d"};
    struct fixture f;
    fixture_init(&f, "{'a':[1,{'b':2}],'b':{'':{}}}");
    for (gsize i = 0; i < G_N_ELEMENTS(paths); i++) {
        struct oci_position position;
        oci_document_locate(&f.document, paths[i], &position);
        expect(paths[i], position.value < f.document.length);
        expect(paths[i], position.key <= position.value);
    }
    static const char cut[] = "a[1\0.b"; /* what is behind the end is not looked at */
    struct oci_position position;
    g_assert_true(oci_document_locate(&f.document, cut, &position));
    g_assert_cmpuint(position.value, ==, strlen("{'a':[1,"));
    fixture_finish(&f);
}

/* jansson alone would refuse each of these files for its integers. */
static void test_long_integers(void)
{
    static const char text[] =
        "{\"rlimit\": 18446744073709551615,\n"
        " \"in\": [1, 18446744073709551615 , [18446744073709551614]],\n"
        " \"text\": \"18446744073709551615\",\n"
        " \"quotes\": \"a\\\"18446744073709551615\\\\\", \"after\":18446744073709551613,\n"
        " \"\\\\\": 18446744073709551612, \"12345678901234567890123\": 7,\n"
        " \"min\": -9223372036854775808, \"max\": 9223372036854775807,\n"
        " \"under\": -18446744073709551615, \"beyond\": 18446744073709551616,\n"
        " \"real\": 12345678901234567890.5, \"exponent\": 12345678901234567890e1,\n"
        " \"forged\": 9e-300, \"zero\": 0.0, \"tiny\": 1e-300, \"minus\": -0.2E-299,\n"
        " \"last\":18446744073709551611}";
    static const struct {
        const char *path;
        guint64 value;
    } integers[] = {
        {"rlimit", G_MAXUINT64},
        {"in[0]", 1},
        {"in[1]", G_MAXUINT64},
        {"in[2][0]", G_MAXUINT64 - 1},
        {"after", G_MAXUINT64 - 2},
        {"[\"\\\\\"]", G_MAXUINT64 - 3},
        {"max", G_MAXINT64},
        {"last", G_MAXUINT64 - 4},
        {"12345678901234567890123", 7},
    };
    static const char *const none[] = {"text", "quotes", "min",      "under", "beyond",
                                       "real", "in",     "exponent", "nope",  ""};
    struct fixture f;
    g_assert_true(parse(&f, text, strlen(text)));
    for (gsize i = 0; i < G_N_ELEMENTS(integers); i++) {
        guint64 value = 0;
        expect(integers[i].path, read_unsigned(&f.document, integers[i].path, &value));
        expect_uint(integers[i].path, value, integers[i].value);
    }
    for (gsize i = 0; i < G_N_ELEMENTS(none); i++) {
        guint64 value;
        expect(none[i], !read_unsigned(&f.document, none[i], &value));
    }
    static const char *const longs[][2] = {
        {"rlimit", "18446744073709551615"},
        {"after", "18446744073709551613"},
        {"\\", "18446744073709551612"},
        {"under", "-18446744073709551615"},
        {"beyond", "18446744073709551616"},
        {"last", "18446744073709551611"},
        {"real", NULL},
        {"exponent", NULL},
        {"min", NULL},
        {"max", NULL},
        {"forged", NULL},
        {"tiny", NULL},
        {"minus", NULL},
        {"zero", NULL},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(longs); i++) {
        g_autofree char *digits = long_integer(&f.document, longs[i][0]);
        expect_str(longs[i][0], digits, longs[i][1]);
    }
    /* Strings are as they were, and so is the text that is looked into for positions. */
    json_t *root = f.document.root;
    g_assert_cmpstr(json_string_value(json_object_get(root, "text")), ==, "18446744073709551615");
    g_assert_cmpstr(json_string_value(json_object_get(root, "quotes")), ==,
                    "a\"18446744073709551615\\");
    g_assert_cmpfloat(json_real_value(json_object_get(root, "real")), ==, 12345678901234567890.5);
    g_assert_cmpfloat(json_real_value(json_object_get(root, "exponent")), ==,
                      12345678901234567890e1);
    g_assert_cmpstr(f.document.text, ==, text);
    fixture_finish(&f);
}

/* JSON has no largest integer: one that nobody reads is no reason to refuse a file. */
static void test_endless_integer(void)
{
    g_autofree char *digits = g_strnfill(400, '9');
    g_autofree char *json = g_strdup_printf("{'unknown':%s}", digits);
    g_strdelimit(json, "'", '"');
    struct fixture f;
    g_assert_true(parse(&f, json, strlen(json)));
    g_assert_true(fixture_is_fine(&f));
    fixture_finish(&f);
}

static void test_syntax(void)
{
    static const struct {
        const char *text;
        unsigned line, column; /* column 0: somewhere in the word at fault */
    } cases[] = {
        {"", 1, 1},
        {" \n ", 2, 1},
        {"hello", 1, 0},
        {"{", 1, 1},
        {"{\"a\": 1", 1, 0},
        {"{\"a\": 1}}", 1, 9},
        {"{\"a\": 1} x", 1, 10},
        {"{\"a\": 1,\n \"b\": }", 2, 7},
        {"{\"a\": 1,}", 1, 9},
        {"{\"a\" 1}", 1, 6},
        {"{'a': 1}", 1, 2},
        {"{\"a\": 01}", 1, 0},
        {"{\"a\": +1}", 1, 7},
        {"{\"a\": .5}", 1, 7},
        {"{\"a\": 00000000000000000000000}", 1, 0},
        {"{\"a\": NaN}", 1, 0},
        {"{\"a\": True}", 1, 0},
        {"{\"a\": // x\n1}", 1, 7},
        {"{\"a\": \"x\ny\"}", 1, 0},
        {"{\"a\": \"\\x\"}", 1, 0},
        {"{\"a\": \"\xff\"}", 1, 0},
        {"{\"a\": 1, \"a\": 2}", 1, 0},
        {"{\"o\": {\n \"a\": 1,\n \"b\": 1,\n \"a\": 2}}", 4, 0},
        {"{\"a\": 1, \"\\u0061\": 2}", 1, 0},
        {"{\"ä\": 1,,}", 1, 10},
    };
    /* The whole of what is said, where a number is not what jansson reads. */
    static const char *const messages[][2] = {
        {"{\"a\": 1 \"b\": 2}", "there must be a comma before this, or a closing bracket"},
        {"{\"a\" 18446744073709551615}", "':' expected"},
        {"{18446744073709551615: 1}", "names must stand between \""},
        {"{\"a\": -18446744073709551615e}", "invalid token"},
        {"{\"a\": {, -18446744073709551615}", "string or '}' expected near ','"},
        {"{\"a\" 1e-300}", "':' expected"},
        {"{\"a\" 2}", "':' expected near '2'"},
        {"{\"a\": 01e-300}", "invalid token near '0'"},
        {"{\"a\": 1.e-300}", "invalid token near '1.'"},
        {"{} 18446744073709551615", "end of file expected"},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(messages); i++) {
        const char *text = messages[i][0];
        struct fixture f;
        expect(text, !parse(&f, text, strlen(text)));
        g_autofree char *message = g_strconcat("not valid JSON: ", messages[i][1], NULL);
        const struct oci_problem *problem = g_ptr_array_index(f.problems.list, 0);
        expect_str(text, problem->message, message);
        fixture_finish(&f);
    }
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        const char *text = cases[i].text;
        struct fixture f;
        expect(text, !parse(&f, text, strlen(text)));
        expect(text, f.document.root == NULL);
        g_assert_cmpuint(f.problems.list->len, ==, 1);
        const struct oci_problem *problem = g_ptr_array_index(f.problems.list, 0);
        expect(text, strstr(problem->message, "JSON") != NULL);
        expect_uint(text, problem->line, cases[i].line);
        if (cases[i].column != 0) {
            expect_uint(text, problem->column, cases[i].column);
        }
        expect(text, problem->column >= 1 && problem->column <= strlen(text) + 1);
        fixture_finish(&f);
    }
}

/* What editors on Windows write in front is not the fault of the first character that one sees. */
static void test_byte_order_mark(void)
{
    struct fixture f;
    g_assert_false(parse(&f, "\xef\xbb\xbf{}", 5));
    g_assert_true(fixture_has_only(&f, "", "byte order mark"));
    fixture_finish(&f);
}

static void test_nul_in_text(void)
{
    static const char text[] = "{\"a\": 1, \0 \"b\": 2}";
    struct fixture f;
    g_assert_false(parse(&f, text, sizeof(text) - 1));
    g_assert_cmpuint(f.problems.list->len, ==, 1);
    fixture_finish(&f);
    g_assert_false(parse(&f, "{}\0", 3));
    fixture_finish(&f);
}

static void test_root_is_no_object(void)
{
    static const char *const texts[] = {"[]", "[{\"ociVersion\": \"1.0.0\"}]"};
    for (gsize i = 0; i < G_N_ELEMENTS(texts); i++) {
        struct fixture f;
        g_assert_false(parse(&f, texts[i], strlen(texts[i])));
        g_assert_true(fixture_has_only(&f, "", "must be a JSON object"));
        fixture_finish(&f);
    }
}

static void test_depth(void)
{
    static const struct {
        gsize depth; /* of arrays, in one object */
        bool ok;
    } cases[] = {{1, true}, {63, true}, {64, false}, {65, false}, {200000, false}};
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        GString *text = g_string_new("{\"a\":");
        g_autofree char *open = g_strnfill(cases[i].depth, '[');
        g_autofree char *closed = g_strnfill(cases[i].depth, ']');
        g_string_append_printf(text, "%s%s, \"b\": [[\"]\"]]}", open, closed);
        struct fixture f;
        bool ok = parse(&f, text->str, text->len);
        g_assert_cmpint(ok, ==, cases[i].ok);
        if (!ok) {
            g_assert_true(fixture_has_only(&f, "", "nested deeper than 64"));
            const struct oci_problem *problem = g_ptr_array_index(f.problems.list, 0);
            g_assert_cmpuint(problem->column, ==, 6 + 63); /* the bracket that is too much */
        }
        g_string_free(text, TRUE);
        fixture_finish(&f);
    }
}

static void test_string_length(void)
{
    static const struct {
        gsize length; /* with its quotes */
        bool ok;
    } cases[] = {{OCI_DOCUMENT_MAX_STRING, true}, {OCI_DOCUMENT_MAX_STRING + 1, false}};
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *letters = g_strnfill(cases[i].length - 2, 'x');
        g_autofree char *text = g_strdup_printf("{\n\"a\": \"%s\"}", letters);
        struct fixture f;
        bool ok = parse(&f, text, strlen(text));
        g_assert_cmpint(ok, ==, cases[i].ok);
        if (!ok) {
            g_assert_true(fixture_has_only(&f, "", "longer than 256 KiB"));
            const struct oci_problem *problem = g_ptr_array_index(f.problems.list, 0);
            g_assert_cmpuint(problem->line, ==, 2);
            g_assert_cmpuint(problem->column, ==, 6);
        }
        fixture_finish(&f);
    }
}

/* Cut off anywhere, a file is refused, and nothing is read past its end. */
static void test_every_prefix(void)
{
    static const char text[] = "{\"a\\\"\": [1, {\"b\": \"\\u00e4\\\\\"}, 18446744073709551615],"
                               " \"c\": {\"d\": -1.5e3, \"e\": [true, null]}}";
    for (gsize length = 0; length < strlen(text); length++) {
        struct fixture f;
        g_assert_false(parse(&f, text, length));
        g_assert_cmpuint(f.problems.list->len, ==, 1);
        struct oci_position position;
        g_assert_false(oci_document_locate(&f.document, "c.e[1]", &position));
        fixture_finish(&f);
    }
    struct fixture f;
    g_assert_true(parse(&f, text, strlen(text)));
    fixture_finish(&f);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_set_nonfatal_assertions();
    g_test_add_func("/document/nested", test_nested);
    g_test_add_func("/document/utf8", test_utf8);
    g_test_add_func("/document/line-ends", test_line_ends);
    g_test_add_func("/document/escaped-keys", test_escaped_keys);
    g_test_add_func("/document/child", test_child);
    g_test_add_func("/document/odd-paths", test_odd_paths);
    g_test_add_func("/document/long-integers", test_long_integers);
    g_test_add_func("/document/endless-integer", test_endless_integer);
    g_test_add_func("/document/syntax", test_syntax);
    g_test_add_func("/document/byte-order-mark", test_byte_order_mark);
    g_test_add_func("/document/nul-in-text", test_nul_in_text);
    g_test_add_func("/document/root-is-no-object", test_root_is_no_object);
    g_test_add_func("/document/depth", test_depth);
    g_test_add_func("/document/string-length", test_string_length);
    g_test_add_func("/document/every-prefix", test_every_prefix);
    return g_test_run();
}
