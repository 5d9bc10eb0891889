// SPDX-License-Identifier: LGPL-2.1-or-later
#include "oci/decode.h"
#include "oci/document.h"
#include "oci/words.h"

#include <string.h>

/* A longer value would hide what a message says of it. */
#define LONGEST_TOKEN 60

/*
 * Where a value stands, as a chain up to the root: it becomes the text of a JSON path only for a
 * problem, of which most files have none.
 */
struct place {
    const struct place *parent; /* NULL: the root, which has no name */
    const char *name;           /* NULL: an element */
    gsize index;
};

static void append_place(GString *path, const struct place *place)
{
    if (place->parent == NULL) {
        return;
    }
    append_place(path, place->parent);
    if (place->name == NULL) {
        g_string_append_printf(path, "[%" G_GSIZE_FORMAT "]", place->index);
    } else {
        g_autofree char *child = oci_path_child(path->str, place->name);
        g_string_assign(path, child);
    }
}

static char *path_of(const struct place *place)
{
    GString *path = g_string_new(NULL);
    append_place(path, place);
    return g_string_free(path, FALSE);
}

static void problem(const struct oci_decoder *decoder, const struct place *place,
                    const char *format, ...) G_GNUC_PRINTF(3, 4);

static void problem(const struct oci_decoder *decoder, const struct place *place,
                    const char *format, ...)
{
    if (oci_problems_count(decoder->problems)) {
        return;
    }
    va_list args;
    va_start(args, format);
    g_autofree char *message = g_strdup_vprintf(format, args);
    va_end(args);
    g_autofree char *path = path_of(place);
    oci_problems_add(decoder->problems, path, "%s", message);
}

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

/* @note: a word on what it is, or NULL. */
static void wrong_type(const struct oci_decoder *decoder, const struct place *place,
                       const char *expected, const char *note, const json_t *value)
{
    if (oci_problems_count(decoder->problems)) {
        return;
    }
    g_autofree char *path = path_of(place);
    g_autofree char *token = NULL;
    if (!json_is_object(value) && !json_is_array(value) && !json_is_null(value)) {
        token = oci_document_token(decoder->document, path);
    }
    bool show = token != NULL && strlen(token) <= LONGEST_TOKEN;
    g_autofree char *what = note != NULL ? g_strdup_printf(" (%s)", note) : g_strdup("");
    oci_problems_add(decoder->problems, path, "must be %s%s, and is %s%s%s%s", expected, what,
                     kind_of(value), show ? " (" : "", show ? token : "", show ? ")" : "");
}

static void wrong_integer(const struct oci_decoder *decoder, const struct oci_field *field,
                          const struct place *place, const json_t *value)
{
    const char *text = json_string_value(value);
    if (text != NULL && *text != '\0' && strspn(text, "0123456789") == strlen(text)) {
        g_autofree char *shown = oci_problems_shorten(text);
        problem(decoder, place, "must be an integer, and is a string: write %s without the quotes",
                shown);
    } else if (json_is_real(value)) {
        wrong_type(decoder, place, "an integer without a fraction or an exponent", field->note,
                   value);
    } else {
        wrong_type(decoder, place, "an integer", field->note, value);
    }
}

/* The string of @value; NULL and a problem if it is none, or holds a NUL that C would cut it at. */
static const char *get_string(const struct oci_decoder *decoder, const struct place *place,
                              const char *note, const json_t *value)
{
    if (!json_is_string(value)) {
        wrong_type(decoder, place, "a string", note, value);
        return NULL;
    }
    if (strlen(json_string_value(value)) != json_string_length(value)) {
        problem(decoder, place, "must not hold a NUL character (\\u0000)");
        return NULL;
    }
    return json_string_value(value);
}

static void relative_path(const struct oci_decoder *decoder, const struct oci_field *field,
                          const struct place *place, const char *string)
{
    g_autofree char *shown = oci_problems_shorten(string);
    if (field->flags & OCI_OUR_FILE) {
        g_autofree char *absolute = g_canonicalize_filename(shown, decoder->bundle);
        problem(decoder, place, "\"%s\" must be an absolute path; in the bundle it would be %s",
                shown, absolute);
    } else {
        problem(decoder, place, "\"%s\" must be an absolute path: it has no / in front", shown);
    }
}

/* The hint takes more time than all else that is done for a string. */
static void wrong_word(const struct oci_decoder *decoder, const struct oci_field *field,
                       const struct place *place, const char *string)
{
    if (!oci_problems_count(decoder->problems)) {
        g_autofree char *shown = oci_problems_shorten(string);
        g_autofree char *hint = oci_words_hint(field->words, string);
        problem(decoder, place, "\"%s\" is not one of %s", shown, hint);
    }
}

/* What the row demands of a string, or of each of a list. */
static bool check_string(const struct oci_decoder *decoder, const struct oci_field *field,
                         const struct place *place, const char *string)
{
    if (field->words != NULL && !g_strv_contains(field->words, string)) {
        wrong_word(decoder, field, place, string);
        return false;
    }
    if (field->is_valid != NULL && !field->is_valid(string)) {
        g_autofree char *shown = oci_problems_shorten(string);
        problem(decoder, place, "\"%s\" is not %s", shown, field->shape);
        return false;
    }
    if ((field->flags & (OCI_ABSOLUTE | OCI_BUNDLE_PATH)) && *string == '\0') {
        problem(decoder, place, "must not be empty: %s",
                field->note != NULL ? field->note : "it is a path");
        return false;
    }
    if ((field->flags & OCI_ABSOLUTE) && *string != '/') {
        relative_path(decoder, field, place, string);
        return false;
    }
    return true;
}

static void decode_string(const struct oci_decoder *decoder, const struct oci_field *field,
                          const struct place *place, const json_t *value, char **out)
{
    const char *string = get_string(decoder, place, field->note, value);
    if (string == NULL || (*string == '\0' && (field->flags & OCI_EMPTY_IS_UNSET)) ||
        !check_string(decoder, field, place, string)) {
        return;
    }
    *out = field->flags & OCI_BUNDLE_PATH ? g_canonicalize_filename(string, decoder->bundle)
                                          : g_strdup(string);
}

/* What the row demands of a list's length. False: what is in it need not be looked at. */
static bool check_length(const struct oci_decoder *decoder, const struct oci_field *field,
                         const struct place *place, gsize length)
{
    if (length > 0 && (field->flags & OCI_ONLY_EMPTY)) {
        problem(decoder, place, "must be absent or empty: %s", field->note);
        return false;
    }
    if (length == 0 && (field->flags & OCI_NOT_EMPTY)) {
        problem(decoder, place, "must not be empty: %s", field->note);
    }
    return true;
}

static void decode_strings(const struct oci_decoder *decoder, const struct oci_field *field,
                           const struct place *place, json_t *value, char ***out)
{
    if (!json_is_array(value)) {
        wrong_type(decoder, place, "an array of strings", NULL, value);
        return;
    }
    if (!check_length(decoder, field, place, json_array_size(value))) {
        return;
    }
    g_autoptr(GStrvBuilder) strings = g_strv_builder_new();
    struct place at = {.parent = place};
    json_t *element;
    json_array_foreach(value, at.index, element)
    {
        const char *string = get_string(decoder, &at, NULL, element);
        bool right = string != NULL && check_string(decoder, field, &at, string);
        g_strv_builder_add(strings, right ? string : ""); /* so that the others keep their index */
    }
    *out = g_strv_builder_end(strings);
}

static void decode_bool(const struct oci_decoder *decoder, const struct oci_field *field,
                        const struct place *place, const json_t *value, struct oci_bool *out)
{
    if (json_is_boolean(value)) {
        *out = (struct oci_bool){true, json_is_true(value)};
    } else {
        wrong_type(decoder, place, "true or false", field->note, value);
    }
}

/* The digits of an integer, however long; NULL: @value is none. */
static char *integer_text(const struct oci_decoder *decoder, const json_t *value)
{
    if (json_is_integer(value)) {
        return g_strdup_printf("%" JSON_INTEGER_FORMAT, json_integer_value(value));
    }
    return json_is_real(value)
               ? oci_document_long_integer(decoder->document, json_real_value(value))
               : NULL;
}

static void decode_uint(const struct oci_decoder *decoder, const struct oci_field *field,
                        const struct place *place, const json_t *value, struct oci_uint *out)
{
    guint64 number = 0, max = field->max != 0 ? field->max : G_MAXUINT64;
    g_autofree char *digits = integer_text(decoder, value);
    if (digits == NULL) {
        wrong_integer(decoder, field, place, value);
    } else if (g_ascii_string_to_unsigned(digits, 10, field->min, max, &number, NULL) ||
               ((field->flags & OCI_ZERO_IS_UNSET) && g_str_equal(digits, "0"))) {
        *out = (struct oci_uint){true, number};
    } else if (max < G_MAXUINT32) {
        problem(decoder, place,
                "must be from %" G_GUINT64_FORMAT " to %" G_GUINT64_FORMAT ", and is %s",
                field->min, max, digits);
    } else { /* where the most is only what a computer can hold, one of the two is of interest */
        bool low =
            *digits == '-' || g_ascii_string_to_unsigned(digits, 10, 0, field->min, NULL, NULL);
        problem(decoder, place, "must be at %s %" G_GUINT64_FORMAT ", and is %s",
                low ? "least" : "most", low ? field->min : max, digits);
    }
}

static void decode_int(const struct oci_decoder *decoder, const struct oci_field *field,
                       const struct place *place, const json_t *value, struct oci_int *out)
{
    bool bounded = field->least != 0 || field->most != 0;
    gint64 least = bounded ? field->least : G_MININT64, most = bounded ? field->most : G_MAXINT64;
    gint64 number = 0;
    g_autofree char *digits = integer_text(decoder, value);
    if (digits == NULL) {
        wrong_integer(decoder, field, place, value);
    } else if (g_ascii_string_to_signed(digits, 10, least, most, &number, NULL)) {
        *out = (struct oci_int){true, number};
    } else if (bounded) {
        problem(decoder, place,
                "must be from %" G_GINT64_FORMAT " to %" G_GINT64_FORMAT ", and is %s", least, most,
                digits);
    } else {
        problem(decoder, place, "must be at %s %" G_GINT64_FORMAT ", and is %s",
                *digits == '-' ? "least" : "most", *digits == '-' ? least : most, digits);
    }
}

/* A list's members, as every OCI_LIST begins with. */
struct list {
    void *items;
    gsize length;
};

/* Goes through memcpy(), since to the compiler each OCI_LIST is a type of its own. */
static void put_list(void *member, void *items, gsize length)
{
    struct list list = {length > 0 ? items : NULL, length};
    if (length == 0) {
        g_free(items);
    }
    memcpy(member, &list, sizeof(list));
}

static struct list get_list(const void *member)
{
    struct list list;
    memcpy(&list, member, sizeof(list));
    return list;
}

static void decode_uints(const struct oci_decoder *decoder, const struct oci_field *field,
                         const struct place *place, json_t *value, void *out)
{
    if (!json_is_array(value)) {
        wrong_type(decoder, place, "an array of integers", NULL, value);
        return;
    }
    if (!check_length(decoder, field, place, json_array_size(value))) {
        return;
    }
    guint64 *numbers = g_new0(guint64, json_array_size(value) + 1);
    struct place at = {.parent = place};
    json_t *element;
    json_array_foreach(value, at.index, element)
    {
        struct oci_uint number = {false, 0};
        decode_uint(decoder, field, &at, element, &number);
        numbers[at.index] = number.value;
    }
    put_list(out, numbers, json_array_size(value));
}

static void decode_map(const struct oci_decoder *decoder, const struct oci_field *field,
                       const struct place *place, json_t *value, void *out)
{
    if (!json_is_object(value)) {
        wrong_type(decoder, place, "an object of strings", NULL, value);
        return;
    }
    struct oci_pair *pairs = g_new0(struct oci_pair, json_object_size(value) + 1);
    gsize length = 0;
    const char *key;
    json_t *element;
    json_object_foreach(value, key, element)
    {
        struct place at = {.parent = place, .name = key};
        const char *string = get_string(decoder, &at, NULL, element);
        if (*key == '\0') {
            g_autofree char *path = path_of(&at);
            oci_problems_add_key(decoder->problems, path, "the name of %s must not be empty",
                                 field->note);
        }
        pairs[length++] = (struct oci_pair){g_strdup(key), g_strdup(string)};
    }
    put_list(out, pairs, length);
}

static void decode_members(const struct oci_decoder *decoder, const struct place *place,
                           json_t *object, const struct oci_field *fields, void *out);

static void decode_objects(const struct oci_decoder *decoder, const struct oci_field *field,
                           const struct place *place, json_t *value, void *out)
{
    if (!json_is_array(value)) {
        wrong_type(decoder, place, "an array of objects", NULL, value);
        return;
    }
    gsize length = json_array_size(value);
    if (!check_length(decoder, field, place, length)) {
        return;
    }
    char *items = g_malloc0_n(length + 1, field->size);
    struct place at = {.parent = place};
    json_t *element;
    json_array_foreach(value, at.index, element)
    {
        if (json_is_object(element)) {
            decode_members(decoder, &at, element, field->fields, items + at.index * field->size);
        } else {
            wrong_type(decoder, &at, "an object", NULL, element);
        }
    }
    put_list(out, items, length);
}

static void decode_object_map(const struct oci_decoder *decoder, const struct oci_field *field,
                              const struct place *place, json_t *value, void *out)
{
    if (!json_is_object(value)) {
        wrong_type(decoder, place, "an object of objects", NULL, value);
        return;
    }
    if (!check_length(decoder, field, place, json_object_size(value))) {
        return;
    }
    char *items = g_malloc0_n(json_object_size(value) + 1, field->size);
    gsize length = 0;
    const char *key;
    json_t *element;
    json_object_foreach(value, key, element)
    {
        struct place at = {.parent = place, .name = key};
        char *item = items + length * field->size;
        *(char **)item = g_strdup(key);
        if (json_is_object(element)) {
            decode_members(decoder, &at, element, field->fields, item);
        } else {
            wrong_type(decoder, &at, "an object", NULL, element);
        }
        length++;
    }
    put_list(out, items, length);
}

static void decode_value(const struct oci_decoder *decoder, const struct oci_field *field,
                         const struct place *place, json_t *value, void *out)
{
    void *member = (char *)out + field->offset;
    switch (field->type) {
    case OCI_STRING:
        decode_string(decoder, field, place, value, member);
        break;
    case OCI_STRINGS:
        decode_strings(decoder, field, place, value, member);
        break;
    case OCI_BOOL:
        decode_bool(decoder, field, place, value, member);
        break;
    case OCI_UINT:
        decode_uint(decoder, field, place, value, member);
        break;
    case OCI_INT:
        decode_int(decoder, field, place, value, member);
        break;
    case OCI_UINTS:
        decode_uints(decoder, field, place, value, member);
        break;
    case OCI_MAP:
        decode_map(decoder, field, place, value, member);
        break;
    case OCI_OBJECTS:
        decode_objects(decoder, field, place, value, member);
        break;
    case OCI_OBJECT_MAP:
        decode_object_map(decoder, field, place, value, member);
        break;
    case OCI_OBJECT:
        if (json_is_object(value)) {
            decode_members(decoder, place, value, field->fields, out);
        } else {
            wrong_type(decoder, place, "an object", NULL, value);
        }
        break;
    case OCI_FOREIGN:
        break;
    }
}

static void decode_members(const struct oci_decoder *decoder, const struct place *place,
                           json_t *object, const struct oci_field *fields, void *out)
{
    for (const struct oci_field *field = fields; field->name != NULL; field++) {
        struct place at = {.parent = place, .name = field->name};
        json_t *value = json_object_get(object, field->name);
        json_t *other = field->alias != NULL ? json_object_get(object, field->alias) : NULL;
        if (other != NULL && (value == NULL || json_is_null(value))) {
            at.name = field->alias;
            value = other;
        }
        /* Go writes null for a nil pointer, slice or map. */
        if (value != NULL && !json_is_null(value)) {
            decode_value(decoder, field, &at, value, out);
        } else if (field->flags & OCI_REQUIRED) {
            problem(decoder, &at, "is missing, and required%s%s", field->note != NULL ? ": " : "",
                    field->note != NULL ? field->note : "");
        }
    }
}

void oci_decode(const struct oci_decoder *decoder, json_t *object, const struct oci_field *fields,
                void *out)
{
    const struct place root = {NULL, NULL, 0};
    decode_members(decoder, &root, object, fields, out);
}

static void clear_list(const struct oci_field *field, void *member)
{
    struct list list = get_list(member);
    for (gsize i = 0; i < list.length && field->type != OCI_UINTS; i++) {
        char *item = (char *)list.items + i * field->size;
        oci_decode_clear(field->fields, item);
        if (field->type == OCI_OBJECT_MAP) {
            g_free(*(char **)item);
        }
    }
    put_list(member, list.items, 0);
}

static void clear_map(void *member)
{
    struct list list = get_list(member);
    for (gsize i = 0; i < list.length; i++) {
        struct oci_pair *pair = (struct oci_pair *)list.items + i;
        g_free(pair->key);
        g_free(pair->value);
    }
    put_list(member, list.items, 0);
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
        case OCI_MAP:
            clear_map(member);
            break;
        case OCI_UINTS:
        case OCI_OBJECTS:
        case OCI_OBJECT_MAP:
            clear_list(field, member);
            break;
        case OCI_OBJECT:
            oci_decode_clear(field->fields, out);
            break;
        case OCI_BOOL:
        case OCI_UINT:
        case OCI_INT:
        case OCI_FOREIGN:
            break;
        }
    }
}
