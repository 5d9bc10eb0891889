// SPDX-License-Identifier: LGPL-2.1-or-later

/*
 * How libFuzzer changes an input that is JSON. Half of the time the bytes, as it does by itself:
 * that finds what breaks parsers. Else the tree, by the tables that decoding goes by: that gets
 * past the parser, and to the rules behind it.
 */

#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/generate.h"

#include <string.h>

size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed);

/* More than problems.h keeps problems. */
#define MANY 120

#define LONGEST_STRING 200

/* An object or array of the tree, and what the tables know of it. */
struct spot {
    json_t *node;
    const struct oci_field *fields; /* NULL: nothing */
    bool each;                      /* each element has these fields, not the node itself */
};

static int below(GRand *rand, int n)
{
    return g_rand_int_range(rand, 0, n);
}

static gsize count_of(const json_t *node)
{
    return json_is_array(node) ? json_array_size(node) : json_object_size(node);
}

/* Child @index, and its @name in an object. */
static json_t *child_of(json_t *node, gsize index, const char **name)
{
    *name = NULL;
    if (json_is_array(node)) {
        return json_array_get(node, index);
    }
    void *member = json_object_iter(node);
    while (index-- > 0) {
        member = json_object_iter_next(node, member);
    }
    *name = json_object_iter_key(member);
    return json_object_iter_value(member);
}

static struct spot step(const struct spot *from, json_t *child, const char *name)
{
    if (from->each) {
        return (struct spot){child, from->fields, false};
    }
    const struct oci_field *row =
        from->fields != NULL && name != NULL ? oci_fields_find(from->fields, name) : NULL;
    bool each = row != NULL && (row->type == OCI_OBJECTS || row->type == OCI_OBJECT_MAP);
    return (struct spot){child, row != NULL ? row->fields : NULL, each};
}

static struct spot choose(GRand *rand, json_t *root)
{
    struct spot spot = {root, fuzz_fields, false};
    while (count_of(spot.node) > 0 && below(rand, 4) != 0) {
        const char *name;
        json_t *child = child_of(spot.node, below(rand, count_of(spot.node)), &name);
        if (!json_is_object(child) && !json_is_array(child)) {
            break;
        }
        spot = step(&spot, child, name);
    }
    return spot;
}

/* These take @value over. */
static void put(GRand *rand, json_t *node, json_t *value)
{
    if (json_is_array(node)) {
        json_array_insert_new(node, below(rand, json_array_size(node) + 1), value);
    } else {
        g_autofree char *name = generate_text(rand);
        json_object_set_new(node, name, value);
    }
}

static void replace(json_t *node, gsize index, json_t *value)
{
    const char *name;
    child_of(node, index, &name);
    if (json_is_array(node)) {
        json_array_set_new(node, index, value);
    } else {
        g_autofree char *copy = g_strdup(name); /* jansson may move the key that we point to */
        json_object_set_new(node, copy, value);
    }
}

static void add(GRand *rand, const struct spot *spot)
{
    if (spot->fields == NULL) {
        put(rand, spot->node, generate_anything(rand, 2));
    } else if (spot->each || !json_is_object(spot->node)) {
        put(rand, spot->node, generate_object(rand, spot->fields));
    } else {
        const struct oci_field *row = generate_field(rand, spot->fields);
        json_object_set_new(spot->node, row->name, generate_value(rand, row));
    }
}

static void drop(json_t *node, gsize index)
{
    const char *name;
    child_of(node, index, &name);
    if (json_is_array(node)) {
        json_array_remove(node, index);
    } else {
        g_autofree char *copy = g_strdup(name);
        json_object_del(node, copy);
    }
}

static void multiply(GRand *rand, json_t *node, gsize index)
{
    const char *name;
    json_t *child = child_of(node, index, &name);
    for (int n = below(rand, 8) == 0 ? MANY : 1; n > 0; n--) {
        put(rand, node, json_deep_copy(child));
    }
}

/* A child becomes what a row takes: mostly its own. */
static void refill(GRand *rand, const struct spot *spot, gsize index)
{
    const char *name;
    child_of(spot->node, index, &name);
    bool known = name != NULL && !spot->each && spot->fields != NULL;
    const struct oci_field *row = known ? oci_fields_find(spot->fields, name) : NULL;
    if (row == NULL || below(rand, 4) == 0) {
        row = generate_field(rand, spot->fields != NULL ? spot->fields : fuzz_fields);
    }
    replace(spot->node, index, generate_value(rand, row));
}

/* libFuzzer's own mutations, which know what the code compares with, on a string or a number. */
static void tweak(GRand *rand, json_t *node, gsize index)
{
    const char *name;
    json_t *child = child_of(node, index, &name);
    if (json_is_integer(child)) {
        json_int_t number = json_integer_value(child);
        replace(node, index, json_integer((json_int_t)((guint64)number + below(rand, 5) - 2)));
    } else if (json_is_string(child)) {
        char text[LONGEST_STRING + 1];
        gsize length = MIN(json_string_length(child), LONGEST_STRING);
        memcpy(text, json_string_value(child), length);
        length = LLVMFuzzerMutate((uint8_t *)text, length, LONGEST_STRING);
        text[length] = '\0';
        g_autofree char *valid = g_utf8_make_valid(text, -1);
        replace(node, index, json_string(valid));
    }
}

static void mutate_tree(GRand *rand, json_t *root)
{
    struct spot spot = choose(rand, root);
    gsize count = count_of(spot.node);
    if (count == 0 || below(rand, 4) == 0) {
        add(rand, &spot);
        return;
    }
    gsize index = below(rand, count);
    switch (below(rand, 5)) {
    case 0:
        replace(spot.node, index, generate_anything(rand, 2));
        break;
    case 1:
        drop(spot.node, index);
        break;
    case 2:
        multiply(rand, spot.node, index);
        break;
    case 3:
        refill(rand, &spot, index);
        break;
    case 4:
        tweak(rand, spot.node, index);
        break;
    }
}

/* Now and then a number grows past what jansson can hold. */
static void lengthen_number(GRand *rand, GString *text)
{
    if (below(rand, 16) == 0) {
        gsize at = strcspn(text->str, "123456789");
        g_string_insert(text, at, at < text->len ? "18446744073709551615" : "");
    }
}

static char *dump(GRand *rand, const json_t *root, gsize *length)
{
    static const size_t flags[] = {JSON_COMPACT, JSON_INDENT(1), JSON_COMPACT | JSON_ENSURE_ASCII};
    char *text = json_dumps(root, flags[below(rand, G_N_ELEMENTS(flags))]);
    if (text == NULL) {
        return NULL;
    }
    GString *string = g_string_new(text);
    free(text);
    lengthen_number(rand, string);
    *length = string->len;
    return g_string_free(string, FALSE);
}

/* The JSON of @data becomes another, what is behind it stays. 0: it is none, or has grown too big.
 */
static size_t mutate_json(GRand *rand, uint8_t *data, size_t size, size_t max_size)
{
    const uint8_t *end = memchr(data, 0xff, size);
    gsize length = end != NULL ? (gsize)(end - data) : size, behind = size - length;
    json_t *root = json_loadb((const char *)data, length, JSON_ALLOW_NUL, NULL);
    if (!json_is_object(root)) {
        json_decref(root);
        return 0;
    }
    for (int n = 1 + below(rand, 3); n > 0; n--) {
        mutate_tree(rand, root);
    }
    gsize new_length = 0;
    g_autofree char *text = dump(rand, root, &new_length);
    json_decref(root);
    if (text == NULL || new_length + behind > max_size) {
        return 0;
    }
    memmove(data + new_length, data + length, behind);
    memcpy(data, text, new_length);
    return new_length + behind;
}

/* Only what is behind the JSON, which a big one would hardly ever let the mutations hit. */
static size_t mutate_rest(uint8_t *data, size_t size, size_t max_size)
{
    uint8_t *end = memchr(data, 0xff, size);
    gsize length = end != NULL ? (gsize)(end - data) : size;
    if (length + 2 > max_size) {
        return LLVMFuzzerMutate(data, size, max_size);
    }
    if (end == NULL) {
        data[length] = data[length + 1] = 0xff;
        size = length + 2;
    }
    length++;
    return length + LLVMFuzzerMutate(data + length, size - length, max_size - length);
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed)
{
    if (fuzz_fields == NULL) {
        return LLVMFuzzerMutate(data, size, max_size);
    }
    g_autoptr(GRand) rand = g_rand_new_with_seed(seed);
    int choice = below(rand, 16);
    size_t mutated = choice < 8 ? mutate_json(rand, data, size, max_size) : 0;
    if (mutated > 0) {
        return mutated;
    }
    return choice < 10 ? mutate_rest(data, size, max_size) : LLVMFuzzerMutate(data, size, max_size);
}
