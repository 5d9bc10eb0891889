// SPDX-License-Identifier: LGPL-2.1-or-later
#include "src/api/answer.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

/* What the control API answers with. */

/* Takes @text; strings and numbers in @expected by jansson's format. */
static void assert_json(char *text, json_t *expected)
{
    json_t *json = json_loads(text, 0, NULL);
    if (!json_equal(json, expected)) {
        g_test_message("%s", text);
        g_test_fail();
    }
    json_decref(json);
    json_decref(expected);
    free(text);
}

static void test_errors(void)
{
    assert_json(answer_error("no \"VM\"\n"), json_pack("{s:s}", "error", "no \"VM\"\n"));
    assert_json(answer_error("\xff"), json_pack("{s:s}", "error", "\xef\xbf\xbd"));
    assert_json(answer_refusal("pause", LIFECYCLE_STOPPING),
                json_pack("{s:s,s:s}", "error", "the VM is stopping, and pause is not possible now",
                          "lifecycle", "stopping"));
}

static void test_state(void)
{
    struct engine_view view = {.state = LIFECYCLE_CREATING, .ms_since_start = 7};
    static const char description[] = "{\"id\":\"x\"}";
    assert_json(answer_state(description, &view, -1),
                json_pack("{s:s,s:{s:s,s:b,s:b,s:i}}", "id", "x", "vm", "lifecycle", "creating",
                          "guest-ran", 0, "agent-connected", 0, "ms-since-start", 7));
    view = (struct engine_view){
        .state = LIFECYCLE_ENDED, .guest_ran = true, .agent_connected = true, .qemu = 12};
    assert_json(answer_state(description, &view, 137),
                json_pack("{s:s,s:{s:s,s:b,s:b,s:i,s:i,s:i}}", "id", "x", "vm", "lifecycle",
                          "ended", "guest-ran", 1, "agent-connected", 1, "ms-since-start", 0,
                          "qemu-pid", 12, "exit-status", 137));
}

static void test_health(void)
{
    char reason[] = "a \"b\" \xff";
    char *reasons[] = {reason, NULL};
    const struct engine_health health = {.live = true, .started = true, .reasons = reasons};
    assert_json(answer_health(&health), json_pack("{s:b,s:b,s:b,s:[s]}", "live", 1, "ready", 0,
                                                  "started", 1, "reasons", "a \"b\" \xef\xbf\xbd"));
    const struct engine_health well = {.ready = true, .reasons = &reasons[1]};
    assert_json(answer_health(&well),
                json_pack("{s:b,s:b,s:b,s:[]}", "live", 0, "ready", 1, "started", 0, "reasons"));
}

static void test_statistics(void)
{
    GVariantDict values;
    g_variant_dict_init(&values, NULL);
    g_variant_dict_insert(&values, "int", "i", -1);
    g_variant_dict_insert(&values, "uint", "u", 4294967295u);
    g_variant_dict_insert(&values, "llong", "x", G_MININT64);
    g_variant_dict_insert(&values, "ullong", "t", G_GUINT64_CONSTANT(9223372036854775807));
    g_variant_dict_insert(&values, "more", "t", G_MAXUINT64);
    g_variant_dict_insert(&values, "double", "d", 0.5);
    g_variant_dict_insert(&values, "boolean", "b", TRUE);
    g_variant_dict_insert(&values, "string", "s", "page-sampling");
    g_autoptr(GVariant) statistics = g_variant_ref_sink(g_variant_dict_end(&values));
    assert_json(answer_statistics(statistics),
                json_pack("{s:i,s:I,s:I,s:I,s:f,s:f,s:b,s:s}", "int", -1, "uint",
                          (json_int_t)4294967295, "llong", (json_int_t)G_MININT64, "ullong",
                          (json_int_t)G_MAXINT64, "more", 18446744073709551615.0, "double", 0.5,
                          "boolean", 1, "string", "page-sampling"));
}

/* Takes @text and @expected. */
static void assert_event(char *text, const char *name, json_t *expected)
{
    g_autofree char *head = g_strdup_printf("event: %s\ndata: ", name);
    g_assert_true(g_str_has_prefix(text, head));
    g_assert_true(g_str_has_suffix(text, "}\n\n"));
    g_assert_cmpint(g_utf8_strlen(text, -1), ==, strlen(text));
    char *data = strdup(text + strlen(head));
    g_assert_true(strchr(data, '\n') == data + strlen(data) - 2);
    assert_json(data, expected);
    g_free(text);
}

static void test_events(void)
{
    const struct engine_view view = {
        .state = LIFECYCLE_PAUSED, .agent_connected = true, .ms_since_start = 1234};
    assert_event(answer_event(ENGINE_NEWS_LIFECYCLE, &view), "lifecycle",
                 json_pack("{s:s,s:i,s:s}", "event", "lifecycle", "ms-since-start", 1234,
                           "lifecycle", "paused"));
    assert_event(answer_event(ENGINE_NEWS_REBOOTED, &view), "reboot",
                 json_pack("{s:s,s:i}", "event", "reboot", "ms-since-start", 1234));
    assert_event(
        answer_event(ENGINE_NEWS_AGENT, &view), "agent",
        json_pack("{s:s,s:i,s:b}", "event", "agent", "ms-since-start", 1234, "agent-connected", 1));
    assert_event(answer_event(ENGINE_NEWS_IO_ERROR, &view), "io-error",
                 json_pack("{s:s,s:i}", "event", "io-error", "ms-since-start", 1234));
    assert_event(
        answer_end_event(&view, 0), "end",
        json_pack("{s:s,s:i,s:i}", "event", "end", "ms-since-start", 1234, "exit-status", 0));
}

static void test_short_ones(void)
{
    assert_json(answer_exit(137), json_pack("{s:i}", "exit-status", 137));
    assert_json(answer_lifecycle(LIFECYCLE_KILLING), json_pack("{s:s}", "lifecycle", "killing"));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/answer/errors", test_errors);
    g_test_add_func("/answer/state", test_state);
    g_test_add_func("/answer/health", test_health);
    g_test_add_func("/answer/statistics", test_statistics);
    g_test_add_func("/answer/events", test_events);
    g_test_add_func("/answer/short-ones", test_short_ones);
    return g_test_run();
}
