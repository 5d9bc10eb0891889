// SPDX-License-Identifier: LGPL-2.1-or-later

/*
 * Any bytes as what the guest says: as a reply of its agent and as an exit status that it reports;
 * and as what a client of the control API wants it to do.
 */

#include "src/agent/agent_exec.h"
#include "src/api/agent_json.h"
#include "src/host/exit_port.h"
#include "src/util/error.h"
#include "tests/fuzz/fuzz.h"

#include <jansson.h>
#include <string.h>

const struct oci_field *const fuzz_fields = NULL;

static void expect_error(GError **error, enum error_code code)
{
    g_assert_error(*error, ERROR_DOMAIN, (int)code);
    g_assert_cmpstr((*error)->message, !=, "");
    g_assert_true(g_utf8_validate((*error)->message, -1, NULL));
    g_clear_error(error);
}

static json_t *parse(char *text)
{
    json_t *json = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
    g_assert_nonnull(json);
    free(text);
    return json;
}

static void examine_request(const char *text, gsize length)
{
    struct agent_exec_request request, copy;
    GError *error = NULL;
    if (!agent_json_decode_exec(text, length, &request, &error)) {
        g_assert_true(request.command == NULL && request.env == NULL && request.input == NULL);
        expect_error(&error, ERROR_USAGE);
        return;
    }
    g_assert_true(agent_exec_request_check(&request, &error));
    agent_exec_request_copy(&copy, &request);
    agent_exec_request_clear(&request);
    json_t *json = parse(agent_exec_encode_start(&copy));
    json_t *arguments = json_object_get(json, "arguments");
    g_assert_cmpstr(json_string_value(json_object_get(arguments, "path")), ==, copy.command[0]);
    g_assert_cmpuint(json_array_size(json_object_get(arguments, "arg")) + 1, ==,
                     g_strv_length(copy.command));
    json_decref(json);
    agent_exec_request_clear(&copy);
}

static void examine_result(const struct agent_exec_result *result)
{
    g_assert_true(result->output == NULL ||
                  g_bytes_get_size(result->output) <= AGENT_EXEC_OUTPUT_MAX);
    g_assert_true(result->errors == NULL ||
                  g_bytes_get_size(result->errors) <= AGENT_EXEC_OUTPUT_MAX);
    json_decref(parse(agent_json_encode_result(result)));
}

static void examine_reply(const char *reply)
{
    struct agent_exec_result result = {0};
    GError *error = NULL;
    bool over;
    if (!agent_exec_decode_start(reply, &result.pid, &error)) {
        expect_error(&error, ERROR_UNAVAILABLE);
    } else {
        g_assert_cmpint(result.pid, >=, 0);
        json_decref(parse(agent_exec_encode_status(result.pid)));
    }
    if (!agent_exec_decode_status(reply, &over, &result, &error)) {
        expect_error(&error, ERROR_UNAVAILABLE);
    } else if (over) {
        examine_result(&result);
    }
    agent_exec_result_clear(&result);
}

static void examine_report(const char *text, gsize length, bool cut_off)
{
    int status = -1;
    char *rejected;
    bool reported = exit_port_parse(text, length, cut_off, &status, &rejected);
    g_assert_true(reported == (status >= 0 && status <= 255));
    for (const char *c = rejected; c != NULL && *c != '\0' && !g_str_equal(c, "…"); c++) {
        g_assert_true(g_ascii_isprint(*c));
    }
    g_assert_true(rejected == NULL || strlen(rejected) <= 4 * 40 + strlen("…"));
    g_free(rejected);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    g_autofree char *reply = g_strndup((const char *)data, size);
    examine_request((const char *)data, size);
    examine_reply(reply);
    examine_report((const char *)data, size, false);
    examine_report((const char *)data, size, true);
    return 0;
}
