// SPDX-License-Identifier: LGPL-2.1-or-later
#include "src/engine/agent.h"
#include "src/engine/calls.h"
#include "src/util/error.h"

#include <string.h>

/*
 * A call is a step, or several: each is made by the thread, with what the call has for it, and ends
 * on the main loop in on_step_done(). For a command in the guest the first step starts it, and all
 * others ask whether it has ended.
 *
 * A step that is under way cannot be taken back. So a call that was forgotten, and an agent that
 * was destroyed, stay until the thread has no more to do with them.
 */

/* How long to wait before asking again: at first, and at most. */
#define ASK_AGAIN_MS 10
#define ASK_AGAIN_MAX_MS 500

enum kind { PING, FREEZE, THAW, ADDRESSES, EXEC };

struct agent {
    struct hypervisor *hypervisor;
    GThreadPool *thread;
    GPtrArray *calls; /* of struct agent_call */
    bool closing;     /* takes no more of them */
    bool destroyed;   /* to be freed with the last of them */
};

struct agent_call {
    struct agent *agent;
    enum kind kind;
    union {
        agent_done *simple;
        agent_exec_done *exec;
        agent_addresses_done *addresses;
    } done;
    void *data;
    bool forgotten;
    bool under_way; /* a step is the thread's */

    char *command; /* for the agent */
    char *reply;
    enum hypervisor_later later; /* where there is none */
    gint64 silent_since; /* µs, monotonic: the first step that was not answered; 0: all were */
    gint64 step_began_at;
    guint count;
    GPtrArray *interfaces;

    bool started; /* the command, as pid of: */
    struct agent_exec_result result;
    guint interval; /* ms */
    guint timer;    /* GSource ids; 0: none. For the next step, */
    guint overdue;  /* and for the end of its time. */
};

static void call_free(gpointer data)
{
    struct agent_call *call = data;
    if (call->timer != 0) {
        g_source_remove(call->timer);
    }
    if (call->overdue != 0) {
        g_source_remove(call->overdue);
    }
    g_free(call->command);
    g_free(call->reply);
    g_clear_pointer(&call->interfaces, g_ptr_array_unref);
    agent_exec_result_clear(&call->result);
    g_free(call);
}

struct agent *agent_create(struct hypervisor *hypervisor)
{
    struct agent *agent = g_new0(struct agent, 1);
    agent->hypervisor = hypervisor;
    agent->thread = calls_create(1);
    agent->calls = g_ptr_array_new_with_free_func(call_free);
    return agent;
}

static void free_if_over(struct agent *agent)
{
    if (agent->destroyed && agent->calls->len == 0) {
        g_thread_pool_free(agent->thread, FALSE, FALSE);
        g_ptr_array_unref(agent->calls);
        g_free(agent);
    }
}

/* Tells the caller, who may make another call, or forget one, in its callback. */
static void tell(struct agent_call *call, const GError *error)
{
    if (call->forgotten) {
        return;
    }
    call->forgotten = true;
    switch (call->kind) {
    case PING:
    case FREEZE:
    case THAW:
        call->done.simple(error == NULL ? call->count : 0, error, call->data);
        break;
    case ADDRESSES:
        call->done.addresses(error == NULL ? call->interfaces : NULL, error, call->data);
        break;
    case EXEC:
        call->done.exec(error == NULL ? &call->result : NULL, error, call->data);
        break;
    }
}

static void remove_call(struct agent_call *call)
{
    struct agent *agent = call->agent;
    g_ptr_array_remove_fast(agent->calls, call);
    free_if_over(agent);
}

static void finish_call(struct agent_call *call, const GError *error)
{
    tell(call, error);
    remove_call(call);
}

void agent_forget(struct agent_call *call)
{
    call->forgotten = true;
    if (!call->under_way) {
        remove_call(call);
    }
}

void agent_destroy(struct agent *agent)
{
    if (agent == NULL) {
        return;
    }
    g_autoptr(GError) error =
        g_error_new(ERROR_DOMAIN, ERROR_UNAVAILABLE, "the VM ends, and its guest agent with it");
    agent->closing = true;
    /* From the start after each: its callback may have forgotten others. */
    for (guint i = 0; i < agent->calls->len;) {
        struct agent_call *call = g_ptr_array_index(agent->calls, i);
        if (call->forgotten && call->under_way) {
            i++;
        } else {
            tell(call, error);
            if (!call->under_way) {
                g_ptr_array_remove_fast(agent->calls, call);
            }
            i = 0;
        }
    }
    agent->destroyed = true;
    free_if_over(agent);
}

/* --- steps --- */

static bool work_on_step(void *data, GError **error)
{
    struct agent_call *call = data;
    struct hypervisor *hypervisor = call->agent->hypervisor;
    switch (call->kind) {
    case PING:
    case EXEC:
        call->reply = hypervisor_ask_agent(hypervisor, call->command,
                                           call->started ? AGENT_LONG_PATIENCE_S : AGENT_PATIENCE_S,
                                           &call->later, error);
        return call->reply != NULL;
    case FREEZE:
        return hypervisor_freeze(hypervisor, AGENT_LONG_PATIENCE_S, &call->count, error);
    case THAW:
        return hypervisor_thaw(hypervisor, AGENT_LONG_PATIENCE_S, &call->count, error);
    case ADDRESSES:
        call->interfaces = hypervisor_interfaces(hypervisor, AGENT_PATIENCE_S, error);
        return call->interfaces != NULL;
    }
    return false;
}

static call_done on_step_done;

static void take_step(struct agent_call *call)
{
    g_clear_pointer(&call->reply, g_free);
    call->later = HYPERVISOR_NEVER;
    call->step_began_at = g_get_monotonic_time();
    call->under_way = true;
    calls_push(call->agent->thread, work_on_step, on_step_done, call);
}

static gboolean on_timer(gpointer data)
{
    struct agent_call *call = data;
    call->timer = 0;
    take_step(call);
    return G_SOURCE_REMOVE;
}

/* It still runs, or who could tell cannot now. */
static void ask_again_later(struct agent_call *call)
{
    call->timer = g_timeout_add(call->interval, on_timer, call);
    call->interval = MIN(call->interval * 2, ASK_AGAIN_MAX_MS);
}

static bool take_reply(struct agent_call *call, bool *over, GError **error)
{
    if (call->started) {
        return agent_exec_decode_status(call->reply, over, &call->result, error);
    }
    *over = false;
    call->started = true;
    if (!agent_exec_decode_start(call->reply, &call->result.pid, error)) {
        return false;
    }
    g_free(call->command);
    call->command = agent_exec_encode_status(call->result.pid);
    return true;
}

/* The agent will not tell any more what became of the command. */
static GError *lost(const struct agent_call *call, const GError *error)
{
    return g_error_new(error->domain, error->code,
                       "the command was started, with pid %" G_GINT64_FORMAT
                       " in the guest, and lost: %s (more than 7 MiB of output break the "
                       "connection, too)",
                       call->result.pid, error->message);
}

/* Who is only slow has a minute. */
static bool may_ask_again(struct agent_call *call)
{
    if (call->later != HYPERVISOR_PERHAPS) {
        call->silent_since = 0;
    } else if (call->silent_since == 0) {
        call->silent_since = call->step_began_at;
    }
    return call->later == HYPERVISOR_LATER ||
           (call->later == HYPERVISOR_PERHAPS &&
            g_get_monotonic_time() - call->silent_since < AGENT_LONG_PATIENCE_S * G_USEC_PER_SEC);
}

static void on_step_done(void *data, GError *error)
{
    struct agent_call *call = data;
    call->under_way = false;
    g_autoptr(GError) local = NULL;
    if (may_ask_again(call) && call->started && !call->forgotten) {
        ask_again_later(call);
        return;
    }
    if (error != NULL && call->started) {
        error = local = lost(call, error);
    }
    if (call->forgotten || error != NULL || call->kind != EXEC) {
        finish_call(call, error);
        return;
    }
    bool over;
    if (!take_reply(call, &over, &local) || over) {
        finish_call(call, local);
    } else {
        ask_again_later(call);
    }
}

/* Nobody waits any longer, not for the agent either. */
static gboolean on_overdue(gpointer data)
{
    struct agent_call *call = data;
    call->overdue = 0;
    call->result.end = AGENT_EXEC_TIMED_OUT;
    if (call->under_way) {
        tell(call, NULL);
    } else {
        finish_call(call, NULL);
    }
    return G_SOURCE_REMOVE;
}

/* --- calls --- */

/* NULL and @error: there are too many. */
static struct agent_call *new_call(struct agent *agent, enum kind kind, void *data, GError **error)
{
    if (agent->closing) {
        g_set_error(error, ERROR_DOMAIN, ERROR_UNAVAILABLE, "the VM ends");
        return NULL;
    }
    if (agent->calls->len >= AGENT_CALLS_MAX) {
        g_set_error(error, ERROR_DOMAIN, ERROR_BUSY,
                    "%d requests to the guest agent are under way already; try again later",
                    AGENT_CALLS_MAX);
        return NULL;
    }
    struct agent_call *call = g_new0(struct agent_call, 1);
    call->agent = agent;
    call->kind = kind;
    call->data = data;
    g_ptr_array_add(agent->calls, call);
    return call;
}

static struct agent_call *start_simple(struct agent *agent, enum kind kind, agent_done *done,
                                       void *data, GError **error)
{
    struct agent_call *call = new_call(agent, kind, data, error);
    if (call != NULL) {
        call->done.simple = done;
        call->command = kind == PING ? g_strdup("{\"execute\":\"guest-ping\"}") : NULL;
        take_step(call);
    }
    return call;
}

struct agent_call *agent_ping(struct agent *agent, agent_done *done, void *data, GError **error)
{
    return start_simple(agent, PING, done, data, error);
}

struct agent_call *agent_freeze(struct agent *agent, agent_done *done, void *data, GError **error)
{
    return start_simple(agent, FREEZE, done, data, error);
}

struct agent_call *agent_thaw(struct agent *agent, agent_done *done, void *data, GError **error)
{
    return start_simple(agent, THAW, done, data, error);
}

struct agent_call *agent_addresses(struct agent *agent, agent_addresses_done *done, void *data,
                                   GError **error)
{
    struct agent_call *call = new_call(agent, ADDRESSES, data, error);
    if (call != NULL) {
        call->done.addresses = done;
        take_step(call);
    }
    return call;
}

struct agent_call *agent_exec(struct agent *agent, const struct agent_exec_request *request,
                              agent_exec_done *done, void *data, GError **error)
{
    if (!agent_exec_request_check(request, error)) {
        return NULL;
    }
    g_autofree char *command = agent_exec_encode_start(request);
    if (strlen(command) > AGENT_EXEC_MESSAGE_MAX) {
        g_set_error(error, ERROR_DOMAIN, ERROR_USAGE,
                    "a command for the guest's agent can have %zu bytes with its environment and "
                    "its standard input, and this one has %zu",
                    AGENT_EXEC_MESSAGE_MAX, strlen(command));
        return NULL;
    }
    struct agent_call *call = new_call(agent, EXEC, data, error);
    if (call != NULL) {
        call->done.exec = done;
        call->command = g_steal_pointer(&command);
        call->interval = ASK_AGAIN_MS;
        if (request->timeout_ms > 0) {
            call->overdue = g_timeout_add(request->timeout_ms, on_overdue, call);
        }
        take_step(call);
    }
    return call;
}
