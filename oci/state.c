// SPDX-License-Identifier: LGPL-2.1-or-later
#include "oci/state.h"

#include <glib.h>
#include <jansson.h>

/* The version with which the state complies, whatever the config's is. */
#define VERSION "1.3.0"

static json_t *annotations_to_json(const char *const *annotations)
{
    json_t *object = json_object();
    for (gsize i = 0; annotations != NULL && annotations[i] != NULL; i += 2) {
        json_object_set_new(object, annotations[i], json_string(annotations[i + 1]));
    }
    return object;
}

/* A path can be any bytes, and JSON's strings cannot. */
static json_t *text_to_json(const char *text)
{
    g_autofree char *valid = g_utf8_make_valid(text, -1);
    return json_string(valid);
}

static char *format(const struct oci_state *state, size_t flags)
{
    json_t *object =
        json_pack("{s:s,s:s,s:s}", "ociVersion", VERSION, "id", state->id, "status", state->status);
    if (state->pid > 0) {
        json_object_set_new(object, "pid", json_integer(state->pid));
    }
    json_object_set_new(object, "bundle", text_to_json(state->bundle));
    json_object_set_new(object, "annotations", annotations_to_json(state->annotations));
    char *text = json_dumps(object, flags);
    json_decref(object);
    return text;
}

char *oci_state_format(const struct oci_state *state)
{
    return format(state, JSON_COMPACT);
}

char *oci_state_format_indented(const struct oci_state *state)
{
    return format(state, JSON_INDENT(4));
}
