// SPDX-License-Identifier: LGPL-2.1-or-later
#include "tests/fuzz/generate.h"
#include "oci/settings.h"

#include <string.h>

static const char *const awkward[] = {
    "",
    "a",
    "/",
    "//",
    "..",
    ".",
    " ",
    "-",
    ",",
    "=",
    "\"",
    "'",
    "<&>",
    "]]>",
    "\\",
    "\n",
    "\t",
    "\r",
    "\x01",
    "\x1b",
    "\x7f",
    "\xc2\x85",
    "\xc2\x9b",
    "ä",
    "\u202e",
    "\xef\xbf\xbf",
    "𝄞",
    "%s%n",
    "$(id)",
    "[0]",
    "a.b",
    "[\"a\"]",
    "0",
    "-1",
    "1e999",
    "4G",
    "0-3",
    "b",
    "b 8:0 r",
    "host",
    "console=",
    "default",
    "SCMP_ACT_ERRNO",
};

/* Texts of which, for every row that has a check of its own, one at least passes it. */
static const char *const shaped[] = {
    "1.3.0",   "1.0.2-dev+a.1",
    "host",    "vm-1.example",
    "0",       "0-3,5",
    "1-2",     "2MB",
    "1GB",     "MB:0=50",
    "L3:0=ff", "eth0",
    "ib%d",    "a",
    "b",       "c",
    "p",       "u",
    "r",       "rw",
    "rwm",
};

/* Where numbers go wrong: around powers of two, and of what is counted. */
static const gint64 edges[] = {
    0,   1,    2,    7,     10,         63,         64,          99,         100,        255, 256,
    512, 1000, 4095, 65536, G_MAXINT32, G_MININT32, G_MAXUINT32, G_MAXINT64, G_MININT64, -1,
};

static int below(GRand *rand, int n)
{
    return g_rand_int_range(rand, 0, n);
}

#define PICK(rand, array) ((array)[below(rand, G_N_ELEMENTS(array))])

/* Once in @n. */
static bool chance(GRand *rand, int n)
{
    return below(rand, n) == 0;
}

char *generate_text(GRand *rand)
{
    GString *text = g_string_new(PICK(rand, awkward));
    while (chance(rand, 2)) {
        g_string_append(text, PICK(rand, awkward));
    }
    if (chance(rand, 50)) {
        while (text->len < 300) {
            g_string_append(text, "long ä");
        }
    }
    return g_string_free(text, FALSE);
}

static char *generate_name(GRand *rand)
{
    g_autofree char *text = generate_text(rand);
    return *text != '\0' ? g_steal_pointer(&text) : g_strdup("name");
}

/* Devices that mean something. */
static const char *const devices[] = {"/dev/vfio/1", "/dev/sdb", "/dev/null", "/dev/kvm"};

/* It ends in a name: that a path is a directory only a file system can tell. */
static char *generate_path(GRand *rand, unsigned flags)
{
    if (chance(rand, 6)) {
        return g_strdup(PICK(rand, devices));
    }
    g_autofree char *text = generate_text(rand);
    bool relative = (flags & OCI_BUNDLE_PATH) && chance(rand, 2);
    return g_strconcat(relative ? "" : "/", text, "f", NULL);
}

static const char *pick_word(GRand *rand, const char *const *words)
{
    return words[below(rand, g_strv_length((char **)words))];
}

/* One that passes the check; which do is told by the check itself. */
static const char *pick_shaped(GRand *rand, const struct oci_field *field)
{
    gsize start = below(rand, G_N_ELEMENTS(shaped));
    for (gsize i = 0; i < G_N_ELEMENTS(shaped); i++) {
        const char *text = shaped[(start + i) % G_N_ELEMENTS(shaped)];
        if (field->is_valid(text)) {
            return text;
        }
    }
    g_error("generate.c knows no text that %s takes", field->name);
}

static json_t *generate_string(GRand *rand, const struct oci_field *field)
{
    if (field->words != NULL) {
        return json_string(pick_word(rand, field->words));
    }
    if (field->is_valid != NULL) {
        return json_string(pick_shaped(rand, field));
    }
    g_autofree char *text = field->flags & (OCI_ABSOLUTE | OCI_BUNDLE_PATH)
                                ? generate_path(rand, field->flags)
                                : generate_text(rand);
    return json_string(text);
}

/* How many elements a list gets. */
static int generate_length(GRand *rand, const struct oci_field *field)
{
    if (field->flags & OCI_ONLY_EMPTY) {
        return 0;
    }
    return g_rand_int_range(rand, field->flags & OCI_NOT_EMPTY ? 1 : 0, 4);
}

static json_t *generate_uint(GRand *rand, const struct oci_field *field)
{
    guint64 max = field->max != 0 ? MIN(field->max, G_MAXINT64) : G_MAXINT64;
    guint64 number = chance(rand, 3) ? below(rand, 3) : PICK(rand, edges) & G_MAXINT64;
    return json_integer(CLAMP(number, field->min, max));
}

static json_t *generate_int(GRand *rand, const struct oci_field *field)
{
    bool bounded = field->least != 0 || field->most != 0;
    gint64 number = PICK(rand, edges);
    return json_integer(bounded ? CLAMP(number, field->least, field->most) : number);
}

static json_t *generate_element(GRand *rand, const struct oci_field *field)
{
    switch (field->type) {
    case OCI_STRINGS:
        return generate_string(rand, field);
    case OCI_UINTS:
        return generate_uint(rand, field);
    default:
        return generate_object(rand, field->fields);
    }
}

static json_t *generate_list(GRand *rand, const struct oci_field *field)
{
    json_t *array = json_array();
    for (int n = generate_length(rand, field); n > 0; n--) {
        json_array_append_new(array, generate_element(rand, field));
    }
    return array;
}

static char *generate_setting(GRand *rand)
{
    int id = below(rand, OCI_SETTING_COUNT);
    return g_strconcat(OCI_SETTING_PREFIX, oci_settings_name(id), NULL);
}

static json_t *generate_map(GRand *rand, const struct oci_field *field)
{
    json_t *object = json_object();
    for (int n = generate_length(rand, field); n > 0; n--) {
        bool setting = chance(rand, 3);
        g_autofree char *key = setting ? generate_setting(rand) : generate_name(rand);
        g_autofree char *text = generate_text(rand);
        const char *value = setting && chance(rand, 2) ? PICK(rand, shaped) : text;
        json_object_set_new(object, key, json_string(value));
    }
    return object;
}

static json_t *generate_object_map(GRand *rand, const struct oci_field *field)
{
    json_t *object = json_object();
    for (int n = generate_length(rand, field); n > 0; n--) {
        g_autofree char *name = generate_name(rand);
        const char *key = chance(rand, 2) ? "eth0" : name;
        json_object_set_new(object, key, generate_object(rand, field->fields));
    }
    return object;
}

json_t *generate_value(GRand *rand, const struct oci_field *field)
{
    switch (field->type) {
    case OCI_STRING:
        return generate_string(rand, field);
    case OCI_BOOL:
        return json_boolean(chance(rand, 2));
    case OCI_UINT:
        return generate_uint(rand, field);
    case OCI_INT:
        return generate_int(rand, field);
    case OCI_STRINGS:
    case OCI_UINTS:
    case OCI_OBJECTS:
        return generate_list(rand, field);
    case OCI_MAP:
        return generate_map(rand, field);
    case OCI_OBJECT_MAP:
        return generate_object_map(rand, field);
    case OCI_OBJECT:
        return generate_object(rand, field->fields);
    case OCI_FOREIGN:
        return generate_anything(rand, 3);
    }
    g_assert_not_reached();
}

json_t *generate_object(GRand *rand, const struct oci_field *fields)
{
    json_t *object = json_object();
    for (const struct oci_field *field = fields; field->name != NULL; field++) {
        if ((field->flags & OCI_REQUIRED) || !chance(rand, 4)) {
            const char *name = field->alias != NULL && chance(rand, 2) ? field->alias : field->name;
            json_object_set_new(object, name, generate_value(rand, field));
        }
    }
    if (chance(rand, 8)) {
        g_autofree char *name = generate_text(rand);
        json_object_set_new(object, name, generate_anything(rand, 2));
    }
    return object;
}

static json_t *generate_scalar(GRand *rand)
{
    g_autofree char *text = generate_text(rand);
    switch (below(rand, 6)) {
    case 0:
        return json_null();
    case 1:
        return json_boolean(chance(rand, 2));
    case 2:
        return json_real(g_rand_double(rand) * 1e300 * 1e8);
    case 3:
        return json_integer(PICK(rand, edges));
    case 4:
        return json_string(PICK(rand, shaped));
    default:
        return json_string(text);
    }
}

json_t *generate_anything(GRand *rand, unsigned depth)
{
    if (depth == 0 || chance(rand, 2)) {
        return generate_scalar(rand);
    }
    bool array = chance(rand, 2);
    json_t *container = array ? json_array() : json_object();
    for (int n = below(rand, 4); n > 0; n--) {
        g_autofree char *key = generate_text(rand);
        json_t *element = generate_anything(rand, depth - 1);
        if (array) {
            json_array_append_new(container, element);
        } else {
            json_object_set_new(container, key, element);
        }
    }
    return container;
}

const struct oci_field *generate_field(GRand *rand, const struct oci_field *fields)
{
    int count = 0;
    while (fields[count].name != NULL) {
        count++;
    }
    return &fields[below(rand, count)];
}
