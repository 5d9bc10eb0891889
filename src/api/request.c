// SPDX-License-Identifier: LGPL-2.1-or-later
#include "src/api/request.h"
#include "src/api/agent_json.h"
#include "src/engine/control.h"
#include "src/util/quantity.h"

#include <jansson.h>
#include <string.h>

static const struct {
    const char *path;
    const char *method;
} resources[] = {
    [API_ADDRESSES] = {"/v1/addresses", "GET"},
    [API_CONSOLE] = {"/v1/console", "GET"},
    [API_EVENTS] = {"/v1/events", "GET"},
    [API_EXEC] = {"/v1/exec", "POST"},
    [API_FREEZE] = {"/v1/freeze", "POST"},
    [API_HEALTH] = {"/v1/health", "GET"},
    [API_KILL] = {"/v1/kill", "POST"},
    [API_PAUSE] = {"/v1/pause", "POST"},
    [API_REBOOT] = {"/v1/reboot", "POST"},
    [API_RESET] = {"/v1/reset", "POST"},
    [API_RESUME] = {"/v1/resume", "POST"},
    [API_STATE] = {"/v1/state", "GET"},
    [API_STATS] = {"/v1/stats", "GET"},
    [API_STOP] = {"/v1/stop", "POST"},
    [API_THAW] = {"/v1/thaw", "POST"},
    [API_WAIT] = {"/v1/wait", "GET"},
    [API_XML] = {"/v1/xml", "GET"},
    [API_HEALTHZ] = {"/healthz", "GET"},
    [API_METRICS] = {"/metrics", "GET"},
    [API_READYZ] = {"/readyz", "GET"},
};
G_STATIC_ASSERT(G_N_ELEMENTS(resources) == API_RESOURCES_OF_BOTH);

/* A stranger's text in a message; what is no text, or long, is cut. */
#define TOLD_MAX 40
#define TOLD_BODY_MAX 300

const char *request_path(enum api_resource resource)
{
    return resources[resource].path;
}

const char *request_method(enum api_resource resource)
{
    return resources[resource].method;
}

unsigned request_route(struct request *request, enum api_door door, const char *method,
                       const char *path)
{
    *request = (struct request){0};
    gsize first = door == API_HTTP ? API_RESOURCES : 0;
    gsize end = door == API_HTTP ? API_RESOURCES_OF_BOTH : API_RESOURCES;
    for (gsize i = first; i < end; i++) {
        if (g_str_equal(path, resources[i].path)) {
            request->resource = i;
            return g_str_equal(method, resources[i].method) ? 200 : 405;
        }
    }
    return 404;
}

static char *tell_some(const char *text, gsize max)
{
    g_autofree char *cut = g_strndup(text, max);
    g_autofree char *valid = g_utf8_make_valid(cut, -1);
    GString *told = g_string_new(NULL);
    for (const char *c = valid; *c != '\0'; c = g_utf8_next_char(c)) {
        gunichar character = g_utf8_get_char(c);
        g_string_append_unichar(told, g_unichar_isprint(character) ? character : '?');
    }
    return g_string_free(told, FALSE);
}

static char *tell(const char *text)
{
    return tell_some(text, TOLD_MAX);
}

void request_clear(struct request *request)
{
    agent_exec_request_clear(&request->exec);
}

gsize request_body_max(enum api_resource resource)
{
    return resource == API_EXEC ? REQUEST_EXEC_BODY_MAX : REQUEST_BODY_MAX;
}

static bool set_timeout(struct request *request, const char *value, char **message)
{
    if (request->timeout_set) {
        *message = g_strdup("timeout is there twice");
        return false;
    }
    if (value == NULL || !quantity_parse_duration(value, &request->timeout_ms) ||
        request->timeout_ms > ENGINE_STOP_TIMEOUT_MAX_MS) {
        g_autofree char *told = tell(value != NULL ? value : "");
        *message = g_strdup_printf(
            "timeout is \"%s\", and must be a duration such as 500ms, 8s or 2m, at most 24h", told);
        return false;
    }
    request->timeout_set = true;
    return true;
}

bool request_parameter(struct request *request, const char *key, const char *value, char **message)
{
    if (request->resource == API_STOP && g_str_equal(key, "timeout")) {
        return set_timeout(request, value, message);
    }
    g_autofree char *told = tell(key);
    *message = g_strdup_printf("%s has no parameter \"%s\"", request_path(request->resource), told);
    return false;
}

static bool read_members(struct request *request, json_t *object, char **message)
{
    const char *key;
    json_t *value;
    json_object_foreach(object, key, value)
    {
        /* All parameters that there are are strings. */
        if (!json_is_string(value)) {
            g_autofree char *told = tell(key);
            *message = g_strdup_printf("the body's member \"%s\" is no string", told);
            return false;
        }
        if (!request_parameter(request, key, json_string_value(value), message)) {
            return false;
        }
    }
    return true;
}

static bool read_command(struct request *request, const char *bytes, gsize length, char **message)
{
    g_autoptr(GError) error = NULL;
    if (!agent_json_decode_exec(bytes, length, &request->exec, &error)) {
        *message = tell_some(error->message, TOLD_BODY_MAX);
        return false;
    }
    return true;
}

bool request_body(struct request *request, const char *bytes, gsize length, char **message)
{
    if (request->resource == API_EXEC) {
        return read_command(request, bytes, length, message);
    }
    if (length == 0) {
        return true;
    }
    json_error_t error;
    json_t *body = json_loadb(bytes, length, JSON_REJECT_DUPLICATES, &error);
    bool ok = json_is_object(body);
    if (ok) {
        ok = read_members(request, body, message);
    } else {
        *message = g_strdup("the body is no JSON object");
    }
    json_decref(body);
    return ok;
}
