// SPDX-License-Identifier: LGPL-2.1-or-later
#include "cmd/ocivirt/client.h"
#include "cmd/ocivirt/find.h"
#include "cmd/ocivirt/output.h"
#include "cmd/ocivirt/reconnect.h"
#include "src/util/error.h"

#include <string.h>

/* What an event has to tell besides its name and time: of one event one of these. */
static char *describe(const json_t *event)
{
    const json_t *lifecycle = json_object_get(event, "lifecycle");
    const json_t *agent = json_object_get(event, "agent-connected");
    const json_t *status = json_object_get(event, "exit-status");
    if (lifecycle != NULL) {
        return g_strdup(json_string_value(lifecycle));
    }
    if (agent != NULL) {
        return g_strdup(json_is_true(agent) ? "connected" : "not connected");
    }
    return status != NULL
               ? g_strdup_printf("exit status %" JSON_INTEGER_FORMAT, json_integer_value(status))
               : g_strdup("");
}

static char *format_event(const json_t *event)
{
    g_autofree char *description = describe(event);
    const char *name = json_string_value(json_object_get(event, "event"));
    double ms = json_number_value(json_object_get(event, "ms-since-start"));
    return name == NULL ? g_strdup("")
                        : g_strdup_printf("%10.3f s  %s%s%s\n", ms / 1000, name,
                                          *description != '\0' ? ": " : "", description);
}

/* @last: whether it was the last one. False and @error: it cannot be written. */
static bool print_event(const char *text, bool as_text, bool *last, GError **error)
{
    json_t *event = json_loads(text, 0, NULL);
    *last = g_strcmp0(json_string_value(json_object_get(event, "event")), "end") == 0;
    g_autofree char *line = as_text ? format_event(event) : g_strconcat(text, "\n", NULL);
    json_decref(event);
    return output_print(line, error);
}

/* Until the last event; false: the connection has ended before, or @error. */
static bool print_stream(struct client *c, bool as_text, GError **error)
{
    char *line;
    bool last = false, ok = true;
    while (ok && !last && (line = client_read_line(c, NULL)) != NULL) {
        if (g_str_has_prefix(line, "data: ")) {
            ok = print_event(line + strlen("data: "), as_text, &last, error);
        }
        g_free(line);
    }
    return last && ok;
}

static bool ask_for_events(struct client *c, GError **error)
{
    return client_send(c, "GET", "/v1/events", NULL, error) && client_receive(c, error);
}

static struct client *listen_to(const char *root, GError **error)
{
    struct client *c = client_open(root, 0, error);
    if (c != NULL && !ask_for_events(c, error)) {
        g_clear_pointer(&c, client_close);
    }
    return c;
}

/* NULL: the VM has ended, or @error. */
static struct client *listen_again(const char *root, GError **error)
{
    struct client *c;
    while ((c = reconnect(root, error)) != NULL) {
        g_autoptr(GError) local = NULL;
        if (ask_for_events(c, &local)) {
            return c;
        }
        bool refused = client_is_refused(c);
        client_close(c);
        if (refused) {
            g_propagate_error(error, g_steal_pointer(&local));
            return NULL;
        }
    }
    return NULL;
}

static bool print_events(const struct options *options, GError **error)
{
    g_autofree char *root = find_root(options, error);
    struct client *c = root != NULL ? listen_to(root, error) : NULL;
    bool as_text = g_strcmp0(options->format, "text") == 0;
    bool ok = c != NULL;
    g_autoptr(GError) local = NULL;
    while (c != NULL && !print_stream(c, as_text, &local) && local == NULL) {
        client_close(c);
        c = listen_again(root, &local);
    }
    client_close(c);
    if (local != NULL) {
        g_propagate_error(error, g_steal_pointer(&local));
        ok = false;
    }
    return ok;
}

int command_events(int argc, char **argv)
{
    struct options options;
    g_autoptr(GError) error = NULL;
    int status = 0;
    if (options_parse(
            &options, argc, argv, "events",
            "Print what happens to the VM of a root directory, a line each, until it has\n"
            "ended. Exit status: 0, or 69 if there is no VM.",
            OPTIONS_ROOT | OPTIONS_EVENTS, &status) &&
        !print_events(&options, &error)) {
        status = report_error(error);
    }
    options_finish(&options);
    return status;
}
