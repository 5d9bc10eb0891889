// SPDX-License-Identifier: LGPL-2.1-or-later
#include "src/engine/calls.h"
#include "src/util/sync.h"

struct call {
    call_work *work;
    call_done *done;
    void *data;
    GError *error;
};

static gboolean finish_call(gpointer data)
{
    struct call *call = data;
    sync_take(call);
    call->done(call->data, call->error);
    g_clear_error(&call->error);
    g_free(call);
    return G_SOURCE_REMOVE;
}

static void work_on_call(gpointer data, gpointer user_data)
{
    (void)user_data;
    struct call *call = data;
    sync_take(call);
    call->work(call->data, &call->error);
    sync_give(call);
    g_idle_add_full(G_PRIORITY_HIGH, finish_call, call, NULL);
}

GThreadPool *calls_create(int threads)
{
    return g_thread_pool_new(work_on_call, NULL, threads, FALSE, NULL);
}

void calls_push(GThreadPool *calls, call_work *work, call_done *done, void *data)
{
    struct call *call = g_new0(struct call, 1);
    *call = (struct call){.work = work, .done = done, .data = data};
    sync_give(call);
    g_thread_pool_push(calls, call, NULL);
}
