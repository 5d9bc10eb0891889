// SPDX-License-Identifier: LGPL-2.1-or-later
#include "cmd/ocivirt/client.h"
#include "cmd/ocivirt/find.h"
#include "src/util/error.h"

#include <stdio.h>

/* addresses, freeze and thaw: what the guest's agent does and tells. */

/* To write back what is dirty takes its time; the server gives up after a minute. */
#define PATIENCE_SECONDS 90

static json_t *ask(const struct options *options, const char *method, const char *target,
                   GError **error)
{
    g_autofree char *root = find_root(options, error);
    return root != NULL ? client_ask(root, method, target, PATIENCE_SECONDS, error) : NULL;
}

/* A line each: NAME ADDRESS/PREFIX */
static void print_text(const json_t *answer)
{
    json_t *interface, *address;
    size_t i, k;
    json_array_foreach(json_object_get(answer, "interfaces"), i, interface)
    {
        const char *name = json_string_value(json_object_get(interface, "name"));
        json_array_foreach(json_object_get(interface, "addresses"), k, address)
        {
            const char *text = json_string_value(json_object_get(address, "address"));
            printf("%-10s  %s/%" JSON_INTEGER_FORMAT "\n", name, text,
                   json_integer_value(json_object_get(address, "prefix")));
        }
    }
}

static bool print_addresses(const struct options *options, GError **error)
{
    json_t *answer = ask(options, "GET", "/v1/addresses", error);
    if (answer == NULL) {
        return false;
    }
    client_print(answer, options->format, print_text);
    json_decref(answer);
    return true;
}

int command_addresses(int argc, char **argv)
{
    struct options options;
    g_autoptr(GError) error = NULL;
    int status = 0;
    if (options_parse(&options, argc, argv, "addresses",
                      "Print the addresses of the guest's network interfaces, as the guest agent\n"
                      "tells them. Exit status: 0; 69 if there is no VM, or no agent in it.",
                      OPTIONS_ROOT | OPTIONS_STATS, &status) &&
        !print_addresses(&options, &error)) {
        status = report_error(error);
    }
    options_finish(&options);
    return status;
}

static bool print_count(const struct options *options, const char *target, GError **error)
{
    json_t *answer = ask(options, "POST", target, error);
    if (answer == NULL) {
        return false;
    }
    printf("%" JSON_INTEGER_FORMAT "\n",
           json_integer_value(json_object_get(answer, "filesystems")));
    json_decref(answer);
    return true;
}

static int command_count(int argc, char **argv, const char *name, const char *summary)
{
    struct options options;
    g_autoptr(GError) error = NULL;
    int status = 0;
    g_autofree char *target = g_strconcat("/v1/", name, NULL);
    if (options_parse(&options, argc, argv, name, summary, OPTIONS_ROOT, &status) &&
        !print_count(&options, target, &error)) {
        status = report_error(error);
    }
    options_finish(&options);
    return status;
}

int command_freeze(int argc, char **argv)
{
    return command_count(
        argc, argv, "freeze",
        "Have the guest agent write back the guest's file systems, and hold them until\n"
        "`ocivirt thaw`: what is written meanwhile waits. Prints how many. Exit status:\n"
        "0; 69 if there is no VM, no agent in it, or it cannot do it.");
}

int command_thaw(int argc, char **argv)
{
    return command_count(argc, argv, "thaw",
                         "Let the guest's file systems go on after `ocivirt freeze`. Prints how\n"
                         "many. Exit status: 0; 69 if there is no VM, or no agent in it.");
}
