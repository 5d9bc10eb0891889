// SPDX-License-Identifier: LGPL-2.1-or-later
#include "src/api/internal.h"
#include "src/util/log.h"

#include <errno.h>
#include <glib-unix.h>
#include <string.h>
#include <sys/socket.h>

/*
 * The guest's console: after "101 Switching Protocols" the connection is ours, and bytes go both
 * ways as they are. Output that the peer does not take is kept, up to API_CONSOLE_PENDING_MAX; who
 * is further behind is cut off. Input that the guest does not take is left with the peer, and goes
 * with it.
 */

#define TYPE_AGAIN_MS 50

struct attachment {
    struct api *api;
    struct MHD_UpgradeResponseHandle *handle;
    int fd;
    guint in; /* GSource ids; 0: not set */
    guint out;
    guint retry;
    GByteArray *pending; /* for the peer */
    GByteArray *typed;   /* for the guest */
    bool ended;          /* nothing more is to come: closed when nothing is pending */
};

static void detach(struct attachment *a)
{
    struct api *api = a->api;
    api->consoles = g_slist_remove(api->consoles, a);
    g_clear_handle_id(&a->in, g_source_remove);
    g_clear_handle_id(&a->out, g_source_remove);
    g_clear_handle_id(&a->retry, g_source_remove);
    g_byte_array_unref(a->pending);
    g_byte_array_unref(a->typed);
    MHD_upgrade_action(a->handle, MHD_UPGRADE_ACTION_CLOSE);
    g_free(a);
    api_wake(api);
}

/* --- to the guest --- */

static gboolean on_input(gint fd, GIOCondition condition, gpointer data);

static void watch_input(struct attachment *a)
{
    a->in = g_unix_fd_add(a->fd, G_IO_IN, on_input, a);
}

static gboolean on_hangup(gint fd, GIOCondition condition, gpointer data)
{
    (void)fd;
    (void)condition;
    struct attachment *a = data;
    a->in = 0;
    detach(a);
    return G_SOURCE_REMOVE;
}

/* Nobody is there who wants to see, or has something to type. */
static void watch_hangup(struct attachment *a)
{
    a->in = g_unix_fd_add(a->fd, G_IO_HUP | G_IO_ERR, on_hangup, a);
}

/* Whether all is typed. */
static bool type(struct attachment *a)
{
    gsize taken = engine_type(a->api->engine, a->typed->data, a->typed->len);
    g_byte_array_remove_range(a->typed, 0, taken);
    return a->typed->len == 0;
}

static gboolean type_again(gpointer data)
{
    struct attachment *a = data;
    if (!type(a)) {
        return G_SOURCE_CONTINUE;
    }
    a->retry = 0;
    g_source_remove(a->in);
    watch_input(a);
    return G_SOURCE_REMOVE;
}

static void type_later(struct attachment *a, guint ms)
{
    a->retry = g_timeout_add(ms, type_again, a);
    watch_hangup(a);
}

static gboolean on_input(gint fd, GIOCondition condition, gpointer data)
{
    (void)condition;
    struct attachment *a = data;
    guint8 buffer[4096];
    ssize_t n = recv(fd, buffer, sizeof(buffer), MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
        return G_SOURCE_CONTINUE;
    }
    a->in = 0;
    if (n < 0) {
        detach(a);
        return G_SOURCE_REMOVE;
    }
    if (n == 0) { /* it types no more, and may still want to see */
        watch_hangup(a);
        return G_SOURCE_REMOVE;
    }
    g_byte_array_append(a->typed, buffer, n);
    if (type(a)) {
        watch_input(a);
    } else {
        type_later(a, TYPE_AGAIN_MS);
    }
    return G_SOURCE_REMOVE;
}

/* --- from the guest --- */

/* False: the peer is gone. */
static bool send_pending(struct attachment *a)
{
    while (a->pending->len > 0) {
        ssize_t n = send(a->fd, a->pending->data, a->pending->len, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (n < 0) {
            return errno == EAGAIN || errno == EINTR;
        }
        g_byte_array_remove_range(a->pending, 0, n);
    }
    return true;
}

static gboolean on_writable(gint fd, GIOCondition condition, gpointer data);

/* @a may be gone afterwards. */
static void flush(struct attachment *a)
{
    if (!send_pending(a) || a->pending->len > API_CONSOLE_PENDING_MAX) {
        if (a->pending->len > API_CONSOLE_PENDING_MAX) {
            log_debug("a client that does not read the console is cut off");
        }
        detach(a);
    } else if (a->pending->len == 0 && a->ended) {
        detach(a);
    } else if (a->pending->len > 0 && a->out == 0) {
        a->out = g_unix_fd_add(a->fd, G_IO_OUT, on_writable, a);
    } else if (a->pending->len == 0) {
        g_clear_handle_id(&a->out, g_source_remove);
    }
}

static gboolean on_writable(gint fd, GIOCondition condition, gpointer data)
{
    (void)fd;
    (void)condition;
    struct attachment *a = data;
    a->out = 0;
    flush(a); /* sets the source anew where it is still wanted */
    return G_SOURCE_REMOVE;
}

void attach_output(struct api *api, const char *bytes, gsize length)
{
    for (GSList *i = api->consoles, *next; i != NULL; i = next) {
        struct attachment *a = i->data;
        next = i->next;
        g_byte_array_append(a->pending, (const guint8 *)bytes, length);
        flush(a);
    }
}

void attach_tell_end(struct api *api)
{
    for (GSList *i = api->consoles, *next; i != NULL; i = next) {
        struct attachment *a = i->data;
        next = i->next;
        a->ended = true;
        flush(a);
    }
}

/* --- the beginning --- */

static void on_upgraded(void *data, struct MHD_Connection *connection, void *context,
                        const char *early, size_t early_length, MHD_socket fd,
                        struct MHD_UpgradeResponseHandle *handle)
{
    (void)connection;
    (void)context;
    struct api *api = data;
    struct attachment *a = g_new0(struct attachment, 1);
    *a = (struct attachment){
        .api = api,
        .handle = handle,
        .fd = fd,
        .pending = g_byte_array_new(),
        .typed = g_byte_array_new(),
        .ended = api->exit_status >= 0,
    };
    api->consoles = g_slist_append(api->consoles, a);
    g_byte_array_append(a->typed, (const guint8 *)early, early_length);
    type_later(a, 0);
    if (a->ended) {
        flush(a);
    }
}

static bool has_token(struct exchange *x, const char *header, const char *wanted)
{
    const char *value = MHD_lookup_connection_value(x->connection, MHD_HEADER_KIND, header);
    g_auto(GStrv) tokens = g_strsplit(value != NULL ? value : "", ",", 16);
    for (char **token = tokens; *token != NULL; token++) {
        if (g_ascii_strcasecmp(g_strstrip(*token), wanted) == 0) {
            return true;
        }
    }
    return false;
}

void attach_serve(struct exchange *x)
{
    if (!has_token(x, "Connection", "upgrade") || !has_token(x, "Upgrade", API_PROTOCOL)) {
        exchange_refuse(x, MHD_HTTP_UPGRADE_REQUIRED,
                        "the console is bytes both ways: ask for it with \"Connection: Upgrade\" "
                        "and \"Upgrade: " API_PROTOCOL "\"");
        return;
    }
    if (g_slist_length(x->api->consoles) >= API_CONSOLES_MAX) {
        g_autofree char *message =
            g_strdup_printf("%d clients are attached to the console already", API_CONSOLES_MAX);
        exchange_refuse(x, MHD_HTTP_SERVICE_UNAVAILABLE, message);
        return;
    }
    struct MHD_Response *response = MHD_create_response_for_upgrade(on_upgraded, x->api);
    MHD_add_response_header(response, "Upgrade", API_PROTOCOL);
    exchange_respond(x, MHD_HTTP_SWITCHING_PROTOCOLS, response);
}
