// SPDX-License-Identifier: LGPL-2.1-or-later
#include "oci/report.h"
#include "oci/words.h"

static const struct {
    const char *name;
    const char *word; /* in JSON */
} fates[] = {
    [OCI_MEMBERS] = {"wrong", "wrong"},
    [OCI_HONOURED] = {"honoured", "honoured"},
    [OCI_IGNORED] = {"ignored", "ignored"},
    [OCI_GUEST_INIT] = {"needs a guest init", "needs-guest-init"},
    [OCI_IMPOSSIBLE] = {"not possible in a VM", "not-possible"},
};
G_STATIC_ASSERT(G_N_ELEMENTS(fates) == OCI_FATES);

/* Nobody misspells more; and a guess takes time. */
#define GUESSES_MAX 100

struct report {
    const struct oci_situation *situation;
    const struct oci_problems *problems;
    bool incomplete;  /* there are more problems than were kept: what was decoded may lack things */
    unsigned unknown; /* properties so far */
    GPtrArray *lines;
};

static void line_free(gpointer data)
{
    struct oci_line *line = data;
    g_free(line->path);
    g_free(line->text);
    g_free(line);
}

static void add_line(struct report *report, const char *path, enum oci_fate fate, char *text)
{
    struct oci_line *line = g_new0(struct oci_line, 1);
    *line = (struct oci_line){g_strdup(path), fate, text, false};
    g_ptr_array_add(report->lines, line);
}

static void add_nothing(struct report *report, const char *path, const char *text)
{
    add_line(report, path, OCI_IGNORED, g_strdup(text));
    struct oci_line *line = g_ptr_array_index(report->lines, report->lines->len - 1);
    line->nothing = true;
}

/* One line, for element @index of an OCI_EACH or for the whole of @field. */
static void judge(struct report *report, const struct oci_field *field, const char *path,
                  gsize index)
{
    if (oci_problems_within(report->problems, path)) {
        add_line(report, path, OCI_MEMBERS, g_strdup("see the error"));
        return;
    }
    if (field->fate == OCI_MEMBERS && field->tells == NULL) {
        /* An object that is none, which is one of the problems that were not kept. */
        add_line(report, path, OCI_MEMBERS, g_strdup("there are more errors than were kept"));
        return;
    }
    struct oci_verdict verdict = {field->fate, g_strdup(field->tells)};
    if (field->judge != NULL && !report->incomplete) {
        field->judge(report->situation, index, &verdict);
    }
    add_line(report, path, verdict.fate, verdict.text);
}

static void judge_each(struct report *report, const struct oci_field *field, const char *path,
                       json_t *value)
{
    const char *key;
    json_t *element;
    gsize index = 0;
    json_array_foreach(value, index, element)
    {
        g_autofree char *at = g_strdup_printf("%s[%" G_GSIZE_FORMAT "]", path, index);
        judge(report, field, at, index);
    }
    json_object_foreach(value, key, element)
    {
        g_autofree char *at = oci_path_child(path, key);
        judge(report, field, at, index++);
    }
}

static bool is_empty(const json_t *value)
{
    return (json_is_array(value) && json_array_size(value) == 0) ||
           (json_is_object(value) && json_object_size(value) == 0);
}

/* Whether @value is a list, or a map, as @field wants it: then its elements have been decoded. */
static bool has_elements(const struct oci_field *field, const json_t *value)
{
    bool map = field->type == OCI_MAP || field->type == OCI_OBJECT_MAP;
    return !is_empty(value) && (map ? json_is_object(value) : json_is_array(value));
}

static void report_members(struct report *report, const struct oci_field *fields, const char *path,
                           json_t *object);

static void report_value(struct report *report, const struct oci_field *field, const char *path,
                         json_t *value)
{
    bool unset = json_is_string(value) && *json_string_value(value) == '\0' &&
                 (field->flags & OCI_EMPTY_IS_UNSET);
    bool wrong = oci_problems_within(report->problems, path);
    if (json_is_null(value) && !wrong) {
        add_nothing(report, path, "null is as good as absent");
    } else if (unset && !wrong) {
        add_nothing(report, path, "\"\" is as good as absent");
    } else if (field->fate == OCI_MEMBERS && json_is_object(value)) {
        report_members(report, field->fields, path, value);
    } else if ((field->flags & OCI_EACH) && has_elements(field, value)) {
        judge_each(report, field, path, value);
    } else if (is_empty(value) && !wrong) {
        add_nothing(report, path, "there is nothing in it");
    } else {
        judge(report, field, path, 0);
    }
}

static const char *nearest_name(const struct oci_field *fields, const char *name)
{
    g_autoptr(GPtrArray) names = g_ptr_array_new();
    for (const struct oci_field *field = fields; field->name != NULL; field++) {
        g_ptr_array_add(names, (gpointer)field->name);
    }
    g_ptr_array_add(names, NULL);
    return oci_words_nearest((const char *const *)names->pdata, name);
}

static void add_unknown(struct report *report, const struct oci_field *fields, const char *path,
                        const char *name)
{
    bool guess = report->unknown++ < GUESSES_MAX;
    const char *nearest = guess ? nearest_name(fields, name) : NULL;
    add_line(report, path, OCI_IGNORED,
             nearest != NULL
                 ? g_strdup_printf("it is not in runtime-spec 1.3.0; did you mean %s?", nearest)
                 : g_strdup("it is not in runtime-spec 1.3.0"));
}

/* Whether @name is the other spelling of a property that is there under its own. */
static bool is_superseded(const struct oci_field *field, const char *name, const json_t *object)
{
    json_t *own = json_object_get(object, field->name);
    return !g_str_equal(field->name, name) && own != NULL && !json_is_null(own);
}

static void report_members(struct report *report, const struct oci_field *fields, const char *path,
                           json_t *object)
{
    const char *name;
    json_t *value;
    json_object_foreach(object, name, value)
    {
        const struct oci_field *field = oci_fields_find(fields, name);
        g_autofree char *at = oci_path_child(path, name);
        if (field == NULL) {
            add_unknown(report, fields, at, name);
        } else if (is_superseded(field, name, object)) {
            add_line(report, at, OCI_IGNORED,
                     g_strdup_printf("there is %s as well, and wins", field->name));
        } else {
            report_value(report, field, at, value);
        }
    }
}

GPtrArray *oci_report_make(const struct oci_document *document,
                           const struct oci_situation *situation,
                           const struct oci_problems *problems)
{
    struct report report = {
        .situation = situation,
        .problems = problems,
        .incomplete = problems->dropped > 0,
        .lines = g_ptr_array_new_with_free_func(line_free),
    };
    report_members(&report, oci_fields_config, "", document->root);
    return report.lines;
}

static char *visible(const char *words)
{
    GString *text = g_string_new(NULL);
    oci_problems_append_visible(text, words);
    return g_string_free(text, FALSE);
}

char *oci_report_format(const GPtrArray *lines)
{
    glong widest = 0;
    for (guint i = 0; i < lines->len; i++) {
        const struct oci_line *line = g_ptr_array_index(lines, i);
        g_autofree char *path = visible(line->path);
        /* A few long names do not push all the others to the right. */
        glong width = g_utf8_strlen(path, -1);
        widest = width <= 48 ? MAX(widest, width) : widest;
    }
    GString *text = g_string_new(NULL);
    for (guint i = 0; i < lines->len; i++) {
        const struct oci_line *line = g_ptr_array_index(lines, i);
        g_autofree char *path = visible(line->path);
        g_autofree char *words = visible(line->text);
        glong padding = MAX(widest - g_utf8_strlen(path, -1), 0);
        g_string_append_printf(text, "%-20s  %s%*s  %s\n", fates[line->fate].name, path,
                               (int)padding, "", words);
    }
    return g_string_free(text, FALSE);
}

json_t *oci_report_to_json(const GPtrArray *lines)
{
    json_t *array = json_array();
    for (guint i = 0; i < lines->len; i++) {
        const struct oci_line *line = g_ptr_array_index(lines, i);
        json_array_append_new(array, json_pack("{ssssss}", "path", line->path, "fate",
                                               fates[line->fate].word, "text", line->text));
    }
    return array;
}

void oci_report_be_strict(const GPtrArray *lines, struct oci_problems *problems)
{
    for (guint i = 0; i < lines->len; i++) {
        const struct oci_line *line = g_ptr_array_index(lines, i);
        if (line->fate != OCI_HONOURED && line->fate != OCI_MEMBERS && !line->nothing) {
            oci_problems_add(problems, line->path, "%s%s %s", fates[line->fate].name,
                             line->fate == OCI_IGNORED ? ", because" : ":", line->text);
        }
    }
}
