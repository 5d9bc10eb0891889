// SPDX-License-Identifier: LGPL-2.1-or-later
#include "src/engine/control.h"
#include "src/engine/calls.h"
#include "src/engine/internal.h"
#include "src/util/error.h"

/*
 * A request goes to the table as a signal does. Whatever follows from it is pushed to the engine's
 * pool of requests, which has one thread: a call that does nothing, pushed behind it, is done when
 * it is, and on_called() in between has noted how that went.
 */

/* --- to look --- */

void engine_observe(struct engine *e, const struct engine_observer *observer)
{
    e->control.observers = g_slist_append(e->control.observers, (gpointer)observer);
}

void control_tell(struct engine *e, enum engine_news news)
{
    if (news == ENGINE_NEWS_REBOOTED) {
        health_note_reboot(e);
    } else {
        health_note(e);
    }
    for (GSList *i = e->control.observers; i != NULL; i = i->next) {
        const struct engine_observer *observer = i->data;
        observer->news(news, observer->data);
    }
}

void control_output(const char *bytes, gsize length, void *data)
{
    struct engine *e = data;
    health_output(e, bytes, length);
    for (GSList *i = e->control.observers; i != NULL; i = i->next) {
        const struct engine_observer *observer = i->data;
        observer->output(bytes, length, observer->data);
    }
}

void engine_look(const struct engine *e, struct engine_view *view)
{
    bool ended = e->legacy->state == LIFECYCLE_ENDED;
    *view = (struct engine_view){
        .state = e->legacy->state,
        .status = ended ? INSTANCE_STOPPED : e->instance.status,
        .guest_ran = e->legacy->facts.guest_ran,
        .agent_connected = e->legacy->agent_connected && !ended,
        .qemu = ended ? 0 : e->legacy->qemu,
        .engines_lost = e->legacy->engines_lost,
        .ms_since_start = engine_ms_since(e->config->started_at),
    };
}

char *engine_describe(const struct engine *e)
{
    struct engine_view view;
    engine_look(e, &view);
    return e->config->hooks->state(view.status, view.qemu, e->config->hooks->data);
}

/* --- to ask the VM --- */

struct asked {
    struct engine *engine;
    engine_answer *answer;
    void *data;
    enum engine_question question;
    pid_t qemu;
    GVariant *result;
};

void control_called(struct engine *e, const GError *error)
{
    g_clear_error(&e->control.last_error);
    e->control.last_error = error != NULL ? g_error_copy(error) : NULL;
}

static bool do_nothing(void *data, GError **error)
{
    (void)data;
    (void)error;
    return true;
}

static void on_asked(void *data, GError *error)
{
    struct asked *asked = data;
    (void)error;
    asked->answer(asked->data, NULL, asked->engine->control.last_error);
    g_free(asked);
}

/* Nobody else had to be asked. */
static void on_noted(void *data, GError *error)
{
    struct asked *asked = data;
    (void)error;
    asked->answer(asked->data, NULL, NULL);
    g_free(asked);
}

/* A guest that was paused for want of room would go on by itself. */
static bool is_to_stay_paused(const struct engine *e, enum engine_request request)
{
    return request == ENGINE_PAUSE && e->legacy->state == LIFECYCLE_PAUSED &&
           !e->legacy->pause_asked;
}

bool engine_ask(struct engine *e, enum engine_request request, engine_answer *answer, void *data)
{
    static const enum lifecycle_event events[] = {
        [ENGINE_PAUSE] = LIFECYCLE_PAUSE,
        [ENGINE_RESUME] = LIFECYCLE_RESUME,
        [ENGINE_REBOOT] = LIFECYCLE_REBOOT,
        [ENGINE_RESET] = LIFECYCLE_RESET,
    };
    struct lifecycle_step step = lifecycle_step(e->legacy->state, events[request]);
    bool noted = is_to_stay_paused(e, request);
    if (step.actions == 0 && !noted) {
        return false;
    }
    engine_request(e, request);
    struct asked *asked = g_new0(struct asked, 1);
    *asked = (struct asked){.engine = e, .answer = answer, .data = data};
    calls_push(e->requests, do_nothing, noted ? on_noted : on_asked, asked);
    return true;
}

void engine_stop(struct engine *e, gint64 timeout_ms)
{
    if (!e->legacy->facts.stop_asked) {
        if (timeout_ms >= 0) {
            e->legacy->stop_timeout_ms = timeout_ms;
        }
        engine_begin_stop(e, g_get_monotonic_time());
    } else if (timeout_ms >= 0) {
        e->legacy->stop_timeout_ms = engine_ms_since(e->legacy->stop_asked_at) + timeout_ms;
        if (e->legacy->state == LIFECYCLE_ABORTING || e->legacy->state == LIFECYCLE_STOPPING ||
            e->legacy->state == LIFECYCLE_LEAVING) {
            engine_renew_deadline(e);
        }
    }
}

gsize engine_type(struct engine *e, const void *bytes, gsize length)
{
    return e->console != NULL ? console_type(e->console, bytes, length) : 0;
}

/* --- to ask libvirt --- */

static bool call_question(void *data, GError **error)
{
    struct asked *asked = data;
    struct hypervisor *hypervisor = asked->engine->hypervisor;
    asked->result = asked->question == ENGINE_STATISTICS
                        ? hypervisor_statistics(hypervisor, asked->qemu, error)
                        : hypervisor_xml(hypervisor, error);
    return asked->result != NULL;
}

static void on_answered(void *data, GError *error)
{
    struct asked *asked = data;
    asked->engine->control.questions--;
    asked->answer(asked->data, asked->result, error);
    g_clear_pointer(&asked->result, g_variant_unref);
    g_free(asked);
}

static bool can_be_asked(const struct engine *e, GError **error)
{
    /* e->legacy->qemu is set on this thread, after the worker's last use of the hypervisor. */
    if (e->legacy->qemu == 0 || e->legacy->state == LIFECYCLE_ENDED) {
        g_set_error(error, ERROR_DOMAIN, ERROR_UNAVAILABLE, "there is no VM %s",
                    e->legacy->state == LIFECYCLE_ENDED ? "any more" : "yet");
        return false;
    }
    if (e->taking_over) {
        g_set_error(error, ERROR_DOMAIN, ERROR_BUSY, "the VM is being taken over; ask again");
        return false;
    }
    return true;
}

struct agent *engine_agent(const struct engine *e, GError **error)
{
    return can_be_asked(e, error) ? e->agent : NULL;
}

bool engine_question(struct engine *e, enum engine_question question, engine_answer *answer,
                     void *data, GError **error)
{
    if (!can_be_asked(e, error)) {
        return false;
    }
    if (e->control.questions >= ENGINE_QUESTIONS_MAX) {
        g_set_error(error, ERROR_DOMAIN, ERROR_BUSY,
                    "%d such questions wait for QEMU's answer already", ENGINE_QUESTIONS_MAX);
        return false;
    }
    if (e->control.asking == NULL) {
        e->control.asking = calls_create(1);
    }
    struct asked *asked = g_new0(struct asked, 1);
    *asked = (struct asked){
        .engine = e, .answer = answer, .data = data, .question = question, .qemu = e->legacy->qemu};
    e->control.questions++;
    calls_push(e->control.asking, call_question, on_answered, asked);
    return true;
}
