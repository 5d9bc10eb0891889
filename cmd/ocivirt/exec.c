// SPDX-License-Identifier: LGPL-2.1-or-later
#include "cmd/ocivirt/client.h"
#include "cmd/ocivirt/find.h"
#include "cmd/ocivirt/output.h"
#include "src/agent/agent_exec.h"
#include "src/util/error.h"
#include "src/util/quantity.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

/* Statuses that are not the command's: as timeout(1), podman-exec(1) and shells have them. FAILED:
 * it was not run, or what came of it is lost. OTHER: it was one that does not fit into ours. */
enum {
    TIMED_OUT = 124,
    FAILED = 125,
    NOT_EXECUTABLE = 126,
    NOT_FOUND = 127,
    SIGNALLED = 128,
    OTHER = 255,
};

/* --- what to ask for --- */

static bool read_input(GByteArray *input, GError **error)
{
    guint8 buffer[64 * 1024];
    ssize_t n;
    while ((n = read(STDIN_FILENO, buffer, sizeof(buffer))) != 0) {
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            error_set_errno(error, ERROR_UNAVAILABLE, errno, "cannot read standard input");
            return false;
        }
        g_byte_array_append(input, buffer, n);
        if (input->len > AGENT_EXEC_INPUT_MAX) {
            g_set_error(error, ERROR_DOMAIN, ERROR_USAGE,
                        "standard input has more than the %zu bytes that a command in the guest "
                        "can be given",
                        AGENT_EXEC_INPUT_MAX);
            return false;
        }
    }
    return true;
}

static json_t *strings_to_json(char **strings)
{
    json_t *array = json_array();
    for (char **string = strings; string != NULL && *string != NULL; string++) {
        json_array_append_new(array, json_string(*string));
    }
    return array;
}

/* @request is right: agent_exec_request_check(). */
static char *encode(const struct agent_exec_request *request)
{
    json_t *json = json_pack("{s:o}", "command", strings_to_json(request->command));
    if (request->env != NULL) {
        json_object_set_new(json, "env", strings_to_json(request->env));
    }
    if (request->timeout_ms > 0) {
        json_object_set_new(json, "timeout-ms", json_integer((json_int_t)request->timeout_ms));
    }
    if (request->input != NULL) {
        gsize size;
        const guchar *data = g_bytes_get_data(request->input, &size);
        g_autofree char *base64 = g_base64_encode(data, size);
        json_object_set_new(json, "stdin", json_string(base64));
    }
    char *text = json_dumps(json, JSON_COMPACT);
    json_decref(json);
    return text;
}

static bool take_timeout(const char *text, guint64 *ms, GError **error)
{
    if (text == NULL ||
        (quantity_parse_duration(text, ms) && *ms > 0 && *ms <= AGENT_EXEC_TIMEOUT_MAX_MS)) {
        return true;
    }
    g_set_error(error, ERROR_DOMAIN, ERROR_USAGE,
                "--timeout is \"%s\", and must be a duration such as 500ms, 8s or 2m, more than 0 "
                "and at most 24h",
                text);
    return false;
}

/* jansson's string; NULL: @error. */
static char *describe(const struct options *options, GError **error)
{
    g_autoptr(GByteArray) input = g_byte_array_new();
    g_autoptr(GBytes) bytes = NULL;
    struct agent_exec_request request = {.command = options->arguments, .env = options->env};
    if (!take_timeout(options->timeout, &request.timeout_ms, error) ||
        !agent_exec_request_check(&request, error) ||
        (options->interactive && !read_input(input, error))) {
        return NULL;
    }
    if (options->interactive) {
        bytes = request.input = g_byte_array_free_to_bytes(g_steal_pointer(&input));
    }
    return encode(&request);
}

/* --- what has come of it --- */

/* False: what could not be written has been told. */
static bool print(const json_t *result, const char *name, const char *flag, int fd)
{
    const char *text = json_string_value(json_object_get(result, name));
    gsize size = 0;
    g_autofree guchar *bytes = text != NULL ? g_base64_decode(text, &size) : NULL;
    bool written = output_write(fd, bytes, size);
    if (!written) {
        log_error("the command has ended, and its %s cannot be written: %s", name,
                  g_strerror(errno));
    }
    if (json_is_true(json_object_get(result, flag))) {
        log_warning("there was more on the command's %s, which is lost", name);
    }
    return written;
}

static int tell_timeout(const json_t *result, const char *timeout)
{
    json_int_t pid = json_integer_value(json_object_get(result, "pid"));
    if (pid > 0) {
        log_error("the command has not ended within %s; it runs on, as pid %" JSON_INTEGER_FORMAT
                  " in the guest",
                  timeout, pid);
    } else {
        log_error("the guest agent has not answered within %s", timeout);
    }
    return TIMED_OUT;
}

/* Windows has statuses, and exceptions, of 32 bits. What is no success must not become one. */
static int exit_status(const json_t *result, bool killed)
{
    if (killed) {
        json_int_t number = json_integer_value(json_object_get(result, "signal"));
        return SIGNALLED + (int)CLAMP(number, 0, OTHER - SIGNALLED);
    }
    json_int_t status = json_integer_value(json_object_get(result, "status"));
    return status >= 0 && status <= OTHER ? (int)status : OTHER;
}

static int tell_result(const json_t *result, const char *timeout)
{
    const char *end = json_string_value(json_object_get(result, "end"));
    bool written = print(result, "stdout", "stdout-truncated", STDOUT_FILENO);
    written = print(result, "stderr", "stderr-truncated", STDERR_FILENO) && written;
    if (!written) {
        return FAILED;
    }
    if (g_strcmp0(end, "timed-out") == 0) {
        return tell_timeout(result, timeout);
    }
    return exit_status(result, g_strcmp0(end, "killed") == 0);
}

static int tell_refusal(const json_t *refusal)
{
    const char *reason = json_string_value(json_object_get(refusal, "reason"));
    const char *message = json_string_value(json_object_get(refusal, "error"));
    log_error("%s", message != NULL ? message : "the command has not been run");
    if (g_strcmp0(reason, "not-found") == 0) {
        return NOT_FOUND;
    }
    return g_strcmp0(reason, "not-executable") == 0 ? NOT_EXECUTABLE : FAILED;
}

static int run(const struct options *options, GError **error)
{
    g_autofree char *body = describe(options, error);
    g_autofree char *root = body != NULL ? find_root(options, error) : NULL;
    struct client *c = root != NULL ? client_open(root, 0, error) : NULL;
    unsigned code =
        c != NULL && client_post(c, "/v1/exec", body, error) ? client_receive_status(c, error) : 0;
    json_t *answer = code != 0 ? client_read_json(c, error) : NULL;
    int status = FAILED;
    if (answer != NULL) {
        status = code == 200 ? tell_result(answer, options->timeout) : tell_refusal(answer);
    }
    json_decref(answer);
    client_close(c);
    return status;
}

int command_exec(int argc, char **argv)
{
    struct options options;
    g_autoptr(GError) error = NULL;
    int status = 0;
    if (options_parse(&options, argc, argv, "exec",
                      "Run a command in the guest of a root directory, through the QEMU guest\n"
                      "agent in it. What it prints comes when it has ended. Exit status: the\n"
                      "command's, or 255 where that is not one from 0 to 255; 128+n if signal n\n"
                      "ended it; 124 if its time was over; 125 if it could not be run, or its\n"
                      "output not be written; 126 if it is there and cannot be executed, 127 if\n"
                      "there is none.",
                      OPTIONS_ROOT | OPTIONS_EXEC, &status)) {
        status = run(&options, &error);
        report_error(error);
    } else if (status != 0) {
        status = FAILED; /* whatever is wrong: below 124 it is the command's status */
    }
    options_finish(&options);
    return status;
}
