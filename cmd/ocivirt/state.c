// SPDX-License-Identifier: LGPL-2.1-or-later
#include "cmd/ocivirt/client.h"
#include "cmd/ocivirt/find.h"
#include "oci/state.h"
#include "src/util/error.h"

#include <stdio.h>

/* An engine answers in milliseconds; one that hangs must not make us hang. */
#define PATIENCE_SECONDS 2

/* False: nobody answers. */
static bool print_told(const char *root)
{
    json_t *state = client_ask(root, "GET", "/v1/state", PATIENCE_SECONDS, NULL);
    if (state == NULL) {
        return false;
    }
    json_dumpf(state, stdout, JSON_INDENT(4));
    putchar('\n');
    json_decref(state);
    return true;
}

static void print_read(const struct found *found)
{
    const struct instance *instance = &found->instance;
    const struct oci_state state = {
        .id = instance->id,
        .status = instance_status_name(found->status),
        .pid = found->status != INSTANCE_STOPPED ? instance->qemu : 0,
        .bundle = instance->bundle != NULL ? instance->bundle : "",
        .annotations = (const char *const *)instance->annotations,
    };
    g_autofree char *text = oci_state_format_indented(&state);
    puts(text);
}

static bool print_state(const struct options *options, GError **error)
{
    g_autofree char *root = find_root(options, error);
    struct found found;
    if (root == NULL) {
        return false;
    }
    if (print_told(root)) {
        return true;
    }
    bool ok = find_read(root, &found, error);
    if (ok) {
        print_read(&found);
    }
    instance_finish(&found.instance);
    return ok;
}

int command_state(int argc, char **argv)
{
    struct options options;
    g_autoptr(GError) error = NULL;
    int status = 0;
    if (options_parse(&options, argc, argv, "state",
                      "Print the state of the VM of a root directory: the state object of the OCI\n"
                      "runtime-spec, as JSON. Exit status: 0, or 69 if there is no VM.",
                      OPTIONS_ROOT | OPTIONS_STATE, &status)) {
        if (g_strcmp0(options.format, "text") == 0) {
            log_error("--format is \"text\", and can be json alone");
            status = ERROR_USAGE;
        } else if (!print_state(&options, &error)) {
            status = report_error(error);
        }
    }
    options_finish(&options);
    return status;
}
