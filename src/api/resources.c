// SPDX-License-Identifier: LGPL-2.1-or-later
#include "src/api/internal.h"
#include "src/util/error.h"

#include <string.h>

/* What waits for libvirt; it may outlive the exchange that asked. */
struct question {
    struct exchange *exchange; /* NULL: nobody waits any more */
};

static enum lifecycle_state lifecycle(const struct api *api)
{
    struct engine_view view;
    engine_look(api->engine, &view);
    return view.state;
}

static void serve_state(struct exchange *x)
{
    struct engine_view view;
    engine_look(x->api->engine, &view);
    char *description = engine_describe(x->api->engine);
    exchange_answer(x, MHD_HTTP_OK, answer_state(description, &view, x->api->exit_status));
    free(description); /* jansson's */
}

static void serve_health(struct exchange *x)
{
    struct engine_health health;
    engine_look_at_health(x->api->engine, &health);
    exchange_answer(x, MHD_HTTP_OK, answer_health(&health));
    engine_health_clear(&health);
}

static void serve_wait(struct exchange *x)
{
    if (x->api->exit_status >= 0) {
        exchange_answer(x, MHD_HTTP_OK, answer_exit(x->api->exit_status));
        return;
    }
    x->api->waiting = g_slist_prepend(x->api->waiting, x);
    exchange_suspend(x);
}

void resource_tell_end(struct api *api)
{
    for (GSList *i = api->waiting; i != NULL; i = i->next) {
        exchange_answer(i->data, MHD_HTTP_OK, answer_exit(api->exit_status));
    }
    g_clear_slist(&api->waiting, NULL);
}

/* --- what libvirt has to be asked for --- */

static void forget_question(struct exchange *x)
{
    g_clear_handle_id(&x->overdue, g_source_remove);
    if (x->question != NULL) {
        x->question->exchange = NULL;
        x->question = NULL;
    }
}

static gboolean on_overdue(gpointer data)
{
    struct exchange *x = data;
    x->overdue = 0;
    forget_question(x);
    exchange_refuse(x, MHD_HTTP_GATEWAY_TIMEOUT,
                    "QEMU has not answered in time; what was asked for may still be done");
    return G_SOURCE_REMOVE;
}

static struct question *ask(struct exchange *x)
{
    x->question = g_new0(struct question, 1);
    x->question->exchange = x;
    return x->question;
}

static void wait_for_answer(struct exchange *x)
{
    exchange_suspend(x);
    x->overdue = g_timeout_add_seconds(API_ANSWER_SECONDS, on_overdue, x);
}

static void answer_with_result(struct exchange *x, GVariant *result)
{
    if (x->request.resource == API_STATS) {
        exchange_answer(x, MHD_HTTP_OK, answer_statistics(result));
        return;
    }
    gsize length;
    const char *xml = g_variant_get_string(result, &length);
    struct MHD_Response *response =
        MHD_create_response_from_buffer(length, (void *)xml, MHD_RESPMEM_MUST_COPY);
    MHD_add_response_header(response, "Content-Type", "application/xml");
    exchange_respond(x, MHD_HTTP_OK, response);
}

static void on_answer(void *data, GVariant *result, const GError *error)
{
    struct question *question = data;
    struct exchange *x = question->exchange;
    if (x != NULL) {
        forget_question(x);
        if (error != NULL) {
            exchange_refuse(x, MHD_HTTP_INTERNAL_SERVER_ERROR, error->message);
        } else if (result != NULL) {
            answer_with_result(x, result);
        } else {
            exchange_answer(x, MHD_HTTP_OK, answer_lifecycle(lifecycle(x->api)));
        }
    }
    g_free(question);
}

static void serve_question(struct exchange *x, enum engine_question question)
{
    g_autoptr(GError) error = NULL;
    if (engine_question(x->api->engine, question, on_answer, ask(x), &error)) {
        wait_for_answer(x);
        return;
    }
    g_clear_pointer(&x->question, g_free);
    exchange_refuse(x, error->code == ERROR_BUSY ? MHD_HTTP_SERVICE_UNAVAILABLE : MHD_HTTP_CONFLICT,
                    error->message);
}

static void serve_request(struct exchange *x, enum engine_request request)
{
    if (engine_ask(x->api->engine, request, on_answer, ask(x))) {
        wait_for_answer(x);
        return;
    }
    g_clear_pointer(&x->question, g_free);
    const char *name = strrchr(request_path(x->request.resource), '/') + 1;
    exchange_answer(x, MHD_HTTP_CONFLICT, answer_refusal(name, lifecycle(x->api)));
}

/* --- what the table does at once, whatever QEMU and libvirt do --- */

static void serve_stop(struct exchange *x)
{
    const struct request *request = &x->request;
    engine_stop(x->api->engine, request->timeout_set ? (gint64)request->timeout_ms : -1);
    exchange_answer(x, MHD_HTTP_ACCEPTED, answer_lifecycle(lifecycle(x->api)));
}

static void serve_kill(struct exchange *x)
{
    engine_request(x->api->engine, ENGINE_FORCE);
    exchange_answer(x, MHD_HTTP_ACCEPTED, answer_lifecycle(lifecycle(x->api)));
}

bool resource_lasts(enum api_resource resource)
{
    return resource == API_CONSOLE || resource == API_EVENTS || resource == API_EXEC ||
           resource == API_WAIT;
}

/* Of consoles there are few by themselves. */
static bool has_room_for(const struct exchange *x)
{
    const struct api *api = x->api;
    return !resource_lasts(x->request.resource) || x->request.resource == API_CONSOLE ||
           g_slist_length(api->streams) + g_slist_length(api->calling) +
                   g_slist_length(api->waiting) <
               API_LASTING_MAX;
}

void resource_serve(struct exchange *x)
{
    if (!has_room_for(x)) {
        g_autofree char *message =
            g_strdup_printf("%d requests that may take long are under way already; try again later",
                            API_LASTING_MAX);
        exchange_refuse(x, MHD_HTTP_SERVICE_UNAVAILABLE, message);
        return;
    }
    switch (x->request.resource) {
    case API_ADDRESSES:
    case API_EXEC:
    case API_FREEZE:
    case API_THAW:
        guest_serve(x);
        break;
    case API_CONSOLE:
        attach_serve(x);
        break;
    case API_EVENTS:
        events_serve(x);
        break;
    case API_HEALTH:
        serve_health(x);
        break;
    case API_HEALTHZ:
    case API_METRICS:
    case API_READYZ:
        scrape_serve(x);
        break;
    case API_KILL:
        serve_kill(x);
        break;
    case API_PAUSE:
        serve_request(x, ENGINE_PAUSE);
        break;
    case API_REBOOT:
        serve_request(x, ENGINE_REBOOT);
        break;
    case API_RESET:
        serve_request(x, ENGINE_RESET);
        break;
    case API_RESUME:
        serve_request(x, ENGINE_RESUME);
        break;
    case API_STATE:
        serve_state(x);
        break;
    case API_STATS:
        serve_question(x, ENGINE_STATISTICS);
        break;
    case API_STOP:
        serve_stop(x);
        break;
    case API_WAIT:
        serve_wait(x);
        break;
    case API_XML:
        serve_question(x, ENGINE_XML);
        break;
    case API_RESOURCES_OF_BOTH:
        g_assert_not_reached();
    }
}

void resource_forget(struct exchange *x)
{
    forget_question(x);
    x->api->waiting = g_slist_remove(x->api->waiting, x);
    events_forget(x);
    guest_forget(x);
    scrape_forget(x);
}
