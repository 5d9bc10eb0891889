// SPDX-License-Identifier: LGPL-2.1-or-later
#include "src/engine/control.h"
#include "src/engine/internal.h"
#include "src/engine/probe.h"
#include "src/util/log.h"

/*
 * Whether the VM is alive, and ready, follows from what is known here already: to say so nobody has
 * to be asked. That it has been ready, and what was seen on the console, outlives this engine.
 */

/* Then a line without an end counts, too. */
#define REST_MS 200

static const char *const why_not[] = {
    [LIFECYCLE_CREATING] = "the VM is being made",
    [LIFECYCLE_ABORTING] = "the start is being ended",
    [LIFECYCLE_PREPARING] = "the hooks before the guest's start run",
    [LIFECYCLE_RUNNING] = "the guest's CPUs do not run yet",
    [LIFECYCLE_PAUSED] = "the guest is paused",
    [LIFECYCLE_STOPPING] = "the guest is being stopped",
    [LIFECYCLE_LEAVING] = "the guest has powered off, or crashed",
    [LIFECYCLE_TERMINATING] = "the VM is being ended",
    [LIFECYCLE_KILLING] = "the VM is being ended",
    [LIFECYCLE_ENDED] = "the VM has ended",
};
G_STATIC_ASSERT(G_N_ELEMENTS(why_not) == LIFECYCLE_STATES);

static bool runs(const struct engine *e)
{
    return e->legacy->state == LIFECYCLE_RUNNING && e->legacy->facts.guest_ran;
}

/* Of a guest that runs. */
static bool has_what_is_waited_for(const struct engine *e)
{
    switch (e->config->ready) {
    case ENGINE_READY_AGENT:
        return e->legacy->agent_connected;
    case ENGINE_READY_CONSOLE:
        return e->legacy->console.seen;
    case ENGINE_READY_PORT:
        return e->health.port_accepts;
    case ENGINE_READY_RUNNING:
        break;
    }
    return true;
}

static char *reason(const struct engine *e)
{
    if (!runs(e)) {
        return g_strdup(why_not[e->legacy->state]);
    }
    if (e->config->ready == ENGINE_READY_AGENT) {
        return g_strdup("no guest agent is connected");
    }
    if (e->config->ready == ENGINE_READY_PORT) {
        return g_strdup_printf("nothing in the guest accepts connections that come to port %u, and "
                               "answers, or closes when the other side does, within %d s",
                               e->config->spec->ready_port, PROBE_PATIENCE_S);
    }
    return g_strdup_printf("the console has not shown a line that matches \"%s\"",
                           e->config->ready_pattern);
}

void engine_look_at_health(const struct engine *e, struct engine_health *health)
{
    *health = (struct engine_health){
        .live = e->legacy->state < LIFECYCLE_LEAVING,
        .ready = runs(e) && has_what_is_waited_for(e),
        .started = e->legacy->was_ready,
        .reasons = g_new0(char *, 2),
    };
    if (!health->ready) {
        health->reasons[0] = reason(e);
    }
}

void engine_health_clear(struct engine_health *health)
{
    g_strfreev(health->reasons);
    *health = (struct engine_health){0};
}

void health_note(struct engine *e)
{
    if (!e->legacy->was_ready && runs(e) && has_what_is_waited_for(e)) {
        e->legacy->was_ready = true;
        log_debug("the guest is ready");
    }
}

/* What it has written before says nothing about what it boots now. */
void health_note_reboot(struct engine *e)
{
    bool seen = e->legacy->console.seen;
    if (e->health.watch != NULL) {
        watch_forget(e->health.watch);
    }
    if (seen) {
        start_note(e);
    }
}

static void note_if_seen(struct engine *e, bool seen)
{
    if (seen) {
        log_info("the console has shown what the setting ready waits for");
        health_note(e);
        start_note(e);
    }
}

static gboolean on_rest(gpointer data)
{
    struct engine *e = data;
    double left_ms = REST_MS - engine_ms_since(e->health.output_at);
    if (left_ms > 0) {
        e->health.rest = g_timeout_add((guint)left_ms + 1, on_rest, e);
    } else {
        e->health.rest = 0;
        note_if_seen(e, watch_look_at_rest(e->health.watch));
    }
    return G_SOURCE_REMOVE;
}

void health_output(struct engine *e, const char *bytes, gsize length)
{
    if (e->health.watch == NULL || e->legacy->console.seen) {
        return;
    }
    note_if_seen(e, watch_feed(e->health.watch, bytes, length));
    e->health.output_at = g_get_monotonic_time();
    if (e->health.rest == 0 && !e->legacy->console.seen) {
        e->health.rest = g_timeout_add(REST_MS, on_rest, e);
    }
}

static void on_port(bool accepts, void *data)
{
    struct engine *e = data;
    e->health.port_accepts = accepts;
    log_info("the guest %s connections to port %u", accepts ? "accepts" : "does not accept",
             e->config->spec->ready_port);
    health_note(e);
}

void health_begin(struct engine *e)
{
    if (e->config->ready == ENGINE_READY_PORT) {
        probe_create(e->config->spec->ready_address, e->config->spec->ready_port, on_port, e);
    }
    if (e->config->ready == ENGINE_READY_CONSOLE) {
        e->health.watch = watch_create(e->config->ready_pattern, &e->legacy->console);
    }
}
