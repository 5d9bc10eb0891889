// SPDX-License-Identifier: LGPL-2.1-or-later
#include "src/agent/agent_exec.h"
#include "src/agent/agent_interface.h"
#include "src/util/error.h"
#include "tests/unit/expect.h"

#include <string.h>

#define WORDS(...) ((char **)(const char *const[]){__VA_ARGS__, NULL})

/* --- requests --- */

static const struct refused {
    struct agent_exec_request request;
    const char *fragment;
} refused[] = {
    {{.command = NULL}, "no command"},
    {{.command = (char **)(const char *const[]){NULL}}, "no command"},
    {{.command = WORDS("")}, "no command"},
    {{.command = WORDS("ls", "\xff")}, "UTF-8"},
    {{.command = WORDS("ls"), .env = WORDS("A=\xff")}, "UTF-8"},
    {{.command = WORDS("ls"), .env = WORDS("A")}, "NAME=VALUE"},
    {{.command = WORDS("ls"), .env = WORDS("B=", "=A")}, "NAME=VALUE"},
    {{.command = WORDS("ls"), .timeout_ms = AGENT_EXEC_TIMEOUT_MAX_MS + 1}, "more than a day"},
};

static void test_refused(void)
{
    for (gsize i = 0; i < G_N_ELEMENTS(refused); i++) {
        g_autoptr(GError) error = NULL;
        const char *row = refused[i].fragment;
        expect(row, !agent_exec_request_check(&refused[i].request, &error));
        expect(row, g_error_matches(error, ERROR_DOMAIN, ERROR_USAGE));
        expect(row, error != NULL && strstr(error->message, row) != NULL);
    }
}

static bool is_accepted(const struct agent_exec_request *request)
{
    g_autoptr(GError) error = NULL;
    bool accepted = agent_exec_request_check(request, &error);
    g_assert_true(accepted || g_error_matches(error, ERROR_DOMAIN, ERROR_USAGE));
    return accepted;
}

/* The most that there can be of everything, and one more. */
static void test_limits(void)
{
    g_auto(GStrv) many = g_new0(char *, AGENT_EXEC_WORDS_MAX + 2);
    for (gsize i = 0; i < AGENT_EXEC_WORDS_MAX; i++) {
        many[i] = g_strdup("a=");
    }
    struct agent_exec_request request = {.command = many, .env = many};
    g_assert_true(is_accepted(&request));
    many[AGENT_EXEC_WORDS_MAX] = g_strdup("a=");
    g_assert_false(is_accepted(&request));
    request.command = WORDS("ls");
    g_assert_false(is_accepted(&request));

    /* "ls", and two NULs */
    g_autofree char *word = g_strnfill(AGENT_EXEC_COMMAND_MAX - 4, '=');
    word[0] = 'A';
    request = (struct agent_exec_request){.command = WORDS("ls", word)};
    g_assert_true(is_accepted(&request));
    request = (struct agent_exec_request){.command = WORDS("ls"), .env = WORDS(word)};
    g_assert_true(is_accepted(&request));
    request.command = WORDS("ls2");
    g_assert_false(is_accepted(&request));

    g_autofree char *data = g_malloc0(AGENT_EXEC_INPUT_MAX + 1);
    request = (struct agent_exec_request){.command = WORDS("ls"),
                                          .input = g_bytes_new_static(data, AGENT_EXEC_INPUT_MAX)};
    g_assert_true(is_accepted(&request));
    g_bytes_unref(request.input);
    request.input = g_bytes_new_static(data, AGENT_EXEC_INPUT_MAX + 1);
    g_assert_false(is_accepted(&request));
    g_bytes_unref(request.input);
    request = (struct agent_exec_request){.command = WORDS("ls"),
                                          .timeout_ms = AGENT_EXEC_TIMEOUT_MAX_MS};
    g_assert_true(is_accepted(&request));
}

static void expect_start(const struct agent_exec_request *request, const char *expected)
{
    g_autofree char *command = agent_exec_encode_start(request);
    g_assert_cmpstr(command, ==, expected);
}

static void test_encode(void)
{
    struct agent_exec_request request = {.command = WORDS("ls")};
    expect_start(&request, "{\"execute\":\"guest-exec\",\"arguments\":{\"path\":\"ls\",\"arg\":[],"
                           "\"capture-output\":true}}");
    request = (struct agent_exec_request){
        .command = WORDS("sh", "-c", "a \"b\"\n", ""),
        .env = WORDS("A=b"),
        .input = g_bytes_new_static("a\0b", 3),
    };
    const char *all = "{\"execute\":\"guest-exec\",\"arguments\":{\"path\":\"sh\",\"arg\":["
                      "\"-c\",\"a \\\"b\\\"\\n\",\"\"],\"capture-output\":true,\"env\":[\"A=b\"],"
                      "\"input-data\":\"YQBi\"}}";
    expect_start(&request, all);

    struct agent_exec_request copy;
    agent_exec_request_copy(&copy, &request);
    g_bytes_unref(request.input);
    expect_start(&copy, all);
    agent_exec_request_clear(&copy);
    g_assert_null(copy.command);

    g_autofree char *status = agent_exec_encode_status(G_MAXINT64);
    g_assert_cmpstr(
        status, ==,
        "{\"execute\":\"guest-exec-status\",\"arguments\":{\"pid\":9223372036854775807}}");
}

/* --- replies --- */

static void expect_nonsense(const char *reply, GError *error)
{
    expect(reply, g_error_matches(error, ERROR_DOMAIN, ERROR_UNAVAILABLE));
    expect(reply, error != NULL && strstr(error->message, "cannot be understood") != NULL);
}

static void test_started(void)
{
    static const char *const nonsense[] = {
        "",
        "7",
        "[]",
        "{}",
        "null",
        "{\"return\":{\"pid\":7}",
        "{\"return\":[]}",
        "{\"return\":{}}",
        "{\"return\":{\"pid\":\"7\"}}",
        "{\"return\":{\"pid\":-1}}",
        "{\"return\":{\"pid\":7.0}}",
        "{\"return\":{\"pid\":7,\"pid\":8}}",
        "{\"return\":{\"pid\":99999999999999999999}}",
        "{\"return\":{\"pid\":7}} {}",
        "{\"return\":{\"\xff\":1,\"pid\":7}}",
        "{\"error\":{\"pid\":7}}",
    };
    gint64 pid = -1;
    GError *error = NULL;
    g_assert_true(agent_exec_decode_start("{\"return\":{\"pid\":7,\"more\":[]}}", &pid, &error));
    g_assert_no_error(error);
    g_assert_cmpint(pid, ==, 7);
    for (gsize i = 0; i < G_N_ELEMENTS(nonsense); i++) {
        g_autoptr(GError) local = NULL;
        expect(nonsense[i], !agent_exec_decode_start(nonsense[i], &pid, &local));
        expect_nonsense(nonsense[i], local);
        expect(nonsense[i], pid == 7);
    }
}

/* Deeper than any stack. */
static void test_deep(void)
{
    g_autofree char *deep = g_strnfill(1 << 20, '[');
    gint64 pid;
    g_autoptr(GError) error = NULL;
    g_assert_false(agent_exec_decode_start(deep, &pid, &error));
    expect_nonsense("deep", error);
}

/* A right reply, but for one member with @count times @part in it. */
static char *reply_with(const char *part, gsize count)
{
    GString *reply = g_string_new("{\"return\":{\"exited\":false,\"x\":[0");
    for (gsize i = 0; i < count; i++) {
        g_string_append(reply, part);
    }
    g_string_append(reply, "]}}");
    return g_string_free(reply, FALSE);
}

/* What would be understood, and would cost much: as much as libvirt lets through. */
static void test_oversized(void)
{
    static const struct {
        const char *part;
        gsize count;
        bool refused;
    } cases[] = {
        {",{}", 10, false}, {",0", 500, false},    {",{}", 3 << 20, true},   {",[]", 3 << 20, true},
        {",[]", 100, true}, {",0", 5 << 20, true}, {",\"\"", 2 << 20, true},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *reply = reply_with(cases[i].part, cases[i].count);
        g_autofree char *row = g_strdup_printf("%zu times %s", cases[i].count, cases[i].part);
        struct agent_exec_result result = {0};
        bool over = true;
        g_autoptr(GError) error = NULL;
        expect(row, agent_exec_decode_status(reply, &over, &result, &error) != cases[i].refused);
        if (cases[i].refused) {
            expect_nonsense(row, error);
        }
    }
}

static const struct reply {
    const char *members;
    bool nonsense;
    bool over;
    enum agent_exec_end end;
    gint64 number; /* status or signal */
    const char *output, *errors;
    bool output_truncated, errors_truncated;
} replies[] = {
    {"'exited':false", .over = false},
    {"'exited':false,'exitcode':7,'out-data':7", .over = false},
    {"'exited':true,'exitcode':7", .over = true, .number = 7},
    {"'exited':true,'exitcode':0,'out-data':'YQo=','err-data':'Yg=='", .over = true,
     .output = "a\n", .errors = "b"},
    {"'exited':true,'exitcode':0,'out-data':'','out-truncated':true", .over = true, .output = "",
     .output_truncated = true},
    {"'exited':true,'exitcode':0,'err-truncated':true,'out-truncated':false", .over = true,
     .errors_truncated = true},
    {"'exited':true,'signal':9", .over = true, .end = AGENT_EXEC_KILLED, .number = 9},
    {"'exited':true,'exitcode':-1073741819", .over = true, .number = -1073741819},
    {"", .nonsense = true},
    {"'exited':1", .nonsense = true},
    {"'exited':true", .nonsense = true},
    {"'exited':true,'exitcode':'7'", .nonsense = true},
    {"'exited':true,'exitcode':7,'out-data':7", .nonsense = true},
    {"'exited':true,'exitcode':7,'err-data':[]", .nonsense = true},
    {"'exited':true,'exitcode':7,'out-data':'YQo=','out-truncated':1", .nonsense = true},
    {"'exited':true,'exitcode':7,'out-data':'YQo=','err-data':null", .nonsense = true},
};

static void expect_bytes(const char *row, GBytes *bytes, const char *expected)
{
    gsize size;
    gconstpointer data = bytes != NULL ? g_bytes_get_data(bytes, &size) : NULL;
    expect(row, (bytes != NULL) == (expected != NULL));
    expect(row, bytes == NULL ||
                    (size == strlen(expected) && (size == 0 || memcmp(data, expected, size) == 0)));
}

static void test_replies(void)
{
    for (gsize i = 0; i < G_N_ELEMENTS(replies); i++) {
        const struct reply *r = &replies[i];
        g_autofree char *text = g_strdup_printf("{'return':{%s}}", r->members);
        g_strdelimit(text, "'", '"');
        struct agent_exec_result result = {0};
        bool over = false;
        g_autoptr(GError) error = NULL;
        bool ok = agent_exec_decode_status(text, &over, &result, &error);
        expect(r->members, ok == !r->nonsense);
        if (!ok) {
            expect_nonsense(r->members, error);
        } else {
            expect(r->members, over == r->over);
            expect(r->members, result.end == r->end);
            expect(r->members, result.status + result.signal == r->number);
            expect_bytes(r->members, result.output, r->output);
            expect_bytes(r->members, result.errors, r->errors);
            expect(r->members, result.output_truncated == r->output_truncated);
            expect(r->members, result.errors_truncated == r->errors_truncated);
        }
        agent_exec_result_clear(&result);
    }
}

static void test_large_output(void)
{
    for (gsize more = 0; more < 2; more++) {
        gsize size = AGENT_EXEC_OUTPUT_MAX + more;
        g_autofree guchar *data = g_malloc0(size);
        g_autofree char *base64 = g_base64_encode(data, size);
        g_autofree char *reply = g_strdup_printf(
            "{\"return\":{\"exited\":true,\"exitcode\":0,\"err-data\":\"%s\"}}", base64);
        struct agent_exec_result result = {0};
        bool over;
        g_assert_true(agent_exec_decode_status(reply, &over, &result, NULL));
        g_assert_cmpuint(g_bytes_get_size(result.errors), ==, AGENT_EXEC_OUTPUT_MAX);
        g_assert_true(result.errors_truncated == (more > 0));
        g_assert_false(result.output_truncated);
        agent_exec_result_clear(&result);
    }
}

/* --- interfaces --- */

static void test_interfaces(void)
{
    g_autofree char *longest = g_strnfill(100000, 'x');
    struct agent_interface *interface = agent_interface_new(longest, "\xff");
    g_assert_cmpuint(strlen(interface->name), ==, 256);
    g_assert_cmpstr(interface->hardware_address, ==, "\xef\xbf\xbd");
    for (guint i = 0; i < AGENT_ADDRESSES_MAX + 1; i++) {
        agent_interface_add_address(interface, "192.0.2.7", i);
    }
    g_assert_cmpuint(interface->addresses->len, ==, AGENT_ADDRESSES_MAX);
    agent_interface_free(interface);
    agent_interface_free(NULL);
}

static void test_classify(void)
{
    static const struct {
        const char *words;
        enum agent_exec_refusal refusal;
    } cases[] = {
        {"error was 'Failed to execute child process “/x” (No such file or directory)'",
         AGENT_EXEC_NOT_FOUND},
        {"Failed to execute child process \"/etc/passwd\" (Permission denied)",
         AGENT_EXEC_NOT_EXECUTABLE},
        {"Failed to execute child process “/x” (Exec format error)", AGENT_EXEC_NOT_EXECUTABLE},
        {"Failed to execute child process “/” (Is a directory)", AGENT_EXEC_NOT_EXECUTABLE},
        {"Failed to execute child process “/x” (Cannot allocate memory)", AGENT_EXEC_REFUSED},
        {"Command guest-exec has been disabled (No such file or directory)", AGENT_EXEC_REFUSED},
        {"", AGENT_EXEC_REFUSED},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_assert_cmpint(agent_exec_classify(cases[i].words), ==, cases[i].refusal);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_set_nonfatal_assertions();
    g_test_add_func("/agent-exec/refused", test_refused);
    g_test_add_func("/agent-exec/limits", test_limits);
    g_test_add_func("/agent-exec/encode", test_encode);
    g_test_add_func("/agent-exec/started", test_started);
    g_test_add_func("/agent-exec/deep", test_deep);
    g_test_add_func("/agent-exec/oversized", test_oversized);
    g_test_add_func("/agent-exec/replies", test_replies);
    g_test_add_func("/agent-exec/large-output", test_large_output);
    g_test_add_func("/agent-exec/interfaces", test_interfaces);
    g_test_add_func("/agent-exec/classify", test_classify);
    return g_test_run();
}
