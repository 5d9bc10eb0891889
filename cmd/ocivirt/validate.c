// SPDX-License-Identifier: LGPL-2.1-or-later
#include "cmd/ocivirt/commands.h"
#include "cmd/ocivirt/facts.h"
#include "oci/report.h"
#include "src/util/error.h"

#include <stdio.h>

static void print_text(const struct machine *machine, const GPtrArray *lines)
{
    g_autofree char *report = oci_report_format(lines);
    machine_report_warnings(machine);
    machine_report_problems(machine);
    /* Errors and report can be one stream to whoever reads them: keep their order. */
    printf("%s: %s\n%s", machine_file_name(machine),
           oci_problems_any(&machine->problems) ? "not valid" : "valid", report);
}

/* Names of files and of the environment's variables can be any bytes; JSON cannot. */
static json_t *any_bytes_to_json(const char *bytes)
{
    g_autofree char *text = g_utf8_make_valid(bytes, -1);
    return json_string(text);
}

static json_t *warnings_to_json(const struct machine *machine)
{
    json_t *array = json_array();
    for (guint i = 0; i < machine->warnings->len; i++) {
        json_array_append_new(array, any_bytes_to_json(g_ptr_array_index(machine->warnings, i)));
    }
    return array;
}

static void print_json(const struct machine *machine, const GPtrArray *lines)
{
    json_t *result = json_pack(
        "{s:o,s:b,s:o,s:o,s:o}", "file", any_bytes_to_json(machine_file_name(machine)), "valid",
        !oci_problems_any(&machine->problems), "problems", oci_problems_to_json(&machine->problems),
        "warnings", warnings_to_json(machine), "fields", oci_report_to_json(lines));
    json_dumpf(result, stdout, JSON_INDENT(2));
    putchar('\n');
    json_decref(result);
}

/* Of what is no JSON there is nothing to report. */
static GPtrArray *make_report(const struct machine *machine)
{
    if (machine->config == NULL) {
        return g_ptr_array_new();
    }
    const struct oci_situation situation = {machine->config, &machine->settings,
                                            &machine->facts->host, machine->spec};
    return oci_report_make(&machine->document, &situation, &machine->problems);
}

static int validate(struct machine *machine, const struct options *options)
{
    g_autoptr(GPtrArray) lines = make_report(machine);
    if (options->strict) {
        oci_report_be_strict(lines, &machine->problems);
    }
    if (g_strcmp0(options->format, "json") == 0) {
        print_json(machine, lines);
    } else {
        print_text(machine, lines);
    }
    return oci_problems_any(&machine->problems) ? ERROR_CONFIG : 0;
}

int command_validate(int argc, char **argv)
{
    struct options options;
    struct machine machine;
    int status = 0;
    if (options_parse(
            &options, argc, argv, "validate",
            "Report everything that is wrong with a config.json, one line per problem:\n"
            "FILE:LINE:COLUMN: PATH: MESSAGE; then what becomes of each property that it has.\n"
            "Exit status: 0 if nothing is wrong, else 78.",
            OPTIONS_CONFIG | OPTIONS_ROOT | OPTIONS_VALIDATE, &status) &&
        machine_examine(&machine, &options, MACHINE_TO_CHECK, &status)) {
        status = validate(&machine, &options);
        machine_finish(&machine);
    }
    options_finish(&options);
    return status;
}
