// SPDX-License-Identifier: LGPL-2.1-or-later
#include "src/api/answer.h"

#include <jansson.h>
#include <stdlib.h>

/* Takes @json. */
static char *format(json_t *json)
{
    char *text = json_dumps(json, JSON_COMPACT);
    json_decref(json);
    return text;
}

char *answer_error(const char *message)
{
    g_autofree char *valid = g_utf8_make_valid(message, -1);
    return format(json_pack("{s:s}", "error", valid));
}

char *answer_refusal(const char *what, enum lifecycle_state state)
{
    const char *name = lifecycle_state_name(state);
    g_autofree char *message =
        g_strdup_printf("the VM is %s, and %s is not possible now", name, what);
    return format(json_pack("{s:s,s:s}", "error", message, "lifecycle", name));
}

char *answer_lifecycle(enum lifecycle_state state)
{
    return format(json_pack("{s:s}", "lifecycle", lifecycle_state_name(state)));
}

char *answer_exit(int exit_status)
{
    return format(json_pack("{s:i}", "exit-status", exit_status));
}

char *answer_state(const char *description, const struct engine_view *view, int exit_status)
{
    json_t *state = json_loads(description, 0, NULL);
    json_t *vm = json_pack("{s:s,s:b,s:b,s:I}", "lifecycle", lifecycle_state_name(view->state),
                           "guest-ran", view->guest_ran, "agent-connected", view->agent_connected,
                           "ms-since-start", (json_int_t)view->ms_since_start);
    if (view->qemu > 0) {
        json_object_set_new(vm, "qemu-pid", json_integer(view->qemu));
    }
    if (exit_status >= 0) {
        json_object_set_new(vm, "exit-status", json_integer(exit_status));
    }
    json_object_set_new(state, "vm", vm);
    return format(state);
}

char *answer_health(const struct engine_health *health)
{
    json_t *reasons = json_array();
    for (char **reason = health->reasons; *reason != NULL; reason++) {
        g_autofree char *valid = g_utf8_make_valid(*reason, -1);
        json_array_append_new(reasons, json_string(valid));
    }
    return format(json_pack("{s:b,s:b,s:b,s:o}", "live", health->live, "ready", health->ready,
                            "started", health->started, "reasons", reasons));
}

/* JSON's integers are 64 bits with a sign here; libvirt has some that are not. */
static json_t *number(guint64 value)
{
    return value <= G_MAXINT64 ? json_integer(value) : json_real((double)value);
}

static json_t *statistic(GVariant *value)
{
    switch (g_variant_classify(value)) {
    case G_VARIANT_CLASS_INT32:
        return json_integer(g_variant_get_int32(value));
    case G_VARIANT_CLASS_UINT32:
        return json_integer(g_variant_get_uint32(value));
    case G_VARIANT_CLASS_INT64:
        return json_integer(g_variant_get_int64(value));
    case G_VARIANT_CLASS_UINT64:
        return number(g_variant_get_uint64(value));
    case G_VARIANT_CLASS_DOUBLE:
        return json_real(g_variant_get_double(value));
    case G_VARIANT_CLASS_BOOLEAN:
        return json_boolean(g_variant_get_boolean(value));
    default:
        return json_string(g_variant_get_string(value, NULL));
    }
}

char *answer_statistics(GVariant *statistics)
{
    json_t *object = json_object();
    GVariantIter iterator;
    const char *name;
    GVariant *value;
    g_variant_iter_init(&iterator, statistics);
    while (g_variant_iter_loop(&iterator, "{&sv}", &name, &value)) {
        json_object_set_new(object, name, statistic(value));
    }
    char *text = json_dumps(object, JSON_COMPACT | JSON_SORT_KEYS);
    json_decref(object);
    return text;
}

/* @member with its @value, which it takes; NULL: none. */
static char *event(const char *name, const struct engine_view *view, const char *member,
                   json_t *value)
{
    json_t *data =
        json_pack("{s:s,s:I}", "event", name, "ms-since-start", (json_int_t)view->ms_since_start);
    if (member != NULL) {
        json_object_set_new(data, member, value);
    }
    char *text = format(data);
    char *event = g_strdup_printf("event: %s\ndata: %s\n\n", name, text);
    free(text);
    return event;
}

char *answer_event(enum engine_news news, const struct engine_view *view)
{
    switch (news) {
    case ENGINE_NEWS_LIFECYCLE:
        return event("lifecycle", view, "lifecycle",
                     json_string(lifecycle_state_name(view->state)));
    case ENGINE_NEWS_REBOOTED:
        return event("reboot", view, NULL, NULL);
    case ENGINE_NEWS_AGENT:
        return event("agent", view, "agent-connected", json_boolean(view->agent_connected));
    case ENGINE_NEWS_IO_ERROR:
        break;
    }
    return event("io-error", view, NULL, NULL);
}

char *answer_end_event(const struct engine_view *view, int exit_status)
{
    return event("end", view, "exit-status", json_integer(exit_status));
}
