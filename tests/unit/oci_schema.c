// SPDX-License-Identifier: LGPL-2.1-or-later

/*
 * The rows of oci/fields.h against the spec's JSON schema, tests/schema/oci: each property has a
 * row, with the same words, and required or not. Where they differ, it is on purpose, and in the
 * list below.
 */

#include "oci/fields.h"

#include <jansson.h>
#include <string.h>

#define FOLDER "tests/schema/oci"

static const char *const wanted[] = {
    /* The schema takes commandLine in its place, which is Windows's. */
    "process.args: only the row requires it",
    /* The spec's text requires these. */
    "linux.resources.blockIO.throttleReadBpsDevice[].rate: only the row requires it",
    "linux.resources.blockIO.throttleWriteBpsDevice[].rate: only the row requires it",
    "linux.resources.blockIO.throttleReadIOPSDevice[].rate: only the row requires it",
    "linux.resources.blockIO.throttleWriteIOPSDevice[].rate: only the row requires it",
    "linux.memoryPolicy.mode: only the row requires it",
    "linux.personality.domain: only the row requires it",
    /* podman writes them. */
    "linux.rootfsPropagation: only the row has rprivate",
    "linux.rootfsPropagation: only the row has rshared",
    "linux.rootfsPropagation: only the row has rslave",
    "linux.rootfsPropagation: only the row has runbindable",
    /* A disk image can boot itself. The spec's text has a format for where none is named. */
    "vm.kernel: only the schema requires it",
    "vm.image.format: only the schema requires it",
    NULL,
};

struct schema {
    GHashTable *files;
    GHashTable *paths; /* set of those with a row */
    GPtrArray *differences;
};

static void differ(struct schema *schema, const char *format, ...) G_GNUC_PRINTF(2, 3);

static void differ(struct schema *schema, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    g_ptr_array_add(schema->differences, g_strdup_vprintf(format, args));
    va_end(args);
}

static json_t *load_file(struct schema *schema, const char *file)
{
    json_t *root = g_hash_table_lookup(schema->files, file);
    if (root == NULL) {
        g_autofree char *path = g_build_filename(FOLDER, file, NULL);
        json_error_t error;
        root = json_load_file(path, JSON_DECODE_INT_AS_REAL, &error);
        if (root == NULL) {
            g_error("%s: %s", path, error.text);
        }
        g_hash_table_insert(schema->files, g_strdup(file), root);
    }
    return root;
}

/* "defs.json#/definitions/Hook", seen in @file. Gives the file that it leads to. */
static json_t *follow(struct schema *schema, const char *reference, char **file)
{
    g_auto(GStrv) parts = g_strsplit(reference, "#", 2);
    if (*parts[0] != '\0') {
        g_free(*file);
        *file = g_strdup(parts[0]);
    }
    json_t *node = load_file(schema, *file);
    g_auto(GStrv) steps = g_strsplit(parts[1] + 1, "/", 0);
    for (char **step = steps; *step != NULL; step++) {
        node = json_object_get(node, *step);
    }
    g_assert_nonnull(node);
    return node;
}

static bool has_string(const json_t *array, const char *string)
{
    json_t *element;
    size_t index;
    json_array_foreach(array, index, element)
    {
        if (g_strcmp0(json_string_value(element), string) == 0) {
            return true;
        }
    }
    return false;
}

static void compare_words(struct schema *schema, const char *path, const struct oci_field *row,
                          json_t *enumeration)
{
    const char *const none[] = {NULL};
    const char *const *words = row != NULL && row->words != NULL ? row->words : none;
    json_t *element;
    size_t index;
    json_array_foreach(enumeration, index, element)
    {
        if (!g_strv_contains(words, json_string_value(element))) {
            differ(schema, "%s: only the schema has %s", path, json_string_value(element));
        }
    }
    for (; *words != NULL; words++) {
        if (!has_string(enumeration, *words)) {
            differ(schema, "%s: only the row has %s", path, *words);
        }
    }
}

/* Where in the schema, and what the rows have there. */
struct spot {
    const char *file;
    const char *path;
    const struct oci_field *row;    /* of what stands there, alone or as an element; or NULL */
    const struct oci_field *fields; /* of the members of that; or NULL */
    bool choice;                    /* one of several: what it requires the others may not */
};

static void walk(struct schema *schema, const struct spot *spot, json_t *node);

static void walk_property(struct schema *schema, const struct spot *above, const char *name,
                          json_t *node, bool required)
{
    const struct oci_field *row =
        above->fields != NULL ? oci_fields_find(above->fields, name) : NULL;
    g_autofree char *path = g_strconcat(above->path, *above->path != '\0' ? "." : "", name, NULL);
    if (row == NULL) {
        differ(schema, "%s: there is no row", path);
        return;
    }
    g_hash_table_add(schema->paths, g_strdup(path));
    if (!above->choice && required != ((row->flags & OCI_REQUIRED) != 0)) {
        differ(schema, "%s: only the %s requires it", path, required ? "schema" : "row");
    }
    const struct spot spot = {above->file, path, row, row->fields, false};
    walk(schema, &spot, node);
}

static void walk_properties(struct schema *schema, const struct spot *spot, json_t *node)
{
    static const char *const others[] = {"solaris", "windows", "zos", "freebsd", NULL};
    json_t *required = json_object_get(node, "required"), *member;
    const char *name;
    json_object_foreach(json_object_get(node, "properties"), name, member)
    {
        if (*spot->path != '\0' || !g_strv_contains(others, name)) {
            walk_property(schema, spot, name, member, has_string(required, name));
        }
    }
}

static void walk_parts(struct schema *schema, const struct spot *spot, json_t *parts, bool choice)
{
    struct spot inner = *spot;
    json_t *part;
    size_t index;
    inner.choice |= choice;
    json_array_foreach(parts, index, part)
    {
        walk(schema, &inner, part);
    }
}

static void walk_element(struct schema *schema, const struct spot *spot, const char *suffix,
                         json_t *node)
{
    if (json_is_object(node)) {
        struct spot inner = *spot;
        g_autofree char *path = g_strconcat(spot->path, suffix, NULL);
        inner.path = path;
        walk(schema, &inner, node);
    }
}

static void walk(struct schema *schema, const struct spot *spot, json_t *node)
{
    json_t *reference = json_object_get(node, "$ref");
    json_t *enumeration = json_object_get(node, "enum");
    if (reference != NULL) {
        g_autofree char *file = g_strdup(spot->file);
        struct spot inner = *spot;
        node = follow(schema, json_string_value(reference), &file);
        inner.file = file;
        walk(schema, &inner, node);
        return;
    }
    if (enumeration != NULL) {
        compare_words(schema, spot->path, spot->row, enumeration);
    }
    walk_properties(schema, spot, node);
    walk_parts(schema, spot, json_object_get(node, "allOf"), false);
    walk_parts(schema, spot, json_object_get(node, "anyOf"), true);
    walk_element(schema, spot, "[]", json_object_get(node, "items"));
    walk_element(schema, spot, ".*", json_object_get(node, "additionalProperties"));
}

static void test_rows(void)
{
    struct schema schema = {
        .files =
            g_hash_table_new_full(g_str_hash, g_str_equal, g_free, (GDestroyNotify)json_decref),
        .paths = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL),
        .differences = g_ptr_array_new_with_free_func(g_free),
    };
    const struct spot top = {"config-schema.json", "", NULL, oci_fields_config, false};
    walk(&schema, &top, load_file(&schema, top.file));
    g_assert_cmpuint(g_hash_table_size(schema.paths), >, 200); /* not an empty file */
    g_assert_true(g_hash_table_contains(schema.paths, "linux.seccomp.syscalls[].args[].valueTwo"));
    g_ptr_array_add(schema.differences, NULL);
    const char *const *found = (const char *const *)schema.differences->pdata;
    for (gsize i = 0; found[i] != NULL; i++) {
        if (!g_strv_contains(wanted, found[i])) {
            g_test_message("%s", found[i]);
            g_test_fail();
        }
    }
    for (gsize i = 0; wanted[i] != NULL; i++) {
        if (!g_strv_contains(found, wanted[i])) {
            g_test_message("no longer: %s", wanted[i]);
            g_test_fail();
        }
    }
    g_ptr_array_unref(schema.differences);
    g_hash_table_unref(schema.paths);
    g_hash_table_unref(schema.files);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_set_nonfatal_assertions();
    g_test_add_func("/oci-schema/rows", test_rows);
    return g_test_run();
}
