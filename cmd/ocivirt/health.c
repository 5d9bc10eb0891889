// SPDX-License-Identifier: LGPL-2.1-or-later
#include "cmd/ocivirt/client.h"
#include "cmd/ocivirt/find.h"
#include "src/util/error.h"

#include <stdio.h>

/* Probes have little time, and an engine answers in milliseconds; one that is being replaced takes
 * about a second. */
#define PATIENCE_SECONDS 5

struct question {
    const char *member; /* of the answer */
    const char *no;
};

/* Returns the exit status. */
static int print_answer(const json_t *health, const struct question *question)
{
    if (json_is_true(json_object_get(health, question->member))) {
        puts(question->member);
        return 0;
    }
    g_autoptr(GString) line = g_string_new(question->no);
    json_t *reason;
    size_t i;
    json_array_foreach(json_object_get(health, "reasons"), i, reason)
    {
        g_string_append_printf(line, "%s%s", i == 0 ? ": " : "; ", json_string_value(reason));
    }
    puts(line->str);
    return 1;
}

static int ask(const struct options *options)
{
    static const struct question live = {"live", "not live"};
    static const struct question ready = {"ready", "not ready"};
    static const struct question started = {"started", "not started"};
    const struct question *question = options->live ? &live : options->startup ? &started : &ready;
    g_autoptr(GError) error = NULL;
    g_autofree char *root = find_root(options, &error);
    json_t *health =
        root != NULL ? client_ask(root, "GET", "/v1/health", PATIENCE_SECONDS, &error) : NULL;
    int status = 1;
    if (health != NULL) {
        status = print_answer(health, question);
    } else {
        printf("%s: %s\n", question->no, error->message);
    }
    json_decref(health);
    return status;
}

int command_health(int argc, char **argv)
{
    struct options options;
    int status = 0;
    if (options_parse(&options, argc, argv, "health",
                      "Tell whether the VM of a root directory is ready, in a line: for a health\n"
                      "check or a probe. Exit status: 0: it is; 1: it is not, or there is no VM.",
                      OPTIONS_ROOT | OPTIONS_HEALTH, &status)) {
        if (options.live + options.ready + options.startup > 1) {
            log_error("--live, --ready and --startup ask for different things; give one of them");
            status = ERROR_USAGE;
        } else {
            status = ask(&options);
        }
    }
    options_finish(&options);
    return status;
}
