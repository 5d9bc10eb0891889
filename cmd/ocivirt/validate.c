// SPDX-License-Identifier: LGPL-2.1-or-later
#include "cmd/ocivirt/commands.h"

#include <stdio.h>

int command_validate(int argc, char **argv)
{
    struct options options;
    struct machine machine;
    int status = 0;
    if (options_parse(
            &options, argc, argv, "validate",
            "Report everything that is wrong with a config.json, one line per problem:\n"
            "FILE:LINE:COLUMN: PATH: MESSAGE. Exit status: 0 if nothing is wrong, else 78.",
            OPTIONS_CONFIG | OPTIONS_ROOT, &status) &&
        machine_load(&machine, &options, MACHINE_TO_CHECK, &status)) {
        printf("%s: valid\n", machine_file_name(&machine));
        machine_finish(&machine);
    }
    options_finish(&options);
    return status;
}
