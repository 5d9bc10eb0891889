// SPDX-License-Identifier: LGPL-2.1-or-later

/*
 * Every row of the tables of oci/fields.h, by itself: what it takes arrives in struct oci_config,
 * and for each way of being wrong there is one problem, at its place. All that was tried, and all
 * that was said, is tests/golden/rows.txt: a line is PATH = VALUE → MESSAGE, with the place in
 * front of the message where it is not PATH.
 */

#include "oci/decode.h"
#include "oci/problems.h"
#include "tests/unit/expectation.h"
#include "tests/unit/rows.h"

#define GOLDEN "tests/golden/rows.txt"

struct findings {
    char *path; /* of the row; of the test, too */
    GPtrArray *complaints;
};

static GPtrArray *tests; /* of struct findings */
static GString *lines;   /* of the golden file */

static void complain(struct findings *findings, const char *format, ...) G_GNUC_PRINTF(2, 3);

static void complain(struct findings *findings, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    g_ptr_array_add(findings->complaints, g_strdup_vprintf(format, args));
    va_end(args);
}

/* --- one document --- */

struct attempt {
    struct oci_document document;
    struct oci_problems problems;
    struct oci_config config;
};

static void attempt_init(struct attempt *attempt, const struct row *row, const char *json)
{
    *attempt = (struct attempt){0};
    char *text = row_document(row, json);
    oci_problems_init(&attempt->problems);
    if (!oci_document_init(&attempt->document, text, strlen(text), &attempt->problems)) {
        g_error("not JSON: %s", text);
    }
    struct oci_decoder decoder = {&attempt->document, "/bundle", &attempt->problems};
    oci_decode(&decoder, attempt->document.root, oci_fields_config, &attempt->config);
}

static void attempt_finish(struct attempt *attempt)
{
    oci_decode_clear(oci_fields_config, &attempt->config);
    oci_document_finish(&attempt->document);
    oci_problems_finish(&attempt->problems);
}

/* For a reader: a long string is told by its length. */
static void append_json(GString *out, const char *json)
{
    if (json == NULL) {
        g_string_append(out, "(absent)");
    } else if (strlen(json) > 80) {
        g_string_append_printf(out, "%.20s… (%zu characters)", json, strlen(json));
    } else {
        g_string_append(out, json);
    }
}

static void record(const struct attempt *attempt, const char *path, const char *json)
{
    g_string_append_printf(lines, "%s = ", path);
    append_json(lines, json);
    g_string_append(lines, " → ");
    for (guint i = 0; i < attempt->problems.list->len; i++) {
        const struct oci_problem *problem = g_ptr_array_index(attempt->problems.list, i);
        g_string_append(lines, i > 0 ? "; " : "");
        if (!g_str_equal(problem->where, path)) {
            g_string_append_printf(lines, "%s: ", problem->where);
        }
        oci_problems_append_visible(lines, problem->message);
    }
    g_string_append(lines, attempt->problems.list->len == 0 ? "fine\n" : "\n");
}

static void right(struct findings *findings, const struct row *row, const char *json, bool arrives)
{
    struct attempt attempt;
    attempt_init(&attempt, row, json);
    record(&attempt, findings->path, json);
    const char *parent = row_struct(row, &attempt.config);
    g_autofree char *digits = oci_document_token(&attempt.document, findings->path);
    json_t *value = json_loads(json, JSON_DECODE_ANY, NULL);
    if (oci_problems_any(&attempt.problems)) {
        complain(findings, "%s is refused", json);
    } else if (parent == NULL) {
        complain(findings, "with %s, nothing of the list around it has arrived", json);
    } else if (arrives && !arrived(row->field, parent + row->field->offset, value, digits)) {
        complain(findings, "%s has not arrived", json);
    } else if (!arrives && !is_unset(row->field, parent + row->field->offset)) {
        complain(findings, "%s has left something behind", json);
    }
    json_decref(value);
    attempt_finish(&attempt);
}

static void takes(struct findings *findings, const struct row *row, const char *json)
{
    right(findings, row, json, true);
}

static void takes_as_absent(struct findings *findings, const struct row *row, const char *json)
{
    right(findings, row, json, false);
}

/* There must be @count problems, at or below the row's place, and in the first of them @fragment.
 */
static void wrong(struct findings *findings, const struct row *row, const char *json, guint count,
                  const char *fragment)
{
    struct attempt attempt;
    attempt_init(&attempt, row, json);
    record(&attempt, findings->path, json);
    const GPtrArray *list = attempt.problems.list;
    if (list->len != count) {
        complain(findings, "%s: %u problems, and not %u", json, list->len, count);
    }
    for (guint i = 0; i < list->len; i++) {
        const struct oci_problem *problem = g_ptr_array_index(list, i);
        gsize length = strlen(findings->path);
        bool inside = g_str_has_prefix(problem->where, findings->path) &&
                      strchr(".[", problem->where[length]) != NULL; /* or at its end */
        if (!inside) {
            complain(findings, "%s: told of %s", json, problem->where);
        }
        if (i == 0 && strstr(problem->message, fragment) == NULL) {
            complain(findings, "%s: not \"%s\", but: %s", json, fragment, problem->message);
        }
    }
    attempt_finish(&attempt);
}

static void refuses(struct findings *findings, const struct row *row, const char *json,
                    const char *fragment)
{
    wrong(findings, row, json, 1, fragment);
}

/* @except: initials of the types that are not wrong, of "string", "integer", "real", "boolean",
 * "array", "object". */
static void refuses_types(struct findings *findings, const struct row *row, const char *except,
                          const char *fragment)
{
    static const char *const values[][2] = {{"s", "\"5\""}, {"i", "5"},  {"r", "0.5"},
                                            {"b", "true"},  {"a", "[]"}, {"o", "{}"}};
    for (gsize i = 0; i < G_N_ELEMENTS(values); i++) {
        if (strstr(except, values[i][0]) == NULL) {
            refuses(findings, row, values[i][1], fragment);
        }
    }
}

/* --- what the types of rows take, and what they do not --- */

/* The value, alone or as the element of a list. */
static char *value_of(const struct row *row, const char *json)
{
    bool list = row->field->type == OCI_STRINGS || row->field->type == OCI_UINTS;
    return list ? g_strdup_printf("[%s]", json) : g_strdup(json);
}

static void takes_string(struct findings *findings, const struct row *row, const char *string)
{
    g_autofree char *json = g_strdup_printf("\"%s\"", string);
    g_autofree char *value = value_of(row, json);
    takes(findings, row, value);
}

static void refuses_string(struct findings *findings, const struct row *row, const char *string,
                           const char *fragment)
{
    g_autofree char *json = g_strdup_printf("\"%s\"", string);
    g_autofree char *value = value_of(row, json);
    refuses(findings, row, value, fragment);
}

static void try_words(struct findings *findings, const struct row *row)
{
    const char *const *words = row->field->words;
    for (gsize i = 0; words[i] != NULL; i++) {
        takes_string(findings, row, words[i]);
    }
    g_autofree char *near = g_strndup(words[0], strlen(words[0]) - 1);
    g_autofree char *nearest = g_strdup_printf("(did you mean %s?)", words[0]);
    g_autofree char *endless = g_strnfill(200, 'x');
    refuses_string(findings, row, near, nearest);
    refuses_string(findings, row, "something else", "is not one of");
    refuses_string(findings, row, endless, "xxx…\" is not one of");
}

static void try_samples(struct findings *findings, const struct row *row)
{
    const struct sample *sample = find_sample(findings->path);
    if (sample == NULL) {
        complain(findings, "a row with a rule of its own needs samples: see tests/unit/rows.h");
        return;
    }
    g_autofree char *shape = g_strdup_printf("is not %s", row->field->shape);
    takes_string(findings, row, sample->good);
    if (sample->also_good != NULL) {
        takes_string(findings, row, sample->also_good);
    }
    for (gsize i = 0; i < G_N_ELEMENTS(sample->bad) && sample->bad[i] != NULL; i++) {
        if (*sample->bad[i] != '\0' || !(row->field->flags & OCI_EMPTY_IS_UNSET)) {
            refuses_string(findings, row, sample->bad[i], shape);
        }
    }
}

static void try_paths(struct findings *findings, const struct row *row)
{
    takes_string(findings, row, "/some/file");
    if (row->field->flags & OCI_BUNDLE_PATH) {
        takes_string(findings, row, "some/../file");
    } else {
        refuses_string(findings, row, "some/file", "\"some/file\" must be an absolute path");
    }
    if (!(row->field->flags & OCI_EMPTY_IS_UNSET)) {
        refuses_string(findings, row, "", "must not be empty");
    }
}

/* What a string must be, alone or in a list. */
static void try_contents(struct findings *findings, const struct row *row)
{
    const struct oci_field *field = row->field;
    if (field->words != NULL) {
        try_words(findings, row);
    } else if (field->is_valid != NULL) {
        try_samples(findings, row);
    } else if (field->flags & (OCI_ABSOLUTE | OCI_BUNDLE_PATH)) {
        try_paths(findings, row);
    } else {
        takes_string(findings, row, "any text, ü");
    }
    refuses_string(findings, row, "a\\u0000b", "must not hold a NUL character");
}

static void try_string(struct findings *findings, const struct row *row)
{
    try_contents(findings, row);
    if (row->field->flags & OCI_EMPTY_IS_UNSET) {
        takes_as_absent(findings, row, "\"\"");
    } else if (row->field->words == NULL && row->field->is_valid == NULL &&
               !(row->field->flags & (OCI_ABSOLUTE | OCI_BUNDLE_PATH))) {
        takes(findings, row, "\"\"");
    }
    refuses_types(findings, row, "s", "must be a string");
}

static void try_length(struct findings *findings, const struct row *row)
{
    if (row->field->flags & OCI_NOT_EMPTY) {
        refuses(findings, row, "[]", "must not be empty");
    } else {
        takes(findings, row, "[]");
    }
}

/* Of a list that may have no element, any would do. */
static bool try_only_empty(struct findings *findings, const struct row *row, const char *element)
{
    if (!(row->field->flags & OCI_ONLY_EMPTY)) {
        return false;
    }
    g_autofree char *list = g_strdup_printf("[%s]", element);
    refuses(findings, row, list, row->field->note);
    return true;
}

static void try_strings(struct findings *findings, const struct row *row)
{
    try_length(findings, row);
    refuses_types(findings, row, "a", "must be an array of strings");
    if (try_only_empty(findings, row, "\"text\"")) {
        return;
    }
    try_contents(findings, row);
    refuses(findings, row, "[5]", "and is an integer (5)");
    refuses(findings, row, "[null]", "must be a string, and is null");
    refuses(findings, row, "[[]]", "must be a string, and is an array");
}

static void refuses_number(struct findings *findings, const struct row *row, const char *number,
                           const char *fragment)
{
    g_autofree char *value = value_of(row, number);
    refuses(findings, row, value, fragment);
}

static void takes_number(struct findings *findings, const struct row *row, const char *number)
{
    g_autofree char *value = value_of(row, number);
    takes(findings, row, value);
}

static void refuses_no_integer(struct findings *findings, const struct row *row)
{
    refuses_number(findings, row, "1.5", "must be an integer");
    refuses_number(findings, row, "1.0", "must be an integer");
    refuses_number(findings, row, "1e2", "must be an integer");
}

static void try_unsigned(struct findings *findings, const struct row *row)
{
    guint64 min = row->field->min, max = row->field->max != 0 ? row->field->max : G_MAXUINT64;
    g_autofree char *least = g_strdup_printf("%" G_GUINT64_FORMAT, min);
    g_autofree char *most = g_strdup_printf("%" G_GUINT64_FORMAT, max);
    g_autofree char *above = max == G_MAXUINT64 ? g_strdup("18446744073709551616")
                                                : g_strdup_printf("%" G_GUINT64_FORMAT, max + 1);
    takes_number(findings, row, least);
    takes_number(findings, row, most);
    refuses_number(findings, row, above, most);
    if (min > 0) {
        g_autofree char *below = g_strdup_printf("%" G_GUINT64_FORMAT, min - 1);
        refuses_number(findings, row, below, least);
    }
    if (row->field->flags & OCI_ZERO_IS_UNSET) {
        takes_number(findings, row, "0");
    }
    refuses_number(findings, row, "-1", "is -1");
    refuses_number(findings, row, "99999999999999999999", "is 99999999999999999999");
    refuses_number(findings, row, "-99999999999999999999", "is -99999999999999999999");
    refuses_no_integer(findings, row);
}

static void try_signed(struct findings *findings, const struct row *row)
{
    bool bounded = row->field->least != 0 || row->field->most != 0;
    gint64 min = bounded ? row->field->least : G_MININT64;
    gint64 max = bounded ? row->field->most : G_MAXINT64;
    g_autofree char *least = g_strdup_printf("%" G_GINT64_FORMAT, min);
    g_autofree char *most = g_strdup_printf("%" G_GINT64_FORMAT, max);
    g_autofree char *below =
        bounded ? g_strdup_printf("%" G_GINT64_FORMAT, min - 1) : g_strdup("-9223372036854775809");
    g_autofree char *above =
        bounded ? g_strdup_printf("%" G_GINT64_FORMAT, max + 1) : g_strdup("9223372036854775808");
    takes_number(findings, row, least);
    takes_number(findings, row, most);
    refuses_number(findings, row, below, least);
    refuses_number(findings, row, above, most);
    refuses_number(findings, row, "99999999999999999999", "is 99999999999999999999");
    refuses_number(findings, row, "-99999999999999999999", "is -99999999999999999999");
    refuses_no_integer(findings, row);
}

static void try_uints(struct findings *findings, const struct row *row)
{
    try_length(findings, row);
    refuses_types(findings, row, "a", "must be an array of integers");
    if (!try_only_empty(findings, row, "1")) {
        try_unsigned(findings, row);
        refuses(findings, row, "[null]", "must be an integer");
        refuses(findings, row, "[\"1\"]", "must be an integer");
    }
}

static void try_map(struct findings *findings, const struct row *row)
{
    takes(findings, row, "{\"key\": \"text\"}");
    takes(findings, row, "{\"key\": \"\"}");
    takes(findings, row, "{}");
    refuses_types(findings, row, "o", "must be an object of strings");
    refuses(findings, row, "{\"key\": 5}", "and is an integer (5)");
    refuses(findings, row, "{\"key\": null}", "must be a string, and is null");
    refuses(findings, row, "{\"key\": \"a\\u0000b\"}", "must not hold a NUL character");
    refuses(findings, row, "{\"\": \"text\"}", "must not be empty");
}

static guint count_required(const struct oci_field *fields)
{
    guint count = 0;
    for (; fields->name != NULL; fields++) {
        count += (fields->flags & OCI_REQUIRED) != 0;
    }
    return count;
}

/* @json has an object without members: each that is required is told of. */
static void try_no_members(struct findings *findings, const struct row *row, const char *json)
{
    guint count = count_required(row->field->fields);
    if (count > 0) {
        wrong(findings, row, json, count, "is missing, and required");
    } else {
        takes(findings, row, json);
    }
}

static void try_objects(struct findings *findings, const struct row *row)
{
    try_length(findings, row);
    refuses_types(findings, row, "a", "must be an array of objects");
    if (!try_only_empty(findings, row, "{}")) {
        try_no_members(findings, row, "[{}]");
        refuses(findings, row, "[5]", "must be an object, and is an integer (5)");
        refuses(findings, row, "[null]", "must be an object, and is null");
        refuses(findings, row, "[[]]", "must be an object, and is an array");
    }
}

static void try_object_map(struct findings *findings, const struct row *row)
{
    takes(findings, row, "{}");
    refuses_types(findings, row, "o", "must be an object of objects");
    if (row->field->flags & OCI_ONLY_EMPTY) {
        return refuses(findings, row, "{\"key\": {}}", row->field->note);
    }
    try_no_members(findings, row, "{\"key\": {}}");
    refuses(findings, row, "{\"key\": 5}", "must be an object, and is an integer (5)");
    refuses(findings, row, "{\"key\": null}", "must be an object, and is null");
}

static void try_type(struct findings *findings, const struct row *row)
{
    switch (row->field->type) {
    case OCI_STRING:
        return try_string(findings, row);
    case OCI_STRINGS:
        return try_strings(findings, row);
    case OCI_BOOL:
        takes(findings, row, "true");
        takes(findings, row, "false");
        return refuses_types(findings, row, "b", "must be true or false");
    case OCI_UINT:
        try_unsigned(findings, row);
        return refuses_types(findings, row, "ir", "must be an integer");
    case OCI_INT:
        try_signed(findings, row);
        return refuses_types(findings, row, "ir", "must be an integer");
    case OCI_UINTS:
        return try_uints(findings, row);
    case OCI_MAP:
        return try_map(findings, row);
    case OCI_OBJECT:
        try_no_members(findings, row, "{}");
        return refuses_types(findings, row, "o", "must be an object");
    case OCI_OBJECTS:
        return try_objects(findings, row);
    case OCI_OBJECT_MAP:
        return try_object_map(findings, row);
    case OCI_FOREIGN:
        return takes(findings, row, "{\"any\": [\"thing\"]}");
    }
}

static void try_row(struct findings *findings, const struct row *row)
{
    if (row->field->fields != NULL) {
        g_autofree char *sample = sample_value(row->field, findings->path);
        takes(findings, row, sample);
    }
    try_type(findings, row);
    if (row->field->flags & OCI_REQUIRED) {
        refuses(findings, row, NULL, "is missing, and required");
        refuses(findings, row, "null", "is missing, and required");
    } else {
        takes_as_absent(findings, row, "null");
    }
}

/* --- all rows --- */

static void findings_free(gpointer data)
{
    struct findings *findings = data;
    g_free(findings->path);
    g_ptr_array_unref(findings->complaints);
    g_free(findings);
}

static void walk(const struct row *parent, const struct oci_field *table);

static void visit(const struct row *row)
{
    struct findings *findings = g_new0(struct findings, 1);
    findings->path = row_path(row);
    findings->complaints = g_ptr_array_new_with_free_func(g_free);
    g_ptr_array_add(tests, findings);
    try_row(findings, row);
    /* Of a list that must be empty nothing is decoded. */
    if (row->field->fields != NULL && !(row->field->flags & OCI_ONLY_EMPTY)) {
        walk(row, row->field->fields);
    }
}

static void walk(const struct row *parent, const struct oci_field *table)
{
    for (const struct oci_field *field = table; field->name != NULL; field++) {
        struct row row = {parent, table, field, field->name};
        visit(&row);
        if (field->alias != NULL) {
            row.name = field->alias;
            visit(&row);
        }
    }
}

static void test_row(gconstpointer data)
{
    const struct findings *findings = data;
    for (guint i = 0; i < findings->complaints->len; i++) {
        g_test_message("%s", (const char *)g_ptr_array_index(findings->complaints, i));
        g_test_fail();
    }
}

static void test_messages(void)
{
    expectation_compare(GOLDEN, lines->str);
}

/* Two rows with one member would pass each by itself. */
static void check_members(const struct oci_field *table, GHashTable *seen)
{
    for (const struct oci_field *field = table; field->name != NULL; field++) {
        if (field->type == OCI_OBJECT) {
            check_members(field->fields, seen);
        } else if (field->type != OCI_FOREIGN) {
            expect(field->name, g_hash_table_add(seen, GSIZE_TO_POINTER(field->offset + 1)));
        }
        if (has_elements(field)) {
            g_autoptr(GHashTable) inner = g_hash_table_new(NULL, NULL);
            check_members(field->fields, inner);
        }
    }
}

static void test_members(void)
{
    g_autoptr(GHashTable) seen = g_hash_table_new(NULL, NULL);
    check_members(oci_fields_config, seen);
    g_assert_cmpuint(tests->len, >, 200);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_set_nonfatal_assertions();
    tests = g_ptr_array_new_with_free_func(findings_free);
    lines = g_string_new(NULL);
    walk(NULL, oci_fields_config);
    for (guint i = 0; i < tests->len; i++) {
        const struct findings *findings = g_ptr_array_index(tests, i);
        g_autofree char *path = g_strconcat("/rows/", findings->path, NULL);
        g_test_add_data_func(path, findings, test_row);
    }
    g_test_add_func("/rows/members", test_members);
    g_test_add_func("/rows/messages", test_messages);
    int status = g_test_run();
    g_ptr_array_unref(tests);
    g_string_free(lines, TRUE);
    return status;
}
