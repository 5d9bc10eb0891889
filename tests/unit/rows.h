// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/*
 * A row of the tables of oci/fields.h, with the way to it from the top, and the documents that can
 * be made of it: values are written as JSON, and all around them is the least that is required.
 */

#include "oci/document.h"
#include "oci/fields.h"
#include "tests/unit/expect.h"

#include <jansson.h>
#include <string.h>

struct row {
    const struct row *parent;      /* NULL: at the top of the file */
    const struct oci_field *table; /* that it is in */
    const struct oci_field *field;
    const char *name; /* as the file writes it: the field's name, or its alias */
};

/* What rows with a rule of their own take, and what they do not. */
static const struct sample {
    const char *path;
    const char *good;
    const char *bad[6];
    const char *also_good;
} samples[] = {
    {"ociVersion", "1.3.0", {"", "1.3", "v1.3.0", "latest"}},
    {"hostname", "vm_1.example", {"my vm", "-vm", "ä", "vm+1"}},
    {"domainname", "example.org", {"example org", ".org", "a/b"}},
    {"process.execCPUAffinity.initial", "0-3, 5", {"3-1", "all", "-1"}, ""},
    {"process.execCPUAffinity.final", "7", {"3-1", "all", "-1"}, " "},
    {"linux.resources.devices[0].type", "a", {"x", "block", "cb"}},
    {"linux.resources.devices[0].access", "rwm", {"rwx", "read", "RW"}},
    {"linux.resources.cpu.cpus", "0-3,5", {"3-1", "0,", "0 - 3", "all", "8192"}},
    {"linux.resources.cpu.mems", "0-1", {"1-0", ",", "0;1", "all"}},
    {"linux.resources.hugepageLimits[0].pageSize",
     "2MB",
     {"", "2M", "2MiB", "0GB", "2 MB", "02MB"}},
    {"linux.resources.network.priorities[0].name",
     "eth0",
     {"", "a/b", "..", "sixteen-letters-", "a b"}},
    {"linux.devices[0].type", "b", {"", "x", "block", "bc"}},
    {"linux.netDevices.key.name", "eth%d", {"eth/0", "eth%s", "%d%d", "sixteen-letters-", "a:b"}},
    {"linux.intelRdt.schemata", "L3:0=fff", {"L3:0=f\\nMB:0=1"}},
    {"linux.intelRdt.memBwSchema", "MB:0=70", {"L3:0=f", "MB", "MB:0=1\\nL3:0=f"}},
    {"linux.memoryPolicy.nodes", "0-1", {"1-0", "all", "0 1"}},
};

static inline const struct sample *find_sample(const char *path)
{
    for (gsize i = 0; i < G_N_ELEMENTS(samples); i++) {
        if (g_str_equal(samples[i].path, path)) {
            return &samples[i];
        }
    }
    return NULL;
}

/* Where an element of a list, or of a map, stands. */
static inline char *element_path(const struct oci_field *field, const char *path)
{
    return g_strconcat(path, field->type == OCI_OBJECT_MAP ? ".key" : "[0]", NULL);
}

static inline bool has_elements(const struct oci_field *field)
{
    return field->type == OCI_OBJECTS || field->type == OCI_OBJECT_MAP;
}

/* "" for NULL, which is the top. The caller owns it. */
static inline char *row_path(const struct row *row)
{
    if (row == NULL) {
        return g_strdup("");
    }
    g_autofree char *above = row_path(row->parent);
    if (row->parent != NULL && has_elements(row->parent->field)) {
        g_autofree char *element = element_path(row->parent->field, above);
        return oci_path_child(element, row->name);
    }
    return oci_path_child(above, row->name);
}

static inline char *sample_string(const struct oci_field *field, const char *path)
{
    const struct sample *sample = find_sample(path);
    const char *text = field->words != NULL                              ? field->words[0]
                       : sample != NULL                                  ? sample->good
                       : field->flags & (OCI_ABSOLUTE | OCI_BUNDLE_PATH) ? "/some/file"
                                                                         : "text";
    return g_strdup_printf("\"%s\"", text);
}

static inline char *sample_value(const struct oci_field *field, const char *path);

/* An object with what @table requires of it, but for a member @except. The caller owns it. */
static inline json_t *required_members(const struct oci_field *table, const char *path,
                                       const char *except)
{
    json_t *object = json_object();
    for (const struct oci_field *field = table; field->name != NULL; field++) {
        if ((field->flags & OCI_REQUIRED) && g_strcmp0(field->name, except) != 0) {
            g_autofree char *at = oci_path_child(path, field->name);
            g_autofree char *value = sample_value(field, at);
            json_object_set_new(object, field->name,
                                json_loads(value, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL));
        }
    }
    return object;
}

static inline char *sample_object(const struct oci_field *field, const char *path)
{
    json_t *object = required_members(field->fields, path, NULL);
    char *text = json_dumps(object, 0);
    json_decref(object);
    return text;
}

/* A value that must be taken, as JSON. The caller owns it. */
static inline char *sample_value(const struct oci_field *field, const char *path)
{
    bool empty = field->flags & OCI_ONLY_EMPTY;
    g_autofree char *inner = NULL;
    g_autofree char *element = element_path(field, path);
    switch (field->type) {
    case OCI_STRING:
        return sample_string(field, path);
    case OCI_STRINGS:
        inner = sample_string(field, path);
        return empty ? g_strdup("[]") : g_strdup_printf("[%s]", inner);
    case OCI_BOOL:
        return g_strdup("true");
    case OCI_UINT:
    case OCI_INT:
        return g_strdup("1");
    case OCI_UINTS:
        return g_strdup(empty ? "[]" : "[1]");
    case OCI_MAP:
        return g_strdup("{\"key\": \"text\"}");
    case OCI_OBJECT:
        return sample_object(field, path);
    case OCI_OBJECTS:
        inner = sample_object(field, element);
        return empty ? g_strdup("[]") : g_strdup_printf("[%s]", inner);
    case OCI_OBJECT_MAP:
        inner = sample_object(field, element);
        return empty ? g_strdup("{}") : g_strdup_printf("{\"key\": %s}", inner);
    case OCI_FOREIGN:
        return g_strdup("{}");
    }
    g_assert_not_reached();
}

/* Stands for the value until the text is written: no number of jansson's is long enough. */
#define PLACEHOLDER "@VALUE@"

/* The file in which @row has value @json (NULL: is absent). The caller owns it. */
static inline char *row_document(const struct row *row, const char *json)
{
    json_t *value = json != NULL ? json_string(PLACEHOLDER) : NULL;
    for (; row != NULL; row = row->parent) {
        g_autofree char *above = row_path(row->parent);
        bool inside = row->parent != NULL && has_elements(row->parent->field);
        g_autofree char *path = inside ? element_path(row->parent->field, above) : g_strdup(above);
        json_t *object = required_members(row->table, path, row->field->name);
        if (value != NULL) {
            json_object_set_new(object, row->name, value);
        }
        if (inside) {
            value = row->parent->field->type == OCI_OBJECTS ? json_pack("[o]", object)
                                                            : json_pack("{so}", "key", object);
        } else {
            value = object;
        }
    }
    g_autofree char *text = json_dumps(value, 0);
    json_decref(value);
    GString *document = g_string_new(text);
    if (json != NULL) {
        g_string_replace(document, "\"" PLACEHOLDER "\"", json, 1);
    }
    return g_string_free(document, FALSE);
}

/* The start of every OCI_LIST. */
struct any_list {
    const char *items;
    gsize length;
};

static inline struct any_list list_at(const void *member)
{
    struct any_list list;
    memcpy(&list, member, sizeof(list));
    return list;
}

/* The struct that has the member of @row, in the first element of every list on the way. NULL: a
 * list has none. */
static inline const char *row_struct(const struct row *row, const struct oci_config *config)
{
    if (row->parent == NULL) {
        return (const char *)config;
    }
    const char *above = row_struct(row->parent, config);
    if (above == NULL || !has_elements(row->parent->field)) {
        return above;
    }
    return list_at(above + row->parent->field->offset).items;
}

/* Whether the member is as it was before decoding. */
static inline bool is_unset(const struct oci_field *field, const char *member)
{
    switch (field->type) {
    case OCI_STRING:
    case OCI_STRINGS:
        return *(char *const *)member == NULL;
    case OCI_BOOL:
        return !((const struct oci_bool *)member)->set;
    case OCI_UINT:
        return !((const struct oci_uint *)member)->set;
    case OCI_INT:
        return !((const struct oci_int *)member)->set;
    case OCI_UINTS:
    case OCI_MAP:
    case OCI_OBJECTS:
    case OCI_OBJECT_MAP:
        return list_at(member).items == NULL && list_at(member).length == 0;
    case OCI_OBJECT:
    case OCI_FOREIGN:
        return true; /* they have no member of their own */
    }
    g_assert_not_reached();
}

/* As a string of the file arrives: a path that may be relative is absolute by then. */
static inline bool string_arrived(const struct oci_field *field, const char *string,
                                  const json_t *value)
{
    g_autofree char *expected = field->flags & OCI_BUNDLE_PATH
                                    ? g_canonicalize_filename(json_string_value(value), "/bundle")
                                    : g_strdup(json_string_value(value));
    return g_strcmp0(string, expected) == 0;
}

/* Whether the member, whose type says that it is a list, has just what array @value has. */
static inline bool list_arrived(const struct oci_field *field, const char *member,
                                const json_t *value)
{
    struct any_list list = list_at(member);
    if (list.length != 1 || list.items == NULL) {
        return list.length == json_array_size(value) && list.items == NULL;
    }
    const struct oci_pair *pair = (const struct oci_pair *)list.items;
    switch (field->type) {
    case OCI_UINTS:
        return *(const guint64 *)list.items ==
               (guint64)json_integer_value(json_array_get(value, 0));
    case OCI_MAP:
        return g_str_equal(pair->key, "key") &&
               g_strcmp0(pair->value, json_string_value(json_object_get(value, "key"))) == 0;
    case OCI_OBJECT_MAP:
        return g_str_equal(*(char *const *)list.items, "key");
    default:
        return true; /* what the struct holds is for its own rows to say */
    }
}

/* Whether @value is what the member holds. @digits: of an integer. */
static inline bool arrived(const struct oci_field *field, const char *member, const json_t *value,
                           const char *digits)
{
    char *const *strings;
    switch (field->type) {
    case OCI_STRING:
        return string_arrived(field, *(char *const *)member, value);
    case OCI_STRINGS:
        strings = *(char **const *)member;
        return strings != NULL && g_strv_length((char **)strings) == json_array_size(value) &&
               (strings[0] == NULL || string_arrived(field, strings[0], json_array_get(value, 0)));
    case OCI_BOOL:
        return ((const struct oci_bool *)member)->set &&
               ((const struct oci_bool *)member)->value == json_is_true(value);
    case OCI_UINT:
        return ((const struct oci_uint *)member)->set &&
               ((const struct oci_uint *)member)->value == g_ascii_strtoull(digits, NULL, 10);
    case OCI_INT:
        return ((const struct oci_int *)member)->set &&
               ((const struct oci_int *)member)->value == g_ascii_strtoll(digits, NULL, 10);
    case OCI_UINTS:
    case OCI_MAP:
    case OCI_OBJECTS:
    case OCI_OBJECT_MAP:
        return list_arrived(field, member, value);
    case OCI_OBJECT:
    case OCI_FOREIGN:
        return true;
    }
    g_assert_not_reached();
}
