// SPDX-License-Identifier: LGPL-2.1-or-later
#include "src/api/request.h"

#include <string.h>

/* The requests of the control API, and that docs/openapi.yaml tells the same of them. */

static void test_routes(void)
{
    struct request request;
    g_assert_cmpuint(request_route(&request, API_CONTROL, "GET", "/v1/state"), ==, 200);
    g_assert_cmpint(request.resource, ==, API_STATE);
    g_assert_false(request.timeout_set);
    g_assert_cmpuint(request_route(&request, API_CONTROL, "POST", "/v1/stop"), ==, 200);
    g_assert_cmpint(request.resource, ==, API_STOP);
    g_assert_cmpuint(request_route(&request, API_CONTROL, "POST", "/v1/state"), ==, 405);
    g_assert_cmpstr(request_method(request.resource), ==, "GET");
    g_assert_cmpuint(request_route(&request, API_CONTROL, "get", "/v1/state"), ==, 405);
    static const char *const nowhere[] = {"",           "/",         "/v1",       "/v1/",
                                          "/v1/state/", "/V1/state", "/v2/state", "v1/state",
                                          "//v1/state", "/v1/state?"};
    for (gsize i = 0; i < G_N_ELEMENTS(nowhere); i++) {
        g_assert_cmpuint(request_route(&request, API_CONTROL, "GET", nowhere[i]), ==, 404);
    }
}

/* Nothing of one door is behind the other. */
static void test_doors(void)
{
    struct request request;
    for (int i = 0; i < API_RESOURCES_OF_BOTH; i++) {
        const char *method = request_method(i), *path = request_path(i);
        bool http = i >= API_RESOURCES;
        g_assert_cmpuint(request_route(&request, API_CONTROL, method, path), ==, http ? 404 : 200);
        g_assert_cmpuint(request_route(&request, API_HTTP, method, path), ==, http ? 200 : 404);
        g_assert_true(!http || request.resource == (enum api_resource)i);
        g_assert_true(!http || g_str_equal(method, "GET"));
    }
    g_assert_cmpuint(request_route(&request, API_HTTP, "POST", "/healthz"), ==, 405);
}

/* A line "  /v1/…:" of the file, and the method that follows. */
static char *described_method(const char *yaml, const char *path)
{
    g_autofree char *line = g_strdup_printf("\n  %s:\n    ", path);
    const char *at = strstr(yaml, line);
    g_assert_nonnull(at);
    at += strlen(line);
    return g_ascii_strup(at, strcspn(at, ":"));
}

static void test_described(void)
{
    g_autofree char *yaml = NULL;
    g_assert_true(g_file_get_contents("docs/openapi.yaml", &yaml, NULL, NULL));
    for (int i = 0; i < API_RESOURCES_OF_BOTH; i++) {
        g_autofree char *method = described_method(yaml, request_path(i));
        g_assert_cmpstr(method, ==, request_method(i));
    }
    /* And none that is not there. */
    int paths = 0;
    for (const char *at = yaml; (at = strstr(at, "\n  /")) != NULL; at++) {
        paths++;
    }
    g_assert_cmpint(paths, ==, API_RESOURCES_OF_BOTH);
}

struct stop_case {
    const char *key, *value;
    gint64 ms; /* negative: refused */
};

static void test_parameters(void)
{
    static const struct stop_case cases[] = {
        {"timeout", "500ms", 500},
        {"timeout", "8", 8000},
        {"timeout", "0", 0},
        {"timeout", "24h", 86400000},
        {"timeout", "25h", -1},
        {"timeout", "", -1},
        {"timeout", NULL, -1},
        {"timeout", "8s ", -1},
        {"timeout", "-1", -1},
        {"Timeout", "8s", -1},
        {"", "", -1},
        {"timeout\n", "8s", -1},
        {"timeout", "99999999999999999999", -1},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        struct request request = {.resource = API_STOP};
        g_autofree char *message = NULL;
        bool ok = request_parameter(&request, cases[i].key, cases[i].value, &message);
        g_assert_cmpint(ok, ==, cases[i].ms >= 0);
        g_assert_cmpint(ok, ==, message == NULL);
        g_assert_cmpint(request.timeout_set, ==, ok);
        g_assert_true(!ok || request.timeout_ms == (guint64)cases[i].ms);
    }
}

static void test_parameters_of_others(void)
{
    for (int i = 0; i < API_RESOURCES; i++) {
        struct request request = {.resource = i};
        g_autofree char *message = NULL;
        g_assert_cmpint(request_parameter(&request, "timeout", "8s", &message), ==, i == API_STOP);
    }
}

static void test_messages_are_text(void)
{
    struct request request = {.resource = API_STOP};
    g_autofree char *message = NULL;
    static const char wrong[] = "\x1b[2J\xff\n";
    g_assert_false(request_parameter(&request, wrong, NULL, &message));
    g_assert_true(g_utf8_validate(message, -1, NULL));
    g_assert_null(strpbrk(message, "\x1b\n"));
    g_clear_pointer(&message, g_free);
    g_autofree char *long_one = g_strnfill(60000, 'x');
    g_assert_false(request_parameter(&request, "timeout", long_one, &message));
    g_assert_cmpuint(strlen(message), <, 200);
}

static void test_bodies(void)
{
    static const struct {
        const char *body;
        gint64 ms; /* -1: none set; -2: refused */
    } cases[] = {
        {"", -1},
        {"{}", -1},
        {"{\"timeout\": \"2m\"}", 120000},
        {"{\"timeout\": 2}", -2},
        {"{\"timeout\": null}", -2},
        {"{\"timeout\": \"2m\", \"timeout\": \"2m\"}", -2},
        {"{\"other\": \"2m\"}", -2},
        {"[]", -2},
        {"\"8s\"", -2},
        {"{", -2},
        {"{} {}", -2},
        {"timeout=8s", -2},
        {" ", -2},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        struct request request = {.resource = API_STOP};
        g_autofree char *message = NULL;
        bool ok = request_body(&request, cases[i].body, strlen(cases[i].body), &message);
        g_assert_cmpint(ok, ==, cases[i].ms != -2);
        g_assert_cmpint(ok, ==, message == NULL);
        g_assert_cmpint(request.timeout_set, ==, cases[i].ms >= 0);
    }
}

static void test_twice(void)
{
    struct request request = {.resource = API_STOP};
    g_autofree char *message = NULL;
    static const char body[] = "{\"timeout\": \"2m\"}";
    g_assert_true(request_parameter(&request, "timeout", "8s", &message));
    g_assert_false(request_body(&request, body, strlen(body), &message));
    g_assert_cmpstr(message, ==, "timeout is there twice");
}

static void test_commands(void)
{
    static const struct {
        const char *body;
        bool right;
    } cases[] = {
        {"{\"command\": [\"ls\"], \"timeout-ms\": 5, \"env\": [\"A=b\"], \"stdin\": \"YQ==\"}",
         true},
        {"", false},
        {"{}", false},
        {"{\"command\": \"ls\"}", false},
        {"{\"command\": [\"ls\"], \"\\u001b[2J\": 1}", false},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        struct request request = {.resource = API_EXEC};
        g_autofree char *message = NULL;
        bool ok = request_body(&request, cases[i].body, strlen(cases[i].body), &message);
        g_assert_cmpint(ok, ==, cases[i].right);
        g_assert_cmpint(ok, ==, message == NULL);
        g_assert_true(message == NULL || strchr(message, 0x1b) == NULL);
        g_assert_true(!ok || g_str_equal(request.exec.command[0], "ls"));
        request_clear(&request);
        g_assert_null(request.exec.command);
    }
    g_assert_cmpuint(request_body_max(API_EXEC), >, AGENT_EXEC_INPUT_MAX / 3 * 4);
    g_assert_cmpuint(request_body_max(API_STOP), ==, REQUEST_BODY_MAX);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/request/routes", test_routes);
    g_test_add_func("/request/doors", test_doors);
    g_test_add_func("/request/described", test_described);
    g_test_add_func("/request/parameters", test_parameters);
    g_test_add_func("/request/parameters-of-others", test_parameters_of_others);
    g_test_add_func("/request/messages-are-text", test_messages_are_text);
    g_test_add_func("/request/bodies", test_bodies);
    g_test_add_func("/request/twice", test_twice);
    g_test_add_func("/request/commands", test_commands);
    return g_test_run();
}
