// SPDX-License-Identifier: LGPL-2.1-or-later
#include "tests/fuzz/examine.h"

#include <string.h>

#define FILE_NAME "config.json"

/*
 * A lookup of a place reads the text from its start, which takes most of an input's time. So this
 * many lines of a report are looked up, and the problems of --strict, which each are a lookup, made
 * for one input in so many.
 */
#define LOOKED_UP 4
#define STRICT_EVERY 8

void examine_words(const char *text)
{
    g_assert(g_utf8_validate(text, -1, NULL));
    for (const char *p = text; *p != '\0'; p = g_utf8_next_char(p)) {
        g_assert(*p == '\n' || !g_unichar_iscntrl(g_utf8_get_char(p)));
    }
}

static guint count_lines(const char *text)
{
    guint count = 0;
    for (const char *c = text; *c != '\0'; c++) {
        count += *c == '\n';
    }
    return count;
}

/* That @line and @column, from 1, are in the text, or just behind its end or that of a line. */
static void examine_place(const struct oci_document *document, unsigned line, unsigned column)
{
    g_assert(line >= 1 && column >= 1);
    const char *start = document->text, *end = document->text + document->length;
    for (; line > 1; line--) {
        start = memchr(start, '\n', end - start);
        g_assert(start != NULL);
        start++;
    }
    const char *newline = memchr(start, '\n', end - start);
    gsize length = (newline != NULL ? newline : end) - start;
    g_assert(column <= length + 1);
}

static void examine_problem(const struct oci_problems *problems, const struct oci_problem *problem)
{
    g_assert(*problem->message != '\0');
    if (problem->line == 0) {
        g_assert(problem->column == 0);
    } else {
        g_assert(problems->document != NULL);
        examine_place(problems->document, problem->line, problem->column);
    }
}

static void examine_json(json_t *array, gsize length)
{
    g_assert(json_array_size(array) == length);
    char *text = json_dumps(array, JSON_COMPACT);
    g_assert(text != NULL);
    free(text);
    json_decref(array);
}

void examine_problems(const struct oci_problems *problems)
{
    guint count = problems->list->len;
    g_assert(count <= OCI_PROBLEMS_MAX);
    g_assert(problems->dropped == 0 || count == OCI_PROBLEMS_MAX);
    g_assert(oci_problems_any(problems) == (count > 0));
    for (guint i = 0; i < count; i++) {
        examine_problem(problems, g_ptr_array_index(problems->list, i));
    }
    g_autofree char *text = oci_problems_format(problems, FILE_NAME);
    examine_words(text);
    g_assert(count_lines(text) == count + (problems->dropped > 0));
    examine_json(oci_problems_to_json(problems), count);
}

/* That the file has what the line speaks of, and that whoever reads the path back finds it. */
static void examine_line(const struct oci_document *document, const struct oci_line *line)
{
    struct oci_position position;
    g_assert(oci_document_locate(document, line->path, &position));
    g_assert(position.key <= position.value && position.value < document->length);
    g_autofree char *token = oci_document_token(document, line->path);
    g_assert(token != NULL && *token != '\0');
}

/* That no line calls honoured or ignored what a problem calls wrong. */
static void examine_wrong(const GPtrArray *lines, const struct oci_problems *problems)
{
    g_autoptr(GHashTable) wrong = g_hash_table_new(g_str_hash, g_str_equal);
    for (guint i = 0; i < problems->list->len; i++) {
        const struct oci_problem *problem = g_ptr_array_index(problems->list, i);
        g_hash_table_add(wrong, problem->where);
    }
    for (guint i = 0; i < lines->len; i++) {
        const struct oci_line *line = g_ptr_array_index(lines, i);
        g_assert(line->text != NULL && *line->text != '\0');
        g_assert(line->fate == OCI_MEMBERS || !g_hash_table_contains(wrong, line->path));
    }
}

void examine_report(const struct oci_document *document, const struct oci_situation *situation,
                    struct oci_problems *problems)
{
    g_autoptr(GPtrArray) lines = oci_report_make(document, situation, problems);
    for (guint i = 0; i < lines->len; i += 1 + lines->len / LOOKED_UP) {
        examine_line(document, g_ptr_array_index(lines, i));
    }
    examine_wrong(lines, problems);
    g_autofree char *text = oci_report_format(lines);
    examine_words(text);
    g_assert(count_lines(text) == lines->len);
    examine_json(oci_report_to_json(lines), lines->len);
    if (document->length % STRICT_EVERY == 0) {
        oci_report_be_strict(lines, problems);
        examine_problems(problems);
    }
}
