// SPDX-License-Identifier: LGPL-2.1-or-later
#include "src/host/capability.h"

#include <glib.h>
#include <string.h>

bool capability_is_effective(unsigned number)
{
    g_autofree char *status = NULL;
    const char *line = NULL;
    if (!g_file_get_contents("/proc/self/status", &status, NULL, NULL) ||
        (line = strstr(status, "\nCapEff:")) == NULL) {
        return false;
    }
    return g_ascii_strtoull(line + strlen("\nCapEff:"), NULL, 16) >> number & 1;
}
