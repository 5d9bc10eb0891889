// SPDX-License-Identifier: LGPL-2.1-or-later
#include "src/api/agent_json.h"
#include "src/agent/agent_interface.h"
#include "src/util/error.h"

#include <jansson.h>
#include <string.h>

static bool refuse(GError **error, const char *what, const char *message)
{
    g_set_error(error, ERROR_DOMAIN, ERROR_USAGE, "%s: %s", what, message);
    return false;
}

static bool check_members(json_t *json, GError **error)
{
    static const char *const known[] = {"command", "env", "stdin", "timeout-ms", NULL};
    const char *key;
    json_t *value;
    json_object_foreach(json, key, value)
    {
        if (!g_strv_contains(known, key)) {
            g_autofree char *shown = g_strdup_printf("%.40s", key);
            g_autofree char *valid = g_utf8_make_valid(shown, -1);
            return refuse(error, valid,
                          "there is no such member; there are command, env, stdin and timeout-ms");
        }
    }
    return true;
}

/* NULL and no @error: it is not there. */
static char **take_strings(json_t *json, const char *name, GError **error)
{
    json_t *array = json_object_get(json, name), *value;
    size_t i;
    if (array == NULL) {
        return NULL;
    }
    g_autoptr(GStrvBuilder) strings = g_strv_builder_new();
    json_array_foreach(array, i, value)
    {
        if (json_is_string(value)) {
            g_strv_builder_add(strings, json_string_value(value));
        }
    }
    g_auto(GStrv) taken = g_strv_builder_end(strings);
    if (!json_is_array(array) || g_strv_length(taken) != json_array_size(array)) {
        refuse(error, name, "it is not an array of strings");
        return NULL;
    }
    return g_steal_pointer(&taken);
}

/* GLib's decoder passes over what is no base64, and so would lose a part unseen. */
static bool is_base64(const char *text, gsize length)
{
    gsize digits = strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/");
    gsize padding = length - digits;
    return length % 4 == 0 && padding <= 2 && strspn(text + digits, "=") == padding;
}

static bool take_input(json_t *json, GBytes **input, GError **error)
{
    json_t *text = json_object_get(json, "stdin");
    if (text == NULL) {
        return true;
    }
    if (!json_is_string(text) || !is_base64(json_string_value(text), json_string_length(text))) {
        return refuse(error, "stdin", "it is not a string in base64");
    }
    gsize size;
    guchar *bytes = g_base64_decode(json_string_value(text), &size);
    *input = g_bytes_new_take(bytes, size);
    return true;
}

static bool take_timeout(json_t *json, guint64 *timeout_ms, GError **error)
{
    json_t *number = json_object_get(json, "timeout-ms");
    if (number == NULL) {
        return true;
    }
    if (!json_is_integer(number) || json_integer_value(number) < 1) {
        return refuse(error, "timeout-ms", "it is not a number of milliseconds, 1 or more");
    }
    *timeout_ms = json_integer_value(number);
    return true;
}

static bool take_members(json_t *json, struct agent_exec_request *request, GError **error)
{
    g_autoptr(GError) local = NULL;
    request->command = take_strings(json, "command", &local);
    request->env = local == NULL ? take_strings(json, "env", &local) : NULL;
    if (local != NULL) {
        g_propagate_error(error, g_steal_pointer(&local));
        return false;
    }
    return take_input(json, &request->input, error) &&
           take_timeout(json, &request->timeout_ms, error);
}

bool agent_json_decode_exec(const char *text, gsize length, struct agent_exec_request *request,
                            GError **error)
{
    json_error_t where;
    *request = (struct agent_exec_request){0};
    json_t *json = json_loadb(text, length, JSON_REJECT_DUPLICATES, &where);
    bool ok = json_is_object(json);
    if (!ok) {
        /* jansson quotes what it did not understand, in the middle of a character perhaps. */
        g_autofree char *why = json == NULL ? g_utf8_make_valid(where.text, -1) : NULL;
        refuse(error, "not a request", why != NULL ? why : "it is no JSON object");
    }
    ok = ok && check_members(json, error) && take_members(json, request, error) &&
         agent_exec_request_check(request, error);
    json_decref(json);
    if (!ok) {
        agent_exec_request_clear(request);
    }
    return ok;
}

/* --- answers --- */

static void add_output(json_t *json, const char *name, const char *flag, GBytes *output,
                       bool truncated)
{
    gsize size = 0;
    const guchar *data = output != NULL ? g_bytes_get_data(output, &size) : NULL;
    g_autofree char *base64 = g_base64_encode(data, size);
    json_object_set_new(json, name, json_string(base64));
    json_object_set_new(json, flag, json_boolean(truncated));
}

static char *to_text(json_t *json)
{
    char *text = json_dumps(json, JSON_COMPACT);
    json_decref(json);
    return text;
}

char *agent_json_encode_refusal(const char *message)
{
    static const char *const reasons[] = {
        [AGENT_EXEC_REFUSED] = "refused",
        [AGENT_EXEC_NOT_EXECUTABLE] = "not-executable",
        [AGENT_EXEC_NOT_FOUND] = "not-found",
    };
    g_autofree char *valid = g_utf8_make_valid(message, -1);
    return to_text(
        json_pack("{s:s,s:s}", "error", valid, "reason", reasons[agent_exec_classify(message)]));
}

char *agent_json_encode_count(guint count)
{
    return to_text(json_pack("{s:I}", "filesystems", (json_int_t)count));
}

char *agent_json_encode_result(const struct agent_exec_result *result)
{
    static const char *const ends[] = {
        [AGENT_EXEC_EXITED] = "exited",
        [AGENT_EXEC_KILLED] = "killed",
        [AGENT_EXEC_TIMED_OUT] = "timed-out",
    };
    json_t *json = json_pack("{s:I,s:s}", "pid", (json_int_t)result->pid, "end", ends[result->end]);
    if (result->end == AGENT_EXEC_EXITED) {
        json_object_set_new(json, "status", json_integer(result->status));
    } else if (result->end == AGENT_EXEC_KILLED) {
        json_object_set_new(json, "signal", json_integer(result->signal));
    }
    if (result->end != AGENT_EXEC_TIMED_OUT) {
        add_output(json, "stdout", "stdout-truncated", result->output, result->output_truncated);
        add_output(json, "stderr", "stderr-truncated", result->errors, result->errors_truncated);
    }
    return to_text(json);
}

char *agent_json_encode_addresses(const GPtrArray *interfaces)
{
    json_t *list = json_array();
    for (guint i = 0; i < interfaces->len; i++) {
        const struct agent_interface *interface = g_ptr_array_index(interfaces, i);
        json_t *addresses = json_array();
        for (guint k = 0; k < interface->addresses->len; k++) {
            const struct agent_address *address = g_ptr_array_index(interface->addresses, k);
            json_array_append_new(addresses, json_pack("{s:s,s:i}", "address", address->address,
                                                       "prefix", (int)address->prefix));
        }
        json_array_append_new(list, json_pack("{s:s,s:s*,s:o}", "name", interface->name,
                                              "hardware-address", interface->hardware_address,
                                              "addresses", addresses));
    }
    return to_text(json_pack("{s:o}", "interfaces", list));
}
