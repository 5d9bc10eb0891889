// SPDX-License-Identifier: LGPL-2.1-or-later
#include "src/host/capability.h"
#include "src/util/error.h"

#include <linux/capability.h>
#include <string.h>
#include <unistd.h>

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

/*
 * As root libvirt sets QEMU's capabilities, and fails late and unclearly ("cannot apply process
 * capabilities -5") without these. As a plain user it needs none.
 */
bool capability_check(GError **error)
{
    static const struct {
        unsigned number;
        const char *name;
    } needed[] = {{CAP_DAC_OVERRIDE, "DAC_OVERRIDE"},
                  {CAP_SETGID, "SETGID"},
                  {CAP_SETUID, "SETUID"},
                  {CAP_SETPCAP, "SETPCAP"}};
    for (gsize i = 0; geteuid() == 0 && i < G_N_ELEMENTS(needed); i++) {
        if (!capability_is_effective(needed[i].number)) {
            g_set_error(error, ERROR_DOMAIN, ERROR_UNAVAILABLE,
                        "as root, libvirt's QEMU driver needs capability CAP_%s, which is not "
                        "there; run as a plain user, who needs none (podman: --user 1000), or add "
                        "DAC_OVERRIDE, SETGID, SETUID and SETPCAP",
                        needed[i].name);
            return false;
        }
    }
    return true;
}
