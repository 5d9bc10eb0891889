// SPDX-License-Identifier: LGPL-2.1-or-later
#include "src/api/internal.h"
#include "src/util/log.h"

#include <string.h>
#include <sys/socket.h>

/*
 * Server-sent events (WHATWG HTML, "Server-sent events"): an answer without an end. Who has read
 * everything is suspended until there is more; who does not read is cut off.
 */

#define KEEPALIVE_SECONDS 15

struct stream {
    struct exchange *exchange;
    GString *pending; /* not yet taken by libmicrohttpd */
    bool ended;       /* nothing more is to come */
};

static ssize_t read_stream(void *data, uint64_t position, char *buffer, size_t max)
{
    (void)position;
    struct stream *stream = data;
    if (stream->exchange->gone) {
        return MHD_CONTENT_READER_END_WITH_ERROR;
    }
    gsize length = MIN(max, stream->pending->len);
    if (length > 0) {
        memcpy(buffer, stream->pending->str, length);
        g_string_erase(stream->pending, 0, length);
        return length;
    }
    if (stream->ended) {
        return MHD_CONTENT_READER_END_OF_STREAM;
    }
    exchange_suspend(stream->exchange);
    return 0;
}

static void cut_off(struct stream *stream)
{
    log_debug("a client that does not read its events is cut off");
    stream->exchange->gone = true;
    g_string_truncate(stream->pending, 0);
    exchange_resume(stream->exchange);
    shutdown(stream->exchange->fd, SHUT_RDWR);
}

static void push(struct stream *stream, const char *text)
{
    if (stream->exchange->gone) {
        return;
    }
    g_string_append(stream->pending, text);
    if (stream->pending->len > API_EVENTS_PENDING_MAX) {
        cut_off(stream);
    } else {
        exchange_resume(stream->exchange);
    }
}

static void push_to_all(struct api *api, const char *text)
{
    for (GSList *i = api->streams; i != NULL; i = i->next) {
        push(i->data, text);
    }
}

/* So that a peer that is gone without a word is found, and one that listens knows that we are not.
 */
static gboolean keep_alive(gpointer data)
{
    struct api *api = data;
    push_to_all(api, ": keep-alive\n\n");
    return G_SOURCE_CONTINUE;
}

static void add(struct api *api, struct stream *stream)
{
    api->streams = g_slist_append(api->streams, stream);
    if (api->keepalive == 0) {
        api->keepalive = g_timeout_add_seconds(KEEPALIVE_SECONDS, keep_alive, api);
    }
}

void events_serve(struct exchange *x)
{
    struct engine_view view;
    struct stream *stream = g_new0(struct stream, 1);
    *stream = (struct stream){.exchange = x, .pending = g_string_new(NULL)};
    x->stream = stream;
    add(x->api, stream);
    engine_look(x->api->engine, &view);
    g_autofree char *first = answer_event(ENGINE_NEWS_LIFECYCLE, &view);
    push(stream, first);
    if (x->api->exit_status >= 0) {
        events_tell_end(x->api);
    }
    struct MHD_Response *response =
        MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, 4096, read_stream, stream, NULL);
    MHD_add_response_header(response, "Content-Type", "text/event-stream");
    MHD_add_response_header(response, "Cache-Control", "no-store");
    exchange_respond(x, MHD_HTTP_OK, response);
}

void events_forget(struct exchange *x)
{
    struct stream *stream = x->stream;
    if (stream == NULL) {
        return;
    }
    struct api *api = x->api;
    x->stream = NULL;
    api->streams = g_slist_remove(api->streams, stream);
    if (api->streams == NULL) {
        g_clear_handle_id(&api->keepalive, g_source_remove);
    }
    g_string_free(stream->pending, TRUE);
    g_free(stream);
}

void events_tell(struct api *api, enum engine_news news)
{
    if (api->streams != NULL) {
        struct engine_view view;
        engine_look(api->engine, &view);
        g_autofree char *text = answer_event(news, &view);
        push_to_all(api, text);
    }
}

void events_tell_end(struct api *api)
{
    struct engine_view view;
    engine_look(api->engine, &view);
    g_autofree char *text = answer_end_event(&view, api->exit_status);
    for (GSList *i = api->streams; i != NULL; i = i->next) {
        struct stream *stream = i->data;
        if (!stream->ended) {
            stream->ended = true;
            push(stream, text);
        }
    }
}
