// SPDX-License-Identifier: LGPL-2.1-or-later
#include "oci/problems.h"
#include "oci/document.h"

#include <string.h>

/* In characters. The spec's own paths have at most 70. */
#define LONGEST_VALUE 60
#define LONGEST_PLACE 160

static void problem_free(gpointer data)
{
    struct oci_problem *problem = data;
    g_free(problem->where);
    g_free(problem->message);
    g_free(problem);
}

void oci_problems_init(struct oci_problems *problems)
{
    *problems = (struct oci_problems){.list = g_ptr_array_new_with_free_func(problem_free)};
}

void oci_problems_finish(struct oci_problems *problems)
{
    g_clear_pointer(&problems->list, g_ptr_array_unref);
}

static struct oci_problem *add(struct oci_problems *problems, const char *where, const char *format,
                               va_list args) G_GNUC_PRINTF(3, 0);

/* Returns NULL when there are too many already. */
static struct oci_problem *add(struct oci_problems *problems, const char *where, const char *format,
                               va_list args)
{
    if (oci_problems_count(problems)) {
        return NULL;
    }
    struct oci_problem *problem = g_new0(struct oci_problem, 1);
    problem->where = g_strdup(where);
    /* It may quote the environment, or a text that was cut in the middle of a character. */
    g_autofree char *message = g_strdup_vprintf(format, args);
    problem->message = g_utf8_make_valid(message, -1);
    g_ptr_array_add(problems->list, problem);
    return problem;
}

static void place(const struct oci_problems *problems, struct oci_problem *problem, bool at_key)
{
    if (problem == NULL || problems->document == NULL) {
        return;
    }
    struct oci_position position;
    oci_document_locate(problems->document, problem->where, &position);
    gsize offset = at_key ? position.key : position.value;
    oci_document_line_column(problems->document, offset, &problem->line, &problem->column);
}

void oci_problems_add(struct oci_problems *problems, const char *path, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    place(problems, add(problems, path, format, args), false);
    va_end(args);
}

void oci_problems_add_key(struct oci_problems *problems, const char *path, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    place(problems, add(problems, path, format, args), true);
    va_end(args);
}

void oci_problems_add_outside(struct oci_problems *problems, const char *where, const char *format,
                              ...)
{
    va_list args;
    va_start(args, format);
    add(problems, where, format, args);
    va_end(args);
}

void oci_problems_add_syntax(struct oci_problems *problems, unsigned line, unsigned column,
                             const char *format, ...)
{
    va_list args;
    va_start(args, format);
    struct oci_problem *problem = add(problems, "", format, args);
    va_end(args);
    if (problem != NULL) {
        problem->line = line;
        problem->column = column;
    }
}

bool oci_problems_any(const struct oci_problems *problems)
{
    return problems->list->len > 0;
}

bool oci_problems_count(struct oci_problems *problems)
{
    bool full = oci_problems_full(problems);
    problems->dropped += full;
    return full;
}

bool oci_problems_full(const struct oci_problems *problems)
{
    return problems->list->len >= OCI_PROBLEMS_MAX;
}

/* Whether @outer is @inner, or around it. As fast as they differ: either may be very long. */
static bool is_around(const char *outer, const char *inner)
{
    bool some = *outer != '\0';
    while (*outer != '\0' && *outer == *inner) {
        outer++;
        inner++;
    }
    return some && *outer == '\0' && (*inner == '\0' || *inner == '.' || *inner == '[');
}

bool oci_problems_cover(const struct oci_problems *problems, const char *path)
{
    for (guint i = 0; i < problems->list->len; i++) {
        const struct oci_problem *problem = g_ptr_array_index(problems->list, i);
        if (is_around(problem->where, path)) {
            return true;
        }
    }
    return false;
}

bool oci_problems_within(const struct oci_problems *problems, const char *path)
{
    for (guint i = 0; i < problems->list->len; i++) {
        const struct oci_problem *problem = g_ptr_array_index(problems->list, i);
        if (is_around(path, problem->where)) {
            return true;
        }
    }
    return false;
}

static char *cut(const char *text, glong most)
{
    if (g_utf8_strlen(text, -1) <= most) {
        return g_strdup(text);
    }
    g_autofree char *head = g_utf8_substring(text, 0, most);
    return g_strconcat(head, "…", NULL);
}

char *oci_problems_shorten(const char *value)
{
    g_autofree char *valid = g_utf8_make_valid(value, -1); /* the environment may hold any bytes */
    return cut(valid, LONGEST_VALUE);
}

static int by_position(gconstpointer a, gconstpointer b)
{
    const struct oci_problem *left = *(struct oci_problem *const *)a;
    const struct oci_problem *right = *(struct oci_problem *const *)b;
    if (left->line != right->line) {
        return left->line < right->line ? -1 : 1;
    }
    return left->column < right->column ? -1 : left->column > right->column;
}

/* Whatever the file has put into a name. Orders to a terminal are also among U+0080 to U+009F. */
void oci_problems_append_visible(GString *text, const char *words)
{
    const char *next;
    for (const char *p = words; *p != '\0'; p = next) {
        gunichar c = g_utf8_get_char(p);
        next = g_utf8_next_char(p);
        if (g_unichar_iscntrl(c)) {
            g_string_append_printf(text, "\\u%04x", c);
        } else {
            g_string_append_len(text, p, next - p);
        }
    }
}

static GPtrArray *sort(const struct oci_problems *problems)
{
    GPtrArray *sorted = g_ptr_array_copy(problems->list, NULL, NULL);
    g_ptr_array_set_free_func(sorted, NULL);
    g_ptr_array_sort(sorted, by_position);
    return sorted;
}

char *oci_problems_format(const struct oci_problems *problems, const char *file)
{
    g_autoptr(GPtrArray) sorted = sort(problems);
    GString *text = g_string_new(NULL);
    for (guint i = 0; i < sorted->len; i++) {
        const struct oci_problem *problem = g_ptr_array_index(sorted, i);
        if (problem->line > 0) {
            g_string_append_printf(text, "%s:%u:%u: ", file, problem->line, problem->column);
        }
        if (*problem->where != '\0') {
            g_autofree char *where = cut(problem->where, LONGEST_PLACE);
            oci_problems_append_visible(text, where);
            g_string_append(text, ": ");
        }
        oci_problems_append_visible(text, problem->message);
        g_string_append_c(text, '\n');
    }
    if (problems->dropped > 0) {
        g_string_append_printf(text, "%s: %" G_GSIZE_FORMAT " more problems are not shown\n", file,
                               problems->dropped);
    }
    return g_string_free(text, FALSE);
}

json_t *oci_problems_to_json(const struct oci_problems *problems)
{
    g_autoptr(GPtrArray) sorted = sort(problems);
    json_t *array = json_array();
    for (guint i = 0; i < sorted->len; i++) {
        const struct oci_problem *problem = g_ptr_array_index(sorted, i);
        json_t *item = json_pack("{s:s,s:s}", "path", problem->where, "message", problem->message);
        if (problem->line > 0) {
            json_object_set_new(item, "line", json_integer(problem->line));
            json_object_set_new(item, "column", json_integer(problem->column));
        }
        json_array_append_new(array, item);
    }
    return array;
}
