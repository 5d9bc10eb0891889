// SPDX-License-Identifier: LGPL-2.1-or-later
#include "oci/state.h"
#include "tests/unit/expect.h"

#include <jansson.h>
#include <string.h>

static json_t *parse(const char *text)
{
    json_error_t error;
    json_t *object = json_loads(text, JSON_REJECT_DUPLICATES, &error);
    if (object == NULL) {
        g_test_message("%s: %s", error.text, text);
        g_test_fail();
    }
    return object;
}

static const char *word(json_t *object, const char *key)
{
    return json_string_value(json_object_get(object, key));
}

static void test_whole(void)
{
    const char *annotations[] = {"b", "2", "a", "1", NULL};
    const struct oci_state state = {"vm-1", "running", 4711, "/bundle", annotations};
    g_autofree char *text = oci_state_format(&state);
    g_assert_cmpstr(text, ==,
                    "{\"ociVersion\":\"1.3.0\",\"id\":\"vm-1\",\"status\":\"running\",\"pid\":4711,"
                    "\"bundle\":\"/bundle\",\"annotations\":{\"b\":\"2\",\"a\":\"1\"}}");
}

/* state-schema.json: these are required; a pid is for who has one. */
static void test_least(void)
{
    const struct oci_state state = {"vm", "stopped", 0, "/", NULL};
    g_autofree char *text = oci_state_format(&state);
    g_assert_cmpstr(text, ==,
                    "{\"ociVersion\":\"1.3.0\",\"id\":\"vm\",\"status\":\"stopped\","
                    "\"bundle\":\"/\",\"annotations\":{}}");
}

static void test_indented(void)
{
    const char *annotations[] = {"a", "1", NULL};
    const struct oci_state state = {"vm", "created", 1, "/", annotations};
    g_autofree char *text = oci_state_format_indented(&state);
    g_autofree char *line = oci_state_format(&state);
    json_t *indented = parse(text), *compact = parse(line);
    g_assert_true(json_equal(indented, compact));
    g_assert_nonnull(strstr(text, "\n    \"id\": \"vm\",\n"));
    g_assert_null(strchr(line, '\n'));
    json_decref(indented);
    json_decref(compact);
}

/* Whatever is in a config's annotations comes out as it went in. */
static void test_any_text(void)
{
    const char *annotations[] = {"\"", "\\", "\n", "\t\x01", "ä", "𝄞", "", "</script>", NULL};
    const struct oci_state state = {"\"}", "running", 1, "/b \"\n", annotations};
    g_autofree char *text = oci_state_format(&state);
    g_assert_null(strchr(text, '\n')); /* one line stays one */
    json_t *object = parse(text);
    g_assert_cmpstr(word(object, "id"), ==, "\"}");
    g_assert_cmpstr(word(object, "bundle"), ==, "/b \"\n");
    json_t *map = json_object_get(object, "annotations");
    g_assert_cmpuint(json_object_size(map), ==, 4);
    for (gsize i = 0; annotations[i] != NULL; i += 2) {
        expect_str(annotations[i], word(map, annotations[i]), annotations[i + 1]);
    }
    json_decref(object);
}

/* Linux's paths are bytes; JSON's strings are not. */
static void test_path_of_any_bytes(void)
{
    const struct oci_state state = {"vm", "running", 1, "/b\xff/c", NULL};
    g_autofree char *text = oci_state_format(&state);
    json_t *object = parse(text);
    g_assert_cmpstr(word(object, "bundle"), ==, "/b\xef\xbf\xbd/c");
    json_decref(object);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_set_nonfatal_assertions();
    g_test_add_func("/state/whole", test_whole);
    g_test_add_func("/state/least", test_least);
    g_test_add_func("/state/indented", test_indented);
    g_test_add_func("/state/any-text", test_any_text);
    g_test_add_func("/state/path-of-any-bytes", test_path_of_any_bytes);
    return g_test_run();
}
