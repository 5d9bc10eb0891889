// SPDX-License-Identifier: LGPL-2.1-or-later
#include "src/api/internal.h"
#include "src/util/log.h"

#include <glib-unix.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/*
 * Theory of operation.
 *
 * libmicrohttpd has an epoll descriptor, which is a source of the main loop; it is run whenever
 * that is readable, and when it says that its next timeout is due. It reads a little of each
 * connection that has something, and never blocks.
 *
 * What a rude peer can take is bounded: connections by API_PEERS_MAX, each one's memory by
 * API_PEER_MEMORY and a body of request_body_max(), all bodies together by API_BODIES_MAX, its time
 * by look_at_awaited() until its request is there, and then until it has taken the answer, where
 * libmicrohttpd's own timeout does not end it before. And it keeps its place only while nobody else
 * wants it: make_room().
 */

#define SWEEP_SECONDS 1
#define FINISH_MS 1000

/* --- libmicrohttpd on the main loop --- */

static void run(struct api *api);

static gboolean on_timer(gpointer data)
{
    struct api *api = data;
    api->timer = 0;
    run(api);
    return G_SOURCE_REMOVE;
}

static void set_timer(struct api *api, guint ms)
{
    if (api->timer != 0) {
        g_source_remove(api->timer);
    }
    api->timer = g_timeout_add(ms, on_timer, api);
}

static void run(struct api *api)
{
    MHD_UNSIGNED_LONG_LONG ms;
    MHD_run(api->daemon);
    if (MHD_get_timeout(api->daemon, &ms) == MHD_YES) {
        set_timer(api, MIN(ms, 1000));
    }
}

void api_wake(struct api *api)
{
    set_timer(api, 0);
}

static gboolean on_readable(gint fd, GIOCondition condition, gpointer data)
{
    (void)fd;
    (void)condition;
    run(data);
    return G_SOURCE_CONTINUE;
}

G_GNUC_PRINTF(2, 0)
static void on_log(void *data, const char *format, va_list arguments)
{
    (void)data;
    g_autofree char *line = g_strdup_vprintf(format, arguments);
    log_debug("libmicrohttpd: %s", g_strchomp(line));
}

/* --- peers --- */

static void cut_off(struct peer *peer)
{
    static const struct linger at_once = {.l_onoff = 1};
    peer->cut_off = true;
    /* What it does not take is not kept for it by the kernel either. */
    if (peer->answered) {
        setsockopt(peer->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
    }
    shutdown(peer->fd, SHUT_RDWR);
}

static void await(struct peer *peer, bool answered)
{
    peer->awaited_since = g_get_monotonic_time();
    peer->answered = answered;
}

/* NULL: nobody's grace is over. */
static struct peer *longest_awaited(const struct api *api)
{
    gint64 latest = g_get_monotonic_time() - API_GRACE_MS * 1000;
    struct peer *longest = NULL;
    for (GList *i = api->peers.head; i != NULL; i = i->next) {
        struct peer *peer = i->data;
        if (peer->awaited_since != 0 && !peer->cut_off && peer->awaited_since < latest) {
            longest = peer;
            latest = peer->awaited_since;
        }
    }
    return longest;
}

/* NULL: all have asked for what may last. */
static struct peer *longest_here(const struct api *api)
{
    for (GList *i = api->peers.head; i != NULL; i = i->next) {
        struct peer *peer = i->data;
        if (!peer->lasts && !peer->cut_off) {
            return peer;
        }
    }
    return NULL;
}

/* Several may come before libmicrohttpd closes one: each throws out another. */
static void make_room(struct api *api)
{
    struct peer *peer = longest_awaited(api);
    if (peer == NULL && api->peers.length >= API_PEERS_THRONG) {
        peer = longest_here(api);
    }
    if (peer != NULL) {
        cut_off(peer);
    }
}

static bool is_overdue(const struct peer *peer)
{
    gint64 seconds = peer->answered ? API_TAKING_SECONDS : API_PATIENCE_SECONDS;
    return peer->awaited_since != 0 &&
           peer->awaited_since < g_get_monotonic_time() - seconds * G_USEC_PER_SEC;
}

static gboolean look_at_awaited(gpointer data)
{
    struct api *api = data;
    for (GList *i = api->peers.head; i != NULL; i = i->next) {
        if (is_overdue(i->data)) {
            cut_off(i->data);
        }
    }
    /* Where nobody more is let in nobody who comes makes room. */
    if (api->peers.length >= API_PEERS_MAX) {
        make_room(api);
    }
    if (api->peers.length > 0) {
        return G_SOURCE_CONTINUE;
    }
    api->sweep = 0;
    return G_SOURCE_REMOVE;
}

static int descriptor_of(struct MHD_Connection *connection)
{
    return MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
}

static void on_connection(void *data, struct MHD_Connection *connection, void **context,
                          enum MHD_ConnectionNotificationCode code)
{
    struct api *api = data;
    if (code == MHD_CONNECTION_NOTIFY_CLOSED) {
        g_queue_remove(&api->peers, *context);
        g_free(*context);
        return;
    }
    struct peer *peer = g_new0(struct peer, 1);
    peer->fd = descriptor_of(connection);
    await(peer, false);
    *context = peer;
    if (api->peers.length >= API_PEERS_CROWD) {
        make_room(api);
    }
    g_queue_push_tail(&api->peers, peer);
    if (api->sweep == 0) {
        api->sweep = g_timeout_add_seconds(SWEEP_SECONDS, look_at_awaited, api);
    }
}

static struct peer *peer_of(struct MHD_Connection *connection)
{
    return MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT)->socket_context;
}

static bool is_trusted(int fd)
{
    struct ucred peer;
    socklen_t length = sizeof(peer);
    return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) == 0 &&
           (peer.uid == geteuid() || peer.uid == 0);
}

/* --- exchanges --- */

static gboolean on_hangup(gint fd, GIOCondition condition, gpointer data)
{
    (void)fd;
    (void)condition;
    struct exchange *x = data;
    x->hangup = 0;
    x->gone = true;
    exchange_resume(x);
    return G_SOURCE_REMOVE;
}

void exchange_suspend(struct exchange *x)
{
    if (!x->suspended) {
        x->suspended = true;
        MHD_suspend_connection(x->connection);
        x->hangup = g_unix_fd_add(x->fd, G_IO_HUP | G_IO_ERR, on_hangup, x);
    }
}

void exchange_resume(struct exchange *x)
{
    if (x->suspended) {
        x->suspended = false;
        g_clear_handle_id(&x->hangup, g_source_remove);
        MHD_resume_connection(x->connection);
        api_wake(x->api);
    }
}

void exchange_respond(struct exchange *x, unsigned status, struct MHD_Response *response)
{
    x->answer = response;
    x->status = status;
    exchange_resume(x);
}

void exchange_answer(struct exchange *x, unsigned status, char *json)
{
    struct MHD_Response *response =
        MHD_create_response_from_buffer(strlen(json), json, MHD_RESPMEM_MUST_COPY);
    free(json); /* jansson's */
    MHD_add_response_header(response, "Content-Type", "application/json");
    if (status == MHD_HTTP_METHOD_NOT_ALLOWED) {
        MHD_add_response_header(response, "Allow", request_method(x->request.resource));
    }
    if (status == MHD_HTTP_UPGRADE_REQUIRED) {
        MHD_add_response_header(response, "Upgrade", API_PROTOCOL);
    }
    exchange_respond(x, status, response);
}

void exchange_say(struct exchange *x, unsigned status, const char *type, const char *text)
{
    struct MHD_Response *response =
        MHD_create_response_from_buffer(strlen(text), (void *)text, MHD_RESPMEM_MUST_COPY);
    MHD_add_response_header(response, "Content-Type", type);
    MHD_add_response_header(response, "Cache-Control", "no-store");
    exchange_respond(x, status, response);
}

void exchange_refuse(struct exchange *x, unsigned status, const char *message)
{
    exchange_answer(x, status, answer_error(message));
}

static void drop_body(struct exchange *x)
{
    if (x->body != NULL) {
        x->api->bodies -= x->body->len;
        g_clear_pointer(&x->body, g_byte_array_unref);
    }
}

static void on_completed(void *data, struct MHD_Connection *connection, void **context,
                         enum MHD_RequestTerminationCode code)
{
    (void)code;
    struct api *api = data;
    struct exchange *x = *context;
    if (x == NULL) {
        return;
    }
    *context = NULL;
    g_clear_handle_id(&x->hangup, g_source_remove);
    resource_forget(x);
    g_clear_pointer(&x->answer, MHD_destroy_response);
    drop_body(x);
    request_clear(&x->request);
    g_free(x);
    api->exchanges--;
    await(peer_of(connection), false);
    peer_of(connection)->lasts = false;
}

/* --- requests --- */

static enum MHD_Result read_parameter(void *data, enum MHD_ValueKind kind, const char *key,
                                      size_t key_length, const char *value, size_t value_length)
{
    (void)kind;
    struct exchange *x = data;
    g_autofree char *message = NULL;
    if (strlen(key) != key_length || (value != NULL && strlen(value) != value_length)) {
        exchange_refuse(x, MHD_HTTP_BAD_REQUEST, "the query has a NUL in it");
        return MHD_NO;
    }
    if (!request_parameter(&x->request, key, value, &message)) {
        exchange_refuse(x, MHD_HTTP_BAD_REQUEST, message);
        return MHD_NO;
    }
    return MHD_YES;
}

static bool body_is_too_long(const struct exchange *x)
{
    const char *text =
        MHD_lookup_connection_value(x->connection, MHD_HEADER_KIND, "Content-Length");
    return text != NULL && g_ascii_strtoull(text, NULL, 10) > request_body_max(x->request.resource);
}

static void refuse_body(struct exchange *x)
{
    g_autofree char *message =
        g_strdup_printf("a body may have %zu bytes here, and this one has more",
                        request_body_max(x->request.resource));
    exchange_refuse(x, MHD_HTTP_CONTENT_TOO_LARGE, message);
}

/* The headers are there: whatever is wrong with them need not wait for the body. */
static void begin(struct exchange *x, const char *method, const char *path)
{
    enum api_door door = x->api->door;
    unsigned status = request_route(&x->request, door, method, path);
    if (door == API_CONTROL && !is_trusted(x->fd)) {
        exchange_refuse(x, MHD_HTTP_FORBIDDEN,
                        "only the user that the VM belongs to, and root, may use this socket");
    } else if (status == MHD_HTTP_NOT_FOUND) {
        exchange_refuse(x, status,
                        "there is no such resource; docs/openapi.yaml has those that "
                        "there are");
    } else if (status != MHD_HTTP_OK) {
        g_autofree char *message =
            g_strdup_printf("%s takes %s alone", path, request_method(x->request.resource));
        exchange_refuse(x, status, message);
    } else if (body_is_too_long(x)) {
        refuse_body(x);
    } else {
        MHD_get_connection_values_n(x->connection, MHD_GET_ARGUMENT_KIND, read_parameter, x);
    }
}

/* False: the connection is to be closed. */
static bool read_body(struct exchange *x, const char *bytes, gsize length)
{
    x->body_read += length;
    if (x->body_read <= request_body_max(x->request.resource)) {
        g_byte_array_append(x->body, (const guint8 *)bytes, length);
        x->api->bodies += length;
    }
    bool too_long = x->body_read > request_body_max(x->request.resource) + API_BODY_READ_MAX;
    bool too_many = x->body->len > REQUEST_BODY_MAX && x->api->bodies > API_BODIES_MAX;
    return !too_long && !too_many;
}

static void serve(struct exchange *x)
{
    g_autofree char *message = NULL;
    struct peer *peer = peer_of(x->connection);
    x->received = true;
    peer->awaited_since = 0;
    peer->lasts = resource_lasts(x->request.resource);
    if (x->body_read > request_body_max(x->request.resource)) {
        refuse_body(x);
    } else if (!request_body(&x->request, (const char *)x->body->data, x->body->len, &message)) {
        exchange_refuse(x, MHD_HTTP_BAD_REQUEST, message);
    } else {
        resource_serve(x);
    }
    drop_body(x);
}

static bool has_no_end(const struct exchange *x)
{
    return x->stream != NULL || x->status == MHD_HTTP_SWITCHING_PROTOCOLS;
}

static enum MHD_Result queue_answer(struct exchange *x)
{
    struct MHD_Response *answer = g_steal_pointer(&x->answer);
    if (has_no_end(x)) {
        peer_of(x->connection)->awaited_since = 0;
    } else {
        await(peer_of(x->connection), true);
    }
    enum MHD_Result result = MHD_queue_response(x->connection, x->status, answer);
    MHD_destroy_response(answer);
    return result;
}

static struct exchange *exchange_create(struct api *api, struct MHD_Connection *connection)
{
    struct exchange *x = g_new0(struct exchange, 1);
    *x = (struct exchange){
        .api = api,
        .connection = connection,
        .fd = descriptor_of(connection),
        .body = g_byte_array_new(),
    };
    api->exchanges++;
    return x;
}

/* Called once for the headers, then for each part of the body, then, with no part, for the whole;
 * and for that once more after each time that the exchange was suspended. */
static enum MHD_Result on_request(void *data, struct MHD_Connection *connection, const char *path,
                                  const char *method, const char *version, const char *part,
                                  size_t *length, void **context)
{
    (void)version;
    struct exchange *x = *context;
    if (x == NULL) {
        *context = x = exchange_create(data, connection);
        begin(x, method, path);
        return x->answer != NULL ? queue_answer(x) : MHD_YES;
    }
    if (x->gone) {
        return MHD_NO;
    }
    if (*length > 0) {
        bool ok = read_body(x, part, *length);
        *length = 0;
        return ok ? MHD_YES : MHD_NO;
    }
    if (!x->received) {
        serve(x);
    }
    return x->answer != NULL ? queue_answer(x) : MHD_YES;
}

/* --- the whole --- */

static gboolean on_first_client(gint fd, GIOCondition condition, gpointer data)
{
    (void)condition;
    struct api *api = data;
    api->first_client = 0;
    api->daemon = MHD_start_daemon(
        MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_ALLOW_UPGRADE | MHD_USE_ERROR_LOG, 0, NULL,
        NULL, on_request, api, MHD_OPTION_EXTERNAL_LOGGER, on_log, api, MHD_OPTION_LISTEN_SOCKET,
        fd, MHD_OPTION_CONNECTION_LIMIT, (unsigned)API_PEERS_MAX,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)API_PEER_MEMORY, MHD_OPTION_CONNECTION_TIMEOUT,
        (unsigned)API_PATIENCE_SECONDS, MHD_OPTION_STRICT_FOR_CLIENT, 1,
        MHD_OPTION_NOTIFY_CONNECTION, on_connection, api, MHD_OPTION_NOTIFY_COMPLETED, on_completed,
        api, MHD_OPTION_END);
    if (api->daemon == NULL) {
        log_error("the control API cannot be served: libmicrohttpd does not start");
        return G_SOURCE_REMOVE;
    }
    int epoll = MHD_get_daemon_info(api->daemon, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd;
    g_unix_fd_add(epoll, G_IO_IN, on_readable, api);
    run(api);
    return G_SOURCE_REMOVE;
}

static void on_news(enum engine_news news, void *data)
{
    events_tell(data, news);
}

static void on_output(const char *bytes, gsize length, void *data)
{
    attach_output(data, bytes, length);
}

struct api *api_create(struct engine *engine, enum api_door door, int listener)
{
    struct api *api = g_new0(struct api, 1);
    *api = (struct api){.engine = engine, .door = door, .exit_status = -1};
    api->observer = (struct engine_observer){on_news, on_output, api};
    engine_observe(engine, &api->observer);
    api->first_client = g_unix_fd_add(listener, G_IO_IN, on_first_client, api);
    return api;
}

static gboolean on_finish_overdue(gpointer data)
{
    *(guint *)data = 0;
    return G_SOURCE_REMOVE;
}

void api_finish(struct api *api, int exit_status)
{
    api->exit_status = exit_status;
    resource_tell_end(api);
    scrape_tell_end(api);
    guest_tell_end(api);
    events_tell_end(api);
    attach_tell_end(api);
    guint patience = g_timeout_add(FINISH_MS, on_finish_overdue, &patience);
    while (api->exchanges > 0 && patience != 0) {
        g_main_context_iteration(NULL, TRUE);
    }
    g_clear_handle_id(&patience, g_source_remove);
}
