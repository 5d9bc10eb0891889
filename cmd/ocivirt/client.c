// SPDX-License-Identifier: LGPL-2.1-or-later
#include "cmd/ocivirt/client.h"
#include "src/api/api.h"
#include "src/util/error.h"

#include <errno.h>
#include <fcntl.h>
#include <gio/gio.h>
#include <gio/gunixsocketaddress.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* More than any answer has. */
#define BODY_MAX (16 << 20)
#define HEAD_LINES_MAX 100
/* For a place in the queue of connections. */
#define QUEUE_SECONDS 2

struct client {
    char *root;
    GSocketConnection *connection;
    GDataInputStream *input;
    unsigned status;
    bool refused;
    bool chunked;
    guint64 left;  /* bytes of the body, or of the present chunk */
    bool ended;    /* there is no more of the body */
    GString *line; /* read, without its end as yet */
};

static bool fail(const struct client *c, GError **error, GError *cause)
{
    g_set_error(error, ERROR_DOMAIN, ERROR_UNAVAILABLE,
                "the ocivirt that runs in %s has not answered: %s", c->root,
                cause != NULL ? cause->message : "it has closed the connection");
    g_clear_error(&cause);
    return false;
}

static void explain(const char *root, const char *path, const GError *cause, GError **error)
{
    g_autofree char *instance = g_build_filename(root, "instance.json", NULL);
    bool absent = g_error_matches(cause, G_IO_ERROR, G_IO_ERROR_NOT_FOUND) ||
                  g_error_matches(cause, G_IO_ERROR, G_IO_ERROR_CONNECTION_REFUSED);
    if (absent && !g_file_test(instance, G_FILE_TEST_EXISTS)) {
        g_set_error(error, ERROR_DOMAIN, ERROR_UNAVAILABLE,
                    "there is no VM in the root directory %s", root);
    } else if (absent) {
        g_set_error(error, ERROR_DOMAIN, ERROR_UNAVAILABLE,
                    "the ocivirt that ran in %s is gone: nobody answers at %s", root, path);
    } else {
        g_set_error(error, ERROR_DOMAIN, ERROR_UNAVAILABLE, "cannot connect to %s: %s", path,
                    cause->message);
    }
}

/* GLib connects without blocking, which to a full queue is an error: EAGAIN. */
static GSocketConnection *connect_patiently(const char *path, unsigned timeout_s, GError **error)
{
    g_autoptr(GSocketClient) connector = g_socket_client_new();
    g_autoptr(GSocketAddress) address = g_unix_socket_address_new(path);
    gint64 until = g_get_monotonic_time() + QUEUE_SECONDS * G_USEC_PER_SEC;
    GSocketConnection *connection;
    g_socket_client_set_enable_proxy(connector, FALSE);
    g_socket_client_set_timeout(connector, timeout_s);
    for (;;) {
        g_autoptr(GError) local = NULL;
        connection =
            g_socket_client_connect(connector, G_SOCKET_CONNECTABLE(address), NULL, &local);
        if (connection != NULL || !g_error_matches(local, G_IO_ERROR, G_IO_ERROR_WOULD_BLOCK) ||
            g_get_monotonic_time() > until) {
            if (local != NULL) {
                g_propagate_error(error, g_steal_pointer(&local));
            }
            return connection;
        }
        g_usleep(20 * 1000);
    }
}

/* A socket's address has room for 107 characters, and a root directory that is short in its
 * container has a long path outside: its descriptor makes a short one of it. */
static GSocketConnection *connect_to(const char *root, unsigned timeout_s, GError **error)
{
    int directory = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (directory < 0) {
        g_set_error(error, G_IO_ERROR, g_io_error_from_errno(errno), "%s", g_strerror(errno));
        return NULL;
    }
    g_autofree char *path = g_strdup_printf("/proc/self/fd/%d/%s", directory, API_SOCKET);
    GSocketConnection *connection = connect_patiently(path, timeout_s, error);
    close(directory);
    return connection;
}

struct client *client_open(const char *root, unsigned timeout_s, GError **error)
{
    g_autofree char *path = g_build_filename(root, API_SOCKET, NULL);
    g_autoptr(GError) local = NULL;
    GSocketConnection *connection = connect_to(root, timeout_s, &local);
    if (connection == NULL) {
        explain(root, path, local, error);
        return NULL;
    }
    struct client *c = g_new0(struct client, 1);
    c->root = g_strdup(root);
    c->connection = connection;
    c->input = g_data_input_stream_new(g_io_stream_get_input_stream(G_IO_STREAM(connection)));
    g_data_input_stream_set_newline_type(c->input, G_DATA_STREAM_NEWLINE_TYPE_LF);
    c->line = g_string_new(NULL);
    return c;
}

void client_close(struct client *c)
{
    if (c != NULL) {
        g_object_unref(c->input);
        g_object_unref(c->connection);
        g_string_free(c->line, TRUE);
        g_free(c->root);
        g_free(c);
    }
}

static bool send_all(struct client *c, const char *bytes, GError **error)
{
    GError *local = NULL;
    GOutputStream *output = g_io_stream_get_output_stream(G_IO_STREAM(c->connection));
    return g_output_stream_write_all(output, bytes, strlen(bytes), NULL, NULL, &local) ||
           fail(c, error, local);
}

bool client_post(struct client *c, const char *target, const char *body, GError **error)
{
    g_autofree char *head =
        g_strdup_printf("POST %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
                        "Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n",
                        target, strlen(body));
    /* An answer that comes before all of the body is taken is worth more than why it was not. */
    return send_all(c, head, error) && (send_all(c, body, NULL) || true);
}

bool client_send(struct client *c, const char *method, const char *target, const char *protocol,
                 GError **error)
{
    g_autofree char *connection =
        protocol != NULL ? g_strdup_printf("Upgrade\r\nUpgrade: %s", protocol) : g_strdup("close");
    /* A POST without a body says so. */
    g_autofree char *head = g_strdup_printf(
        "%s %s HTTP/1.1\r\nHost: localhost\r\nConnection: %s\r\n%s\r\n", method, target, connection,
        g_str_equal(method, "POST") ? "Content-Length: 0\r\n" : "");
    return send_all(c, head, error);
}

/* A line without its end; NULL, also at the end of the stream: @error. */
static char *read_head_line(struct client *c, GError **error)
{
    GError *local = NULL;
    char *line = g_data_input_stream_read_line(c->input, NULL, NULL, &local);
    if (line == NULL) {
        fail(c, error, local);
        return NULL;
    }
    return g_strchomp(line);
}

static void read_header(struct client *c, const char *line)
{
    const char *value = strchr(line, ':');
    if (value == NULL) {
        return;
    }
    g_autofree char *name = g_strndup(line, value - line);
    value += 1 + strspn(value + 1, " ");
    if (g_ascii_strcasecmp(name, "Content-Length") == 0) {
        c->left = g_ascii_strtoull(value, NULL, 10);
    } else if (g_ascii_strcasecmp(name, "Transfer-Encoding") == 0) {
        c->chunked = g_ascii_strcasecmp(value, "chunked") == 0;
    }
}

static bool read_head(struct client *c, GError **error)
{
    g_autofree char *first = read_head_line(c, error);
    if (first == NULL) {
        return false;
    }
    c->status = g_str_has_prefix(first, "HTTP/1.1 ") ? atoi(first + strlen("HTTP/1.1 ")) : 0;
    for (int i = 0; i < HEAD_LINES_MAX; i++) {
        g_autofree char *line = read_head_line(c, error);
        if (line == NULL) {
            return false;
        }
        if (*line == '\0') {
            c->ended = !c->chunked && c->left == 0;
            return true;
        }
        read_header(c, line);
    }
    return fail(c, error, NULL);
}

/* The words that the server has for it. */
static bool fail_as_told(struct client *c, GError **error)
{
    c->refused = true;
    json_t *body = client_read_json(c, NULL);
    const char *message = json_string_value(json_object_get(body, "error"));
    enum error_code code = c->status < 500 || c->status == 503 ? ERROR_UNAVAILABLE : ERROR_INTERNAL;
    if (message != NULL) {
        g_set_error(error, ERROR_DOMAIN, code, "%s", message);
    } else {
        g_set_error(error, ERROR_DOMAIN, code, "the ocivirt that runs in %s answers with %u",
                    c->root, c->status);
    }
    json_decref(body);
    return false;
}

unsigned client_receive_status(struct client *c, GError **error)
{
    return read_head(c, error) ? c->status : 0;
}

bool client_receive(struct client *c, GError **error)
{
    return read_head(c, error) && ((c->status >= 101 && c->status < 300) || fail_as_told(c, error));
}

bool client_is_refused(const struct client *c)
{
    return c->refused;
}

/* Sets what the next chunk has, or the end. */
static bool begin_chunk(struct client *c, GError **error)
{
    g_autofree char *line = read_head_line(c, error);
    if (line != NULL && *line == '\0') { /* the end of the one before */
        g_free(line);
        line = read_head_line(c, error);
    }
    if (line == NULL) {
        return false;
    }
    c->left = g_ascii_strtoull(line, NULL, 16);
    c->ended = c->left == 0;
    return true;
}

/* Some of the body; 0: there is no more; negative: @error. */
static gssize read_body(struct client *c, char *buffer, gsize max, GError **error)
{
    GError *local = NULL;
    if (c->chunked && c->left == 0 && !c->ended && !begin_chunk(c, error)) {
        return -1;
    }
    if (c->ended) {
        return 0;
    }
    gssize n =
        g_input_stream_read(G_INPUT_STREAM(c->input), buffer, MIN(max, c->left), NULL, &local);
    if (n <= 0) {
        fail(c, error, local);
        return -1;
    }
    c->left -= n;
    c->ended = !c->chunked && c->left == 0;
    return n;
}

json_t *client_read_json(struct client *c, GError **error)
{
    g_autoptr(GString) body = g_string_new(NULL);
    char buffer[4096];
    gssize n;
    while ((n = read_body(c, buffer, sizeof(buffer), error)) > 0 && body->len < BODY_MAX) {
        g_string_append_len(body, buffer, n);
    }
    if (n < 0) {
        return NULL;
    }
    json_t *json = json_loadb(body->str, body->len, 0, NULL);
    if (json == NULL) {
        g_set_error(error, ERROR_DOMAIN, ERROR_INTERNAL,
                    "the ocivirt that runs in %s answers with what is no JSON", c->root);
    }
    return json;
}

char *client_read_line(struct client *c, GError **error)
{
    char buffer[4096];
    char *end;
    while ((end = strchr(c->line->str, '\n')) == NULL && c->line->len < BODY_MAX) {
        gssize n = read_body(c, buffer, sizeof(buffer), error);
        if (n <= 0) {
            return NULL;
        }
        g_string_append_len(c->line, buffer, n);
    }
    gsize length = end != NULL ? (gsize)(end - c->line->str) : c->line->len;
    char *line = g_strndup(c->line->str, length);
    g_string_erase(c->line, 0, MIN(length + 1, c->line->len));
    return line;
}

int client_descriptor(struct client *c, GBytes **early)
{
    gsize length;
    const void *bytes =
        g_buffered_input_stream_peek_buffer(G_BUFFERED_INPUT_STREAM(c->input), &length);
    *early = g_bytes_new(bytes, length);
    GSocket *socket = g_socket_connection_get_socket(c->connection);
    return g_socket_get_fd(socket);
}

json_t *client_ask(const char *root, const char *method, const char *target, unsigned timeout_s,
                   GError **error)
{
    struct client *c = client_open(root, timeout_s, error);
    json_t *answer =
        c != NULL && client_send(c, method, target, NULL, error) && client_receive(c, error)
            ? client_read_json(c, error)
            : NULL;
    client_close(c);
    return answer;
}

void client_print(const json_t *answer, const char *format, void (*print_text)(const json_t *))
{
    if (format != NULL ? g_str_equal(format, "text") : isatty(STDOUT_FILENO) == 1) {
        print_text(answer);
    } else {
        json_dumpf(answer, stdout, JSON_INDENT(4));
        putchar('\n');
    }
}
