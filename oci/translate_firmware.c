// SPDX-License-Identifier: LGPL-2.1-or-later
#include "oci/translation.h"

/* aarch64 has no firmware but UEFI; with a kernel of its own it needs none. */
static bool needs_uefi(const struct translation *t)
{
    return t->host->arch == VM_ARCH_AARCH64 && t->config->vm.kernel.path == NULL;
}

void translate_firmware(struct translation *t)
{
    enum oci_firmware firmware = t->settings->firmware;
    if (firmware == OCI_FIRMWARE_BIOS && t->host->arch == VM_ARCH_AARCH64) {
        oci_settings_problem(t->settings, OCI_SETTING_FIRMWARE, t->problems,
                             "a machine of aarch64 has no BIOS; leave the setting out, or make it "
                             "uefi");
    }
    t->spec->uefi =
        firmware == OCI_FIRMWARE_UEFI || (firmware == OCI_FIRMWARE_AUTO && needs_uefi(t));
    if (t->spec->uefi) {
        /* Beside the overlays, which a boot entry in it can be about. */
        t->spec->nvram = g_strconcat(t->host->root, "/disks/uefi-vars.fd", NULL);
    }
}
