// SPDX-License-Identifier: LGPL-2.1-or-later
#include "cmd/ocivirt/commands.h"

#include <stdio.h>

int command_xml(int argc, char **argv)
{
    struct options options;
    struct machine machine;
    int status = 0;
    if (options_parse(&options, argc, argv, "xml",
                      "Print the libvirt domain XML that run would start.",
                      OPTIONS_CONFIG | OPTIONS_ROOT | OPTIONS_ID, &status) &&
        machine_load(&machine, &options, &status)) {
        fputs(machine.xml, stdout);
        machine_finish(&machine);
    }
    options_finish(&options);
    return status;
}
