// SPDX-License-Identifier: LGPL-2.1-or-later
#include "src/host/firmware.h"
#include "src/util/error.h"

#include <jansson.h>
#include <string.h>
#include <unistd.h>

static const char *const installed[] = {"/etc/qemu/firmware", "/usr/share/qemu/firmware", NULL};

static bool list_has(const json_t *list, const char *word)
{
    size_t i;
    json_t *element;
    json_array_foreach((json_t *)list, i, element)
    {
        if (g_strcmp0(json_string_value(element), word) == 0) {
            return true;
        }
    }
    return false;
}

static bool is_for(const json_t *firmware, const char *arch)
{
    size_t i;
    json_t *target;
    json_array_foreach(json_object_get(firmware, "targets"), i, target)
    {
        if (g_strcmp0(json_string_value(json_object_get(target, "architecture")), arch) == 0) {
            return true;
        }
    }
    return false;
}

/* A description stays when its firmware is gone, where a package was taken apart. */
static bool is_there(const json_t *firmware)
{
    const json_t *mapping = json_object_get(firmware, "mapping");
    const json_t *executable = json_object_get(mapping, "executable");
    const char *file = json_string_value(json_object_get(executable, "filename"));
    return file != NULL && access(file, R_OK) == 0;
}

static bool describes_uefi(const char *file, const char *arch)
{
    json_t *firmware = json_load_file(file, 0, NULL);
    bool ok = list_has(json_object_get(firmware, "interface-types"), "uefi") &&
              is_for(firmware, arch) && is_there(firmware);
    json_decref(firmware);
    return ok;
}

bool firmware_has_uefi(const char *const *folders, enum vm_arch arch)
{
    bool found = false;
    for (; *folders != NULL && !found; folders++) {
        g_autoptr(GDir) dir = g_dir_open(*folders, 0, NULL);
        const char *name;
        while (dir != NULL && !found && (name = g_dir_read_name(dir)) != NULL) {
            g_autofree char *file = g_build_filename(*folders, name, NULL);
            found = g_str_has_suffix(name, ".json") && describes_uefi(file, vm_arch_name(arch));
        }
    }
    return found;
}

bool firmware_check_uefi(enum vm_arch arch, GError **error)
{
    if (firmware_has_uefi(installed, arch)) {
        return true;
    }
    g_set_error(error, ERROR_DOMAIN, ERROR_UNAVAILABLE,
                "there is no UEFI firmware for %s: %s and %s describe none; install it (Debian: "
                "%s)%s",
                vm_arch_name(arch), installed[0], installed[1],
                arch == VM_ARCH_X86_64 ? "ovmf" : "qemu-efi-aarch64",
                arch == VM_ARCH_X86_64 ? ", or leave the setting firmware out to boot by BIOS"
                                       : "");
    return false;
}
