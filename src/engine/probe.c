// SPDX-License-Identifier: LGPL-2.1-or-later
#include "src/engine/probe.h"

#include <gio/gio.h>

/* Soon noticed while it is waited for; afterwards as seldom as probes of others are. */
#define EVERY_MS 500
#define EVERY_MS_WHEN_OPEN 5000
/* A guest that refuses, under load. */
#define REFUSED_WITHIN_MS 1000

struct probe {
    GSocketAddress *address;
    GSocketClient *client;
    GSocketConnection *connection; /* of the present question */
    guint half_closing;            /* GSource id; 0: it is, or there is no connection */
    bool accepts;
    void (*changed)(bool accepts, void *data);
    void *data;
    char byte;
};

static void ask(struct probe *probe);

static gboolean ask_again(gpointer data)
{
    ask(data);
    return G_SOURCE_REMOVE;
}

static void conclude(struct probe *probe, bool accepts)
{
    if (accepts != probe->accepts) {
        probe->accepts = accepts;
        probe->changed(accepts, probe->data);
    }
    g_timeout_add(accepts ? EVERY_MS_WHEN_OPEN : EVERY_MS, ask_again, probe);
}

static gboolean half_close(gpointer data)
{
    struct probe *probe = data;
    probe->half_closing = 0;
    g_socket_shutdown(g_socket_connection_get_socket(probe->connection), FALSE, TRUE, NULL);
    return G_SOURCE_REMOVE;
}

static void on_read(GObject *stream, GAsyncResult *result, gpointer data)
{
    struct probe *probe = data;
    gssize length = g_input_stream_read_finish(G_INPUT_STREAM(stream), result, NULL);
    bool refused = probe->half_closing != 0 && length <= 0;
    if (probe->half_closing != 0) {
        g_source_remove(probe->half_closing);
        probe->half_closing = 0;
    }
    g_clear_object(&probe->connection);
    conclude(probe, length >= 0 && !refused);
}

static void on_connected(GObject *client, GAsyncResult *result, gpointer data)
{
    struct probe *probe = data;
    probe->connection = g_socket_client_connect_finish(G_SOCKET_CLIENT(client), result, NULL);
    if (probe->connection == NULL) {
        conclude(probe, false);
        return;
    }
    probe->half_closing = g_timeout_add(REFUSED_WITHIN_MS, half_close, probe);
    g_input_stream_read_async(g_io_stream_get_input_stream(G_IO_STREAM(probe->connection)),
                              &probe->byte, 1, G_PRIORITY_DEFAULT, NULL, on_read, probe);
}

static void ask(struct probe *probe)
{
    g_socket_client_connect_async(probe->client, G_SOCKET_CONNECTABLE(probe->address), NULL,
                                  on_connected, probe);
}

struct probe *probe_create(const char *address, guint16 port,
                           void (*changed)(bool accepts, void *data), void *data)
{
    struct probe *probe = g_new0(struct probe, 1);
    g_autoptr(GInetAddress) host = address != NULL
                                       ? g_inet_address_new_from_string(address)
                                       : g_inet_address_new_loopback(G_SOCKET_FAMILY_IPV4);
    probe->address = g_inet_socket_address_new(host, port);
    probe->client = g_socket_client_new();
    /* No proxy that the environment may name. */
    g_socket_client_set_enable_proxy(probe->client, FALSE);
    g_socket_client_set_timeout(probe->client, PROBE_PATIENCE_S);
    probe->changed = changed;
    probe->data = data;
    g_timeout_add(EVERY_MS, ask_again, probe);
    return probe;
}
