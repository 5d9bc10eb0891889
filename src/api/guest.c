// SPDX-License-Identifier: LGPL-2.1-or-later
#include "src/api/agent_json.h"
#include "src/api/internal.h"
#include "src/util/error.h"

/* What the guest's agent is asked for. Who hangs up is forgotten; a command in the guest runs on.
 */

static void forget_call(struct exchange *x)
{
    x->call = NULL;
    x->api->calling = g_slist_remove(x->api->calling, x);
}

static void refuse(struct exchange *x, const GError *error)
{
    if (error->code == ERROR_USAGE) {
        exchange_answer(x, MHD_HTTP_UNPROCESSABLE_CONTENT,
                        agent_json_encode_refusal(error->message));
    } else {
        exchange_refuse(x, MHD_HTTP_SERVICE_UNAVAILABLE, error->message);
    }
}

static void on_executed(const struct agent_exec_result *result, const GError *error, void *data)
{
    struct exchange *x = data;
    forget_call(x);
    if (error != NULL) {
        refuse(x, error);
    } else {
        exchange_answer(x, MHD_HTTP_OK, agent_json_encode_result(result));
    }
}

static void on_counted(guint count, const GError *error, void *data)
{
    struct exchange *x = data;
    forget_call(x);
    if (error != NULL) {
        refuse(x, error);
    } else {
        exchange_answer(x, MHD_HTTP_OK, agent_json_encode_count(count));
    }
}

static void on_addresses(const GPtrArray *interfaces, const GError *error, void *data)
{
    struct exchange *x = data;
    forget_call(x);
    if (error != NULL) {
        refuse(x, error);
    } else {
        exchange_answer(x, MHD_HTTP_OK, agent_json_encode_addresses(interfaces));
    }
}

static struct agent_call *ask(struct exchange *x, struct agent *agent, GError **error)
{
    switch (x->request.resource) {
    case API_ADDRESSES:
        return agent_addresses(agent, on_addresses, x, error);
    case API_FREEZE:
        return agent_freeze(agent, on_counted, x, error);
    case API_THAW:
        return agent_thaw(agent, on_counted, x, error);
    default:
        return agent_exec(agent, &x->request.exec, on_executed, x, error);
    }
}

void guest_serve(struct exchange *x)
{
    g_autoptr(GError) error = NULL;
    struct agent *agent = engine_agent(x->api->engine, &error);
    if (agent == NULL && error->code == ERROR_UNAVAILABLE) {
        exchange_refuse(x, MHD_HTTP_CONFLICT, error->message);
        return;
    }
    x->call = agent != NULL ? ask(x, agent, &error) : NULL;
    if (x->call == NULL) {
        refuse(x, error);
        return;
    }
    x->api->calling = g_slist_prepend(x->api->calling, x);
    exchange_suspend(x);
}

void guest_forget(struct exchange *x)
{
    if (x->call != NULL) {
        agent_forget(x->call);
        forget_call(x);
    }
}

void guest_tell_end(struct api *api)
{
    while (api->calling != NULL) {
        struct exchange *x = api->calling->data;
        guest_forget(x);
        exchange_refuse(x, MHD_HTTP_SERVICE_UNAVAILABLE,
                        "the VM has ended, and its guest agent with it");
    }
}
