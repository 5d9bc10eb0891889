// SPDX-License-Identifier: LGPL-2.1-or-later
#include "src/api/agent_json.h"
#include "src/agent/agent_interface.h"
#include "src/util/error.h"
#include "tests/unit/expect.h"

#include <stdlib.h>
#include <string.h>

static char *double_quotes(const char *quoted)
{
    return g_strdelimit(g_strdup(quoted), "'", '"');
}

static bool decode(const char *quoted, struct agent_exec_request *request, GError **error)
{
    g_autofree char *text = double_quotes(quoted);
    gsize length = strlen(text);
    /* not one byte more, for the sanitizers */
    g_autofree char *exact = g_memdup2(text, length);
    return agent_json_decode_exec(exact, length, request, error);
}

static void test_request(void)
{
    struct agent_exec_request request;
    GError *error = NULL;
    g_assert_true(decode("{'command':['ls']}", &request, &error));
    g_assert_no_error(error);
    g_assert_cmpstr(request.command[0], ==, "ls");
    g_assert_null(request.command[1]);
    g_assert_null(request.env);
    g_assert_null(request.input);
    g_assert_cmpuint(request.timeout_ms, ==, 0);
    agent_exec_request_clear(&request);

    g_assert_true(decode(" {'timeout-ms':5000,'command':['sh','','\\u00e4'],'stdin':'YQBi',"
                         "'env':['A=b','C=']}\n",
                         &request, &error));
    g_assert_no_error(error);
    g_assert_cmpuint(g_strv_length(request.command), ==, 3);
    g_assert_cmpstr(request.command[2], ==, "\xc3\xa4");
    g_assert_cmpuint(g_strv_length(request.env), ==, 2);
    g_assert_cmpstr(request.env[1], ==, "C=");
    g_assert_cmpuint(g_bytes_get_size(request.input), ==, 3);
    g_assert_cmpint(memcmp(g_bytes_get_data(request.input, NULL), "a\0b", 3), ==, 0);
    g_assert_cmpuint(request.timeout_ms, ==, 5000);
    agent_exec_request_clear(&request);

    g_assert_true(decode("{'command':['ls'],'env':[],'stdin':''}", &request, &error));
    g_assert_cmpuint(g_strv_length(request.env), ==, 0);
    g_assert_cmpuint(g_bytes_get_size(request.input), ==, 0);
    agent_exec_request_clear(&request);
}

static const struct {
    const char *text, *fragment;
} refused[] = {
    {"", "not a request"},
    {"{", "not a request"},
    {"[]", "no JSON object"},
    {"null", "not a request"},
    {"{'command':['ls']} x", "not a request"},
    {"{'command':['ls'],'command':['rm']}", "not a request"},
    {"{'command':['a\\u0000b']}", "not a request"},
    {"{'command':['\xff']}", "not a request"},
    {"{}", "there is no command"},
    {"{'command':[]}", "there is no command"},
    {"{'command':['']}", "there is no command"},
    {"{'command':'ls'}", "command: it is not an array of strings"},
    {"{'command':null}", "command: it is not an array of strings"},
    {"{'command':{'0':'ls'}}", "command: it is not an array of strings"},
    {"{'command':['ls',7]}", "command: it is not an array of strings"},
    {"{'command':['ls'],'env':{'A':'b'}}", "env: it is not an array of strings"},
    {"{'command':['ls'],'env':['A']}", "NAME=VALUE"},
    {"{'command':['ls'],'stdin':7}", "stdin: it is not a string in base64"},
    {"{'command':['ls'],'stdin':'YQ'}", "stdin: it is not a string in base64"},
    {"{'command':['ls'],'stdin':'Y==='}", "stdin: it is not a string in base64"},
    {"{'command':['ls'],'stdin':'YQ=a'}", "stdin: it is not a string in base64"},
    {"{'command':['ls'],'stdin':'Y Q='}", "stdin: it is not a string in base64"},
    {"{'command':['ls'],'stdin':'YQ-_'}", "stdin: it is not a string in base64"},
    {"{'command':['ls'],'timeout-ms':0}", "timeout-ms: it is not a number of milliseconds"},
    {"{'command':['ls'],'timeout-ms':-5}", "timeout-ms: it is not a number of milliseconds"},
    {"{'command':['ls'],'timeout-ms':1.5}", "timeout-ms: it is not a number of milliseconds"},
    {"{'command':['ls'],'timeout-ms':'5s'}", "timeout-ms: it is not a number of milliseconds"},
    {"{'command':['ls'],'timeout-ms':86400001}", "more than a day"},
    {"{'command':['ls'],'timeout-ms':99999999999999999999}", "not a request"},
    {"{'command':['ls'],'timeout':5}", "timeout: there is no such member"},
    {"{'command':['ls'],'123456789012345678901234567890123456789\\u00e4\\u00e4':5}",
     "there is no such member"},
};

static void test_refused(void)
{
    for (gsize i = 0; i < G_N_ELEMENTS(refused); i++) {
        g_autoptr(GError) error = NULL;
        struct agent_exec_request request;
        const char *row = refused[i].text;
        expect(row, !decode(row, &request, &error));
        expect(row, g_error_matches(error, ERROR_DOMAIN, ERROR_USAGE));
        expect(row, error != NULL && g_utf8_validate(error->message, -1, NULL));
        if (error != NULL && strstr(error->message, refused[i].fragment) == NULL) {
            g_test_message("%s: \"%s\" is not in \"%s\"", row, refused[i].fragment, error->message);
            g_test_fail();
        }
        expect(row, request.command == NULL && request.env == NULL && request.input == NULL);
    }
}

static void test_deep(void)
{
    struct agent_exec_request request;
    g_autoptr(GError) error = NULL;
    g_autofree char *deep = g_strnfill(1 << 20, '[');
    g_assert_false(agent_json_decode_exec(deep, strlen(deep), &request, &error));
    g_assert_error(error, ERROR_DOMAIN, ERROR_USAGE);
}

static void expect_result(const struct agent_exec_result *result, const char *expected)
{
    g_autofree char *quoted = double_quotes(expected);
    char *text = agent_json_encode_result(result);
    g_assert_cmpstr(text, ==, quoted);
    free(text);
}

static void test_results(void)
{
    struct agent_exec_result result = {.pid = 12, .status = 7};
    expect_result(&result, "{'pid':12,'end':'exited','status':7,'stdout':'','stdout-truncated':"
                           "false,'stderr':'','stderr-truncated':false}");
    result.output = g_bytes_new_static("a\0b", 3);
    result.errors = g_bytes_new_static("c", 1);
    result.errors_truncated = true;
    result.end = AGENT_EXEC_KILLED;
    result.signal = 9;
    expect_result(&result, "{'pid':12,'end':'killed','signal':9,'stdout':'YQBi',"
                           "'stdout-truncated':false,'stderr':'Yw==','stderr-truncated':true}");
    result.end = AGENT_EXEC_TIMED_OUT;
    expect_result(&result, "{'pid':12,'end':'timed-out'}");
    agent_exec_result_clear(&result);
}

static void expect_addresses(const GPtrArray *interfaces, const char *expected)
{
    g_autofree char *quoted = double_quotes(expected);
    char *text = agent_json_encode_addresses(interfaces);
    g_assert_cmpstr(text, ==, quoted);
    free(text);
}

static void test_addresses(void)
{
    g_autoptr(GPtrArray) interfaces = g_ptr_array_new_with_free_func(agent_interface_free);
    expect_addresses(interfaces, "{'interfaces':[]}");
    g_ptr_array_add(interfaces, agent_interface_new("lo", NULL));
    struct agent_interface *other = agent_interface_new("e\xff", "52:54:00:00:00:01");
    agent_interface_add_address(other, "192.0.2.7", 24);
    agent_interface_add_address(other, "fe80::1", 64);
    g_ptr_array_add(interfaces, other);
    /* Whoever prints it has a terminal. */
    other = agent_interface_new("a\033]0;b\x07\n\xc2\x9b\x7f\xc3\xa4", "\t");
    agent_interface_add_address(other, "\033[2J", 0);
    g_ptr_array_add(interfaces, other);
    expect_addresses(interfaces,
                     "{'interfaces':[{'name':'lo','addresses':[]},{'name':'e\xef\xbf\xbd',"
                     "'hardware-address':'52:54:00:00:00:01','addresses':[{'address':'192.0.2.7',"
                     "'prefix':24},{'address':'fe80::1','prefix':64}]},"
                     "{'name':'a?]0;b????\xc3\xa4','hardware-address':'?',"
                     "'addresses':[{'address':'?[2J','prefix':0}]}]}");
}

static void expect_text(char *text, const char *expected)
{
    g_autofree char *quoted = double_quotes(expected);
    g_assert_cmpstr(text, ==, quoted);
    free(text);
}

static void test_refusals(void)
{
    expect_text(agent_json_encode_refusal("Failed to execute child process x (Permission denied)"),
                "{'error':'Failed to execute child process x (Permission denied)',"
                "'reason':'not-executable'}");
    expect_text(agent_json_encode_refusal("no \xff"),
                "{'error':'no \xef\xbf\xbd','reason':'refused'}");
    expect_text(agent_json_encode_count(3), "{'filesystems':3}");
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_set_nonfatal_assertions();
    g_test_add_func("/agent-json/request", test_request);
    g_test_add_func("/agent-json/refused", test_refused);
    g_test_add_func("/agent-json/deep", test_deep);
    g_test_add_func("/agent-json/results", test_results);
    g_test_add_func("/agent-json/addresses", test_addresses);
    g_test_add_func("/agent-json/refusals", test_refusals);
    return g_test_run();
}
