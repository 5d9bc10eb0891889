// SPDX-License-Identifier: LGPL-2.1-or-later
#include "src/api/internal.h"
#include "src/api/metrics.h"

/*
 * What monitoring asks for: probes, answered at once, and metrics. For these libvirt is asked, for
 * all who wait at the same time once; where it does not answer in time, or has not answered an
 * earlier question, they are told without.
 */

#define TEXT "text/plain; charset=utf-8"
#define METRICS "text/plain; version=0.0.4; charset=utf-8"

static void serve_probe(struct exchange *x, const char *yes, const char *no)
{
    struct engine_health health;
    engine_look_at_health(x->api->engine, &health);
    bool ok = x->request.resource == API_HEALTHZ ? health.live : health.ready;
    g_autofree char *reasons = g_strjoinv("; ", health.reasons);
    g_autofree char *line =
        ok ? g_strconcat(yes, "\n", NULL) : g_strconcat(no, ": ", reasons, "\n", NULL);
    exchange_say(x, ok ? MHD_HTTP_OK : MHD_HTTP_SERVICE_UNAVAILABLE, TEXT, line);
    engine_health_clear(&health);
}

/* @statistics: NULL: they are not known. */
static void tell_metrics(struct exchange *x, GVariant *statistics)
{
    struct engine_view view;
    struct engine_health health;
    engine_look(x->api->engine, &view);
    engine_look_at_health(x->api->engine, &health);
    g_autofree char *text = metrics_format(&view, &health, statistics);
    exchange_say(x, MHD_HTTP_OK, METRICS, text);
    engine_health_clear(&health);
}

static void stop_waiting(struct exchange *x)
{
    g_clear_handle_id(&x->overdue, g_source_remove);
    x->api->scrapes = g_slist_remove(x->api->scrapes, x);
}

static void tell_all(struct api *api, GVariant *statistics)
{
    while (api->scrapes != NULL) {
        struct exchange *x = api->scrapes->data;
        stop_waiting(x);
        tell_metrics(x, statistics);
    }
}

static void on_statistics(void *data, GVariant *result, const GError *error)
{
    (void)error;
    struct api *api = data;
    api->statistics_asked = false;
    tell_all(api, result);
}

static gboolean on_overdue(gpointer data)
{
    struct exchange *x = data;
    x->overdue = 0;
    stop_waiting(x);
    tell_metrics(x, NULL);
    return G_SOURCE_REMOVE;
}

static bool is_overdue(const struct api *api)
{
    return g_get_monotonic_time() - api->statistics_asked_at > API_SCRAPE_MS * 1000;
}

static void serve_metrics(struct exchange *x)
{
    struct api *api = x->api;
    if (!api->statistics_asked) {
        api->statistics_asked_at = g_get_monotonic_time();
        api->statistics_asked =
            engine_question(api->engine, ENGINE_STATISTICS, on_statistics, api, NULL);
    }
    if (!api->statistics_asked || is_overdue(api)) {
        tell_metrics(x, NULL);
        return;
    }
    api->scrapes = g_slist_prepend(api->scrapes, x);
    exchange_suspend(x);
    x->overdue = g_timeout_add(API_SCRAPE_MS, on_overdue, x);
}

void scrape_serve(struct exchange *x)
{
    switch (x->request.resource) {
    case API_HEALTHZ:
        serve_probe(x, "live", "not live");
        break;
    case API_READYZ:
        serve_probe(x, "ready", "not ready");
        break;
    default:
        serve_metrics(x);
    }
}

void scrape_forget(struct exchange *x)
{
    x->api->scrapes = g_slist_remove(x->api->scrapes, x);
}

void scrape_tell_end(struct api *api)
{
    tell_all(api, NULL);
}
