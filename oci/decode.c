// SPDX-License-Identifier: LGPL-2.1-or-later
#include "oci/decode.h"
#include "oci/config.h"
#include "oci/document.h"
#include "oci/words.h"

#include <string.h>

/* A longer value would hide what a message says of it. */
#define LONGEST_TOKEN 60

/* "a string", "an integer": what @value is, for messages. */
static const char *kind_of(const json_t *value)
{
    switch (json_typeof(value)) {
    case JSON_OBJECT:
        return "an object";
    case JSON_ARRAY:
        return "an array";
    case JSON_STRING:
        return "a string";
    case JSON_INTEGER:
        return "an integer";
    case JSON_REAL:
        return "a number";
    case JSON_TRUE:
    case JSON_FALSE:
        return "a boolean";
    default:
        return "null";
    }
}

static void wrong_type(const struct oci_decoder *decoder, const char *path, const char *expected,
                       const json_t *value)
{
    g_autofree char *token = NULL;
    if (!json_is_object(value) && !json_is_array(value) && !json_is_null(value)) {
        token = oci_document_token(decoder->document, path);
    }
    bool show = token != NULL && strlen(token) <= LONGEST_TOKEN;
    oci_problems_add(decoder->problems, path, "must be %s, and is %s%s%s%s", expected,
                     kind_of(value), show ? " (" : "", show ? token : "", show ? ")" : "");
}

/* The string of @value; NULL and a problem if it is none, or holds a NUL that C would cut it at. */
static const char *get_string(const struct oci_decoder *decoder, const char *path,
                              const json_t *value)
{
    if (!json_is_string(value)) {
        wrong_type(decoder, path, "a string", value);
        return NULL;
    }
    if (strlen(json_string_value(value)) != json_string_length(value)) {
        oci_problems_add(decoder->problems, path, "must not hold a NUL character");
        return NULL;
    }
    return json_string_value(value);
}

static void decode_string(const struct oci_decoder *decoder, const struct oci_field *field,
                          const char *path, const json_t *value, char **out)
{
    const char *string = get_string(decoder, path, value);
    if (string == NULL || (*string == '\0' && (field->flags & OCI_EMPTY_IS_UNSET))) {
        return;
    }
    if (field->words != NULL && !g_strv_contains(field->words, string)) {
        g_autofree char *hint = oci_words_hint(field->words, string);
        oci_problems_add(decoder->problems, path, "\"%s\" is not one of %s", string, hint);
        return;
    }
    if ((field->flags & (OCI_ABSOLUTE | OCI_BUNDLE_PATH)) && *string == '\0') {
        oci_problems_add(decoder->problems, path, "must not be empty: it is the path of a file");
        return;
    }
    if ((field->flags & OCI_ABSOLUTE) && *string != '/') {
        g_autofree char *absolute = g_canonicalize_filename(string, decoder->bundle);
        oci_problems_add(decoder->problems, path,
                         "\"%s\" must be an absolute path; in the bundle it would be %s", string,
                         absolute);
        return;
    }
    *out = field->flags & OCI_BUNDLE_PATH ? g_canonicalize_filename(string, decoder->bundle)
                                          : g_strdup(string);
}

static void decode_strings(const struct oci_decoder *decoder, const char *path, json_t *value,
                           char ***out)
{
    if (!json_is_array(value)) {
        wrong_type(decoder, path, "an array of strings", value);
        return;
    }
    g_autoptr(GStrvBuilder) strings = g_strv_builder_new();
    size_t index;
    json_t *element;
    json_array_foreach(value, index, element)
    {
        g_autofree char *at = g_strdup_printf("%s[%zu]", path, index);
        const char *string = get_string(decoder, at, element);
        if (string != NULL) {
            g_strv_builder_add(strings, string);
        }
    }
    *out = g_strv_builder_end(strings);
}

/* The digits of an integer, however long; NULL: @value is none. */
static char *integer_text(const struct oci_decoder *decoder, const char *path, const json_t *value)
{
    if (json_is_integer(value)) {
        return g_strdup_printf("%" JSON_INTEGER_FORMAT, json_integer_value(value));
    }
    g_autofree char *token =
        json_is_real(value) ? oci_document_token(decoder->document, path) : NULL;
    return token != NULL && strpbrk(token, ".eE") == NULL ? g_steal_pointer(&token) : NULL;
}

static void decode_uint(const struct oci_decoder *decoder, const struct oci_field *field,
                        const char *path, const json_t *value, struct oci_uint *out)
{
    guint64 number = 0;
    g_autofree char *digits = integer_text(decoder, path, value);
    if (digits == NULL) {
        wrong_type(decoder, path, "an integer without a fraction", value);
    } else if (*digits == '-') {
        oci_problems_add(decoder->problems, path, "must not be negative, and is %s", digits);
    } else if (!g_ascii_string_to_unsigned(digits, 10, field->min, field->max, &number, NULL)) {
        oci_problems_add(decoder->problems, path,
                         "must be from %" G_GUINT64_FORMAT " to %" G_GUINT64_FORMAT ", and is %s",
                         field->min, field->max, digits);
    } else {
        *out = (struct oci_uint){true, number};
    }
}

static void decode_int(const struct oci_decoder *decoder, const char *path, const json_t *value,
                       struct oci_int *out)
{
    g_autofree char *digits = integer_text(decoder, path, value);
    if (json_is_integer(value)) {
        *out = (struct oci_int){true, json_integer_value(value)};
    } else if (digits != NULL) { /* jansson could not hold it */
        oci_problems_add(decoder->problems, path, "must be at %s %s, and is %s",
                         *digits == '-' ? "least" : "most",
                         *digits == '-' ? "-9223372036854775808" : "9223372036854775807", digits);
    } else {
        wrong_type(decoder, path, "an integer without a fraction", value);
    }
}

static void annotation_free(gpointer data)
{
    struct oci_annotation *annotation = data;
    g_free(annotation->key);
    g_free(annotation->value);
    g_free(annotation);
}

static void decode_annotations(const struct oci_decoder *decoder, const char *path, json_t *value,
                               GPtrArray **out)
{
    if (!json_is_object(value)) {
        wrong_type(decoder, path, "an object of strings", value);
        return;
    }
    GPtrArray *annotations = g_ptr_array_new_with_free_func(annotation_free);
    const char *key;
    json_t *element;
    json_object_foreach(value, key, element)
    {
        g_autofree char *at = oci_path_child(path, key);
        const char *string = get_string(decoder, at, element);
        if (*key == '\0') {
            oci_problems_add_key(decoder->problems, at, "an annotation's name must not be empty");
        } else if (string != NULL) {
            struct oci_annotation *annotation = g_new0(struct oci_annotation, 1);
            annotation->key = g_strdup(key);
            annotation->value = g_strdup(string);
            g_ptr_array_add(annotations, annotation);
        }
    }
    *out = annotations;
}

static void decode_unsupported(const struct oci_decoder *decoder, const struct oci_field *field,
                               const char *path, const json_t *value)
{
    if (!json_is_array(value)) {
        wrong_type(decoder, path, "an array", value);
    } else if (json_array_size(value) > 0) {
        oci_problems_add(decoder->problems, path, "must be absent or empty: %s", field->note);
    }
}

static void decode_value(const struct oci_decoder *decoder, const struct oci_field *field,
                         const char *path, json_t *value, void *out)
{
    void *member = (char *)out + field->offset;
    switch (field->type) {
    case OCI_STRING:
        decode_string(decoder, field, path, value, member);
        break;
    case OCI_STRINGS:
        decode_strings(decoder, path, value, member);
        break;
    case OCI_UINT:
        decode_uint(decoder, field, path, value, member);
        break;
    case OCI_INT:
        decode_int(decoder, path, value, member);
        break;
    case OCI_ANNOTATIONS:
        decode_annotations(decoder, path, value, member);
        break;
    case OCI_OBJECT:
        if (json_is_object(value)) {
            oci_decode(decoder, value, path, field->fields, out);
        } else {
            wrong_type(decoder, path, "an object", value);
        }
        break;
    case OCI_UNSUPPORTED:
        decode_unsupported(decoder, field, path, value);
        break;
    }
}

void oci_decode(const struct oci_decoder *decoder, json_t *object, const char *path,
                const struct oci_field *fields, void *out)
{
    for (const struct oci_field *field = fields; field->name != NULL; field++) {
        const char *name = field->name;
        json_t *value = json_object_get(object, name);
        json_t *other = field->alias != NULL ? json_object_get(object, field->alias) : NULL;
        if (other != NULL && (value == NULL || json_is_null(value))) {
            name = field->alias;
            value = other;
        }
        g_autofree char *at = oci_path_child(path, name);
        /* Go writes null for a nil pointer, slice or map. */
        if (value != NULL && !json_is_null(value)) {
            decode_value(decoder, field, at, value, out);
        } else if (field->flags & OCI_REQUIRED) {
            oci_problems_add(decoder->problems, at, "is missing, and required%s%s",
                             field->note != NULL ? ": " : "",
                             field->note != NULL ? field->note : "");
        }
    }
}

void oci_decode_clear(const struct oci_field *fields, void *out)
{
    for (const struct oci_field *field = fields; field->name != NULL; field++) {
        void *member = (char *)out + field->offset;
        switch (field->type) {
        case OCI_STRING:
            g_clear_pointer((char **)member, g_free);
            break;
        case OCI_STRINGS:
            g_clear_pointer((char ***)member, g_strfreev);
            break;
        case OCI_ANNOTATIONS:
            g_clear_pointer((GPtrArray **)member, g_ptr_array_unref);
            break;
        case OCI_OBJECT:
            oci_decode_clear(field->fields, out);
            break;
        case OCI_UINT:
        case OCI_INT:
        case OCI_UNSUPPORTED:
            break;
        }
    }
}
