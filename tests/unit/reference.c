// SPDX-License-Identifier: LGPL-2.1-or-later

/* The table of docs/config.md, which is made of the rows of oci/fields.h: GOLDEN_UPDATE=1 writes it
 * anew. */

#include "oci/fields.h"

#include <string.h>

#define DOCUMENT "docs/config.md"
#define BEGIN "<!-- table -->\n"
#define END "<!-- end of the table -->\n"

static bool updating(void)
{
    return g_getenv("GOLDEN_UPDATE") != NULL;
}

static char *unsigned_of(const struct oci_field *field)
{
    if (field->max == 0 && field->min == 0) {
        return g_strdup("an integer, not negative");
    }
    return g_strdup_printf("%" G_GUINT64_FORMAT " to %" G_GUINT64_FORMAT "%s", field->min,
                           field->max != 0 ? field->max : G_MAXUINT64,
                           field->flags & OCI_ZERO_IS_UNSET ? ", or 0: unset" : "");
}

static char *signed_of(const struct oci_field *field)
{
    return field->least != 0 || field->most != 0
               ? g_strdup_printf("%" G_GINT64_FORMAT " to %" G_GINT64_FORMAT, field->least,
                                 field->most)
               : g_strdup("an integer");
}

/* One string, or of each of a list. */
static char *string_of(const struct oci_field *field)
{
    bool each = field->type == OCI_STRINGS;
    if (field->words != NULL) {
        g_autofree char *words = g_strjoinv(", ", (char **)field->words);
        return g_strdup_printf(each ? "strings: %s" : "%s", words);
    }
    if (field->is_valid != NULL) {
        return g_strdup_printf(each ? "strings, each %s" : "%s", field->shape);
    }
    if (each) {
        return g_strdup(field->flags & OCI_ABSOLUTE ? "absolute paths" : "strings");
    }
    return g_strdup(field->flags & OCI_ABSOLUTE      ? "an absolute path"
                    : field->flags & OCI_BUNDLE_PATH ? "a path; relative: in the bundle"
                                                     : "a string");
}

static char *any_length_of(const struct oci_field *field)
{
    g_autofree char *each = NULL;
    switch (field->type) {
    case OCI_STRING:
    case OCI_STRINGS:
        return string_of(field);
    case OCI_BOOL:
        return g_strdup("true or false");
    case OCI_UINT:
        return unsigned_of(field);
    case OCI_INT:
        return signed_of(field);
    case OCI_UINTS:
        each = unsigned_of(field);
        return g_strdup_printf("integers, each %s", each);
    case OCI_MAP:
        return g_strdup("strings by name");
    case OCI_OBJECT:
        return g_strdup("an object");
    case OCI_OBJECTS:
        return g_strdup("objects");
    case OCI_OBJECT_MAP:
        return g_strdup("objects by name");
    case OCI_FOREIGN:
        return g_strdup("anything");
    }
    g_assert_not_reached();
}

static char *type_of(const struct oci_field *field)
{
    g_autofree char *any = any_length_of(field);
    if (field->flags & OCI_ONLY_EMPTY) {
        return g_strdup("absent, or empty");
    }
    return field->flags & OCI_NOT_EMPTY ? g_strconcat(any, "; at least one", NULL)
                                        : g_steal_pointer(&any);
}

static const char *const fates[] = {
    [OCI_MEMBERS] = "",
    [OCI_HONOURED] = "**honoured**: ",
    [OCI_IGNORED] = "*ignored*: ",
    [OCI_GUEST_INIT] = "*needs a guest init*: ",
    [OCI_IMPOSSIBLE] = "*not possible in a VM*: ",
};

static char *path_below(const char *path, const struct oci_field *field)
{
    const char *suffix = field->type == OCI_OBJECTS      ? "[]"
                         : field->type == OCI_OBJECT_MAP ? ".*"
                                                         : "";
    return g_strconcat(path, *path != '\0' ? "." : "", field->name, suffix, NULL);
}

/* In a cell "|" would end it, and "<…>" would be HTML. */
static char *cell(const char *text)
{
    GString *out = g_string_new(text);
    g_string_replace(out, "|", "\\|", 0);
    g_string_replace(out, "<", "&lt;", 0);
    return g_string_free(out, FALSE);
}

static void add_rows(GString *table, const char *path, const struct oci_field *fields,
                     bool explained)
{
    for (const struct oci_field *field = fields; field->name != NULL; field++) {
        g_autofree char *at = path_below(path, field);
        g_autofree char *type = type_of(field);
        g_autofree char *type_cell = cell(type);
        g_autofree char *tells = cell(field->tells != NULL ? field->tells : "");
        g_string_append_printf(table, "| `%s`%s | %s | %s%s |\n", at,
                               field->flags & OCI_REQUIRED ? " (required)" : "", type_cell,
                               fates[field->fate], tells);
        /* Whoever reads it looks for a row that says something: each leaf, or what is around it. */
        g_assert_true(explained || field->fate != OCI_MEMBERS || field->fields != NULL);
        if (field->fields != NULL && !(field->flags & OCI_ONLY_EMPTY)) {
            add_rows(table, at, field->fields, explained || field->fate != OCI_MEMBERS);
        }
    }
}

static void test_document(void)
{
    g_autoptr(GString) table = g_string_new("\n| property | value | what becomes of it |\n"
                                            "|---|---|---|\n");
    g_autofree char *text = NULL;
    g_assert_true(g_file_get_contents(DOCUMENT, &text, NULL, NULL));
    add_rows(table, "", oci_fields_config, false);
    g_string_append_c(table, '\n');
    char *begin = strstr(text, BEGIN), *end = strstr(text, END);
    g_assert_true(begin != NULL && end != NULL && begin < end);
    begin += strlen(BEGIN);
    g_autofree char *written = g_strndup(begin, end - begin);
    if (updating()) {
        *begin = '\0';
        g_autofree char *anew = g_strconcat(text, table->str, END, NULL);
        g_assert_true(g_file_set_contents(DOCUMENT, anew, -1, NULL));
    } else if (!g_str_equal(written, table->str)) {
        g_test_message(DOCUMENT " is stale: run \"make reference\" and look at the difference");
        g_test_fail();
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_set_nonfatal_assertions();
    g_test_add_func("/reference/document", test_document);
    return g_test_run();
}
