// SPDX-License-Identifier: LGPL-2.1-or-later
#include "oci/problems.h"
#include "oci/document.h"

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
    if (problems->list->len >= OCI_PROBLEMS_MAX) {
        problems->dropped++;
        return NULL;
    }
    struct oci_problem *problem = g_new0(struct oci_problem, 1);
    problem->where = g_strdup(where);
    problem->message = g_strdup_vprintf(format, args);
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

static int by_position(gconstpointer a, gconstpointer b)
{
    const struct oci_problem *left = *(struct oci_problem *const *)a;
    const struct oci_problem *right = *(struct oci_problem *const *)b;
    if (left->line != right->line) {
        return left->line < right->line ? -1 : 1;
    }
    return left->column < right->column ? -1 : left->column > right->column;
}

/* A line stays one, and a terminal is told nothing, whatever the file has put into a name. */
static void append_visible(GString *text, const char *words)
{
    for (const char *c = words; *c != '\0'; c++) {
        if (g_ascii_iscntrl(*c)) {
            g_string_append_printf(text, "\\u%04x", *c);
        } else {
            g_string_append_c(text, *c);
        }
    }
}

char *oci_problems_format(const struct oci_problems *problems, const char *file)
{
    g_autoptr(GPtrArray) sorted = g_ptr_array_copy(problems->list, NULL, NULL);
    g_ptr_array_set_free_func(sorted, NULL);
    g_ptr_array_sort(sorted, by_position);

    GString *text = g_string_new(NULL);
    for (guint i = 0; i < sorted->len; i++) {
        const struct oci_problem *problem = g_ptr_array_index(sorted, i);
        if (problem->line > 0) {
            g_string_append_printf(text, "%s:%u:%u: ", file, problem->line, problem->column);
        }
        if (*problem->where != '\0') {
            append_visible(text, problem->where);
            g_string_append(text, ": ");
        }
        append_visible(text, problem->message);
        g_string_append_c(text, '\n');
    }
    if (problems->dropped > 0) {
        g_string_append_printf(text, "%s: %" G_GSIZE_FORMAT " more problems are not shown\n", file,
                               problems->dropped);
    }
    return g_string_free(text, FALSE);
}
