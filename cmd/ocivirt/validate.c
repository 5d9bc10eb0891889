// SPDX-License-Identifier: LGPL-2.1-or-later
#include "cmd/ocivirt/commands.h"

#include <stdio.h>

int command_validate(int argc, char **argv)
{
    struct options options;
    struct machine machine;
    int status = 0;
    if (options_parse(&options, argc, argv, "validate",
                      "Report everything that is wrong with a config.json, one line per problem:\n"
                      "FILE:LINE:COLUMN: PATH: MESSAGE. Exit status 0: nothing is; 78: see there.",
                      OPTIONS_CONFIG | OPTIONS_ROOT, &status) &&
        machine_load(&machine, &options, &status)) {
        printf("%s: valid\n", machine.file);
        machine_finish(&machine);
    }
    options_finish(&options);
    return status;
}
