// SPDX-License-Identifier: LGPL-2.1-or-later
#include "cmd/ocivirt/client.h"
#include "cmd/ocivirt/find.h"
#include "src/util/error.h"

#include <stdio.h>
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

/* Whether it was the last one. */
static bool print_event(const char *text, bool as_text)
{
    json_t *event = json_loads(text, 0, NULL);
    const char *name = json_string_value(json_object_get(event, "event"));
    bool last = g_strcmp0(name, "end") == 0;
    if (as_text && name != NULL) {
        g_autofree char *description = describe(event);
        double ms = json_number_value(json_object_get(event, "ms-since-start"));
        printf("%10.3f s  %s%s%s\n", ms / 1000, name, *description != '\0' ? ": " : "",
               description);
    } else if (!as_text) {
        puts(text);
    }
    fflush(stdout);
    json_decref(event);
    return last;
}

/* Until the last event; false: the connection has ended before. */
static bool print_stream(struct client *c, bool as_text)
{
    char *line;
    bool last = false;
    while (!last && (line = client_read_line(c, NULL)) != NULL) {
        if (g_str_has_prefix(line, "data: ")) {
            last = print_event(line + strlen("data: "), as_text);
        }
        g_free(line);
    }
    return last;
}

static struct client *listen_to(const char *root, GError **error)
{
    struct client *c = client_open(root, 0, error);
    if (c != NULL &&
        !(client_send(c, "GET", "/v1/events", NULL, error) && client_receive(c, error))) {
        g_clear_pointer(&c, client_close);
    }
    return c;
}

static bool print_events(const struct options *options, GError **error)
{
    g_autofree char *root = find_root(options, error);
    struct client *c = root != NULL ? listen_to(root, error) : NULL;
    bool as_text = g_strcmp0(options->format, "text") == 0;
    bool ok = c != NULL;
    while (c != NULL && !print_stream(c, as_text)) {
        client_close(c);
        c = listen_to(root, NULL); /* whoever serves may die and be there again */
    }
    client_close(c);
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
