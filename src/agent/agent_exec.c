// SPDX-License-Identifier: LGPL-2.1-or-later
#include "src/agent/agent_exec.h"
#include "src/util/error.h"

#include <jansson.h>
#include <string.h>

/* What a reply may have of "{" and "[", and of ",". */
#define OPENED_MAX 64
#define COMMAS_MAX 1024

void agent_exec_request_clear(struct agent_exec_request *request)
{
    g_strfreev(request->command);
    g_strfreev(request->env);
    g_clear_pointer(&request->input, g_bytes_unref);
    *request = (struct agent_exec_request){0};
}

void agent_exec_result_clear(struct agent_exec_result *result)
{
    g_clear_pointer(&result->output, g_bytes_unref);
    g_clear_pointer(&result->errors, g_bytes_unref);
    *result = (struct agent_exec_result){0};
}

void agent_exec_request_copy(struct agent_exec_request *copy,
                             const struct agent_exec_request *request)
{
    *copy = (struct agent_exec_request){
        .command = g_strdupv(request->command),
        .env = g_strdupv(request->env),
        .input = request->input != NULL ? g_bytes_ref(request->input) : NULL,
        .timeout_ms = request->timeout_ms,
    };
}

/* --- what may be asked for --- */

static bool refuse(GError **error, const char *message)
{
    g_set_error(error, ERROR_DOMAIN, ERROR_USAGE, "%s", message);
    return false;
}

/* Whether @words are text: JSON has no other. Adds up what they need. */
static bool check_words(char **words, bool are_variables, gsize *bytes, GError **error)
{
    gsize count = 0;
    for (char **word = words; word != NULL && *word != NULL; word++) {
        gsize length = strlen(*word);
        if (!g_utf8_validate(*word, length, NULL)) {
            return refuse(error, "a command for the guest, and its environment, must be UTF-8");
        }
        if (are_variables && (**word == '=' || strchr(*word, '=') == NULL)) {
            return refuse(error, "a variable for the guest's command is no NAME=VALUE");
        }
        count++;
        *bytes += length + 1;
        if (count > AGENT_EXEC_WORDS_MAX || *bytes > AGENT_EXEC_COMMAND_MAX) {
            g_set_error(error, ERROR_DOMAIN, ERROR_USAGE,
                        "a command for the guest can have %d words and as many variables, and %zu "
                        "bytes with its environment: this one has more",
                        AGENT_EXEC_WORDS_MAX, AGENT_EXEC_COMMAND_MAX);
            return false;
        }
    }
    return true;
}

bool agent_exec_request_check(const struct agent_exec_request *request, GError **error)
{
    gsize bytes = 0;
    if (request->command == NULL || request->command[0] == NULL || *request->command[0] == '\0') {
        return refuse(error, "there is no command to run in the guest");
    }
    if (!check_words(request->command, false, &bytes, error) ||
        !check_words(request->env, true, &bytes, error)) {
        return false;
    }
    if (request->input != NULL && g_bytes_get_size(request->input) > AGENT_EXEC_INPUT_MAX) {
        g_set_error(error, ERROR_DOMAIN, ERROR_USAGE,
                    "standard input for a command in the guest can have %zu bytes: this one has "
                    "%zu",
                    AGENT_EXEC_INPUT_MAX, g_bytes_get_size(request->input));
        return false;
    }
    if (request->timeout_ms > AGENT_EXEC_TIMEOUT_MAX_MS) {
        g_set_error(error, ERROR_DOMAIN, ERROR_USAGE,
                    "a timeout of %" G_GUINT64_FORMAT " ms is more than a day, the most there is",
                    request->timeout_ms);
        return false;
    }
    return true;
}

/* --- to the agent --- */

static json_t *strings_to_json(char **strings)
{
    json_t *array = json_array();
    for (char **string = strings; *string != NULL; string++) {
        json_array_append_new(array, json_string(*string));
    }
    return array;
}

static char *encode(const char *command, json_t *arguments)
{
    json_t *json = json_pack("{s:s,s:o}", "execute", command, "arguments", arguments);
    /* In ASCII: libvirt (11.3, by json-c) takes a string that begins with another character for no
     * UTF-8. */
    char *text = json_dumps(json, JSON_COMPACT | JSON_ENSURE_ASCII);
    json_decref(json);
    return text;
}

char *agent_exec_encode_start(const struct agent_exec_request *request)
{
    json_t *arguments = json_pack("{s:s,s:o,s:b}", "path", request->command[0], "arg",
                                  strings_to_json(request->command + 1), "capture-output", 1);
    if (request->env != NULL) {
        json_object_set_new(arguments, "env", strings_to_json(request->env));
    }
    if (request->input != NULL) {
        gsize size;
        const guchar *data = g_bytes_get_data(request->input, &size);
        g_autofree char *base64 = g_base64_encode(data, size);
        json_object_set_new(arguments, "input-data", json_string(base64));
    }
    return encode("guest-exec", arguments);
}

char *agent_exec_encode_status(gint64 pid)
{
    return encode("guest-exec-status", json_pack("{s:I}", "pid", (json_int_t)pid));
}

/* --- from the agent --- */

enum agent_exec_refusal agent_exec_classify(const char *words)
{
    /* GLib 2.74, g_spawn_async(): "Failed to execute child process “x” (STRERROR)". The agent has
     * the C locale. */
    static const char *const not_executable[] = {
        "(Permission denied)",
        "(Exec format error)",
        "(Is a directory)",
        "(Not a directory)",
    };
    if (strstr(words, "Failed to execute child process") == NULL) {
        return AGENT_EXEC_REFUSED;
    }
    for (gsize i = 0; i < G_N_ELEMENTS(not_executable); i++) {
        if (strstr(words, not_executable[i]) != NULL) {
            return AGENT_EXEC_NOT_EXECUTABLE;
        }
    }
    return strstr(words, "(No such file or directory)") != NULL ? AGENT_EXEC_NOT_FOUND
                                                                : AGENT_EXEC_REFUSED;
}

/* A reply has two objects and a handful of members, and base64 has no characters of these kinds, so
 * strings need not be told from the rest. Far more than that only costs: libvirt lets 10 MiB
 * through, which as "{},{},…" take jansson seconds, and most of a GiB. */
static bool is_oversized(const char *reply)
{
    gsize opened = 0, commas = 0;
    for (const char *c = reply; *c != '\0' && opened <= OPENED_MAX && commas <= COMMAS_MAX; c++) {
        opened += *c == '{' || *c == '[';
        commas += *c == ',';
    }
    return opened > OPENED_MAX || commas > COMMAS_MAX;
}

/* The reply's "return". NULL and @error: it is none. The caller owns @document. */
static json_t *decode(const char *reply, json_t **document, GError **error)
{
    json_error_t where;
    *document = NULL;
    if (is_oversized(reply)) {
        g_set_error(error, ERROR_DOMAIN, ERROR_UNAVAILABLE,
                    "the guest agent's reply cannot be understood: it has more members than any "
                    "that is right");
        return NULL;
    }
    *document = json_loads(reply, JSON_REJECT_DUPLICATES, &where);
    json_t *returned = json_object_get(*document, "return");
    if (!json_is_object(returned)) {
        /* jansson quotes what it did not understand, in the middle of a character perhaps. */
        g_autofree char *why = *document == NULL ? g_utf8_make_valid(where.text, -1) : NULL;
        g_set_error(error, ERROR_DOMAIN, ERROR_UNAVAILABLE,
                    "the guest agent's reply cannot be understood: %s",
                    why != NULL ? why : "it is not what was asked for");
        return NULL;
    }
    return returned;
}

static bool is_nonsense(GError **error, const char *member)
{
    g_set_error(error, ERROR_DOMAIN, ERROR_UNAVAILABLE,
                "the guest agent's reply cannot be understood: \"%s\" is not there, or not what it "
                "should be",
                member);
    return false;
}

bool agent_exec_decode_start(const char *reply, gint64 *pid, GError **error)
{
    json_t *document, *returned = decode(reply, &document, error), *number = NULL;
    bool ok = returned != NULL;
    if (ok) {
        number = json_object_get(returned, "pid");
        ok = json_is_integer(number) && json_integer_value(number) >= 0;
        if (!ok) {
            is_nonsense(error, "pid");
        }
    }
    if (ok) {
        *pid = json_integer_value(number);
    }
    json_decref(document);
    return ok;
}

/* @data and @flag are members of @returned that need not be there. */
static bool take_output(json_t *returned, const char *data, const char *flag, GBytes **output,
                        bool *truncated, GError **error)
{
    json_t *base64 = json_object_get(returned, data), *cut = json_object_get(returned, flag);
    if ((base64 != NULL && !json_is_string(base64)) || (cut != NULL && !json_is_boolean(cut))) {
        return is_nonsense(error, base64 != NULL && !json_is_string(base64) ? data : flag);
    }
    *truncated = json_is_true(cut);
    if (base64 != NULL) {
        gsize size;
        g_autofree guchar *bytes = g_base64_decode(json_string_value(base64), &size);
        *truncated |= size > AGENT_EXEC_OUTPUT_MAX;
        *output = g_bytes_new(bytes, MIN(size, AGENT_EXEC_OUTPUT_MAX));
    }
    return true;
}

/* Has it ended? Then by one of the two. */
static bool take_end(json_t *returned, bool *over, struct agent_exec_result *result, GError **error)
{
    json_t *exited = json_object_get(returned, "exited");
    json_t *status = json_object_get(returned, "exitcode");
    json_t *signal = json_object_get(returned, "signal");
    if (!json_is_boolean(exited)) {
        return is_nonsense(error, "exited");
    }
    *over = json_is_true(exited);
    if (!*over) {
        return true;
    }
    if (json_is_integer(status)) {
        result->end = AGENT_EXEC_EXITED;
        result->status = json_integer_value(status);
    } else if (json_is_integer(signal)) {
        result->end = AGENT_EXEC_KILLED;
        result->signal = json_integer_value(signal);
    } else {
        return is_nonsense(error, "exitcode");
    }
    return true;
}

bool agent_exec_decode_status(const char *reply, bool *over, struct agent_exec_result *result,
                              GError **error)
{
    json_t *document, *returned = decode(reply, &document, error);
    bool ok = returned != NULL && take_end(returned, over, result, error);
    if (ok && *over) {
        g_clear_pointer(&result->output, g_bytes_unref);
        g_clear_pointer(&result->errors, g_bytes_unref);
        ok = take_output(returned, "out-data", "out-truncated", &result->output,
                         &result->output_truncated, error) &&
             take_output(returned, "err-data", "err-truncated", &result->errors,
                         &result->errors_truncated, error);
    }
    json_decref(document);
    return ok;
}
