// SPDX-License-Identifier: LGPL-2.1-or-later
#include "cmd/ocivirt/client.h"
#include "cmd/ocivirt/find.h"
#include "src/util/error.h"

#include <stdio.h>
#include <string.h>

static void print_text(const json_t *answer)
{
    json_t *statistics = (json_t *)answer; /* jansson walks through no other */
    const char *name;
    json_t *value;
    int width = 0;
    json_object_foreach(statistics, name, value)
    {
        width = MAX(width, (int)strlen(name));
    }
    json_object_foreach(statistics, name, value)
    {
        char *text = json_dumps(value, JSON_ENCODE_ANY);
        printf("%-*s  %s\n", width, name, json_is_string(value) ? json_string_value(value) : text);
        free(text);
    }
}

static bool print_statistics(const struct options *options, GError **error)
{
    g_autofree char *root = find_root(options, error);
    json_t *statistics =
        root != NULL ? client_ask(root, "GET", "/v1/stats", CLIENT_PATIENCE_SECONDS, error) : NULL;
    if (statistics == NULL) {
        return false;
    }
    client_print(statistics, options->format, print_text);
    json_decref(statistics);
    return true;
}

int command_stats(int argc, char **argv)
{
    struct options options;
    g_autoptr(GError) error = NULL;
    int status = 0;
    if (options_parse(
            &options, argc, argv, "stats",
            "Print libvirt's statistics of the VM of a root directory. Exit status: 0; 69\n"
            "if there is no VM; 70 if QEMU does not tell them.",
            OPTIONS_ROOT | OPTIONS_STATS, &status) &&
        !print_statistics(&options, &error)) {
        status = report_error(error);
    }
    options_finish(&options);
    return status;
}
