// SPDX-License-Identifier: LGPL-2.1-or-later
#include "src/host/firmware.h"
#include "tests/unit/expect.h"

#include <glib/gstdio.h>

#define DESCRIPTION(interface, executable, arch)                                                   \
    "{\"interface-types\": [\"" interface "\"], \"mapping\": {\"device\": \"flash\", "             \
    "\"executable\": {\"filename\": \"" executable "\", \"format\": \"raw\"}}, "                   \
    "\"targets\": [{\"architecture\": \"" arch "\", \"machines\": [\"pc-q35-*\"]}]}"

static void test_descriptions(void)
{
    static const struct {
        const char *name, *text;
        bool x86_64, aarch64;
    } cases[] = {
        {"a.json", DESCRIPTION("uefi", "/dev/null", "x86_64"), true, false},
        {"a.json", DESCRIPTION("uefi", "/dev/null", "aarch64"), false, true},
        {"a.json", DESCRIPTION("bios", "/dev/null", "x86_64"), false, false},
        {"a.json", DESCRIPTION("uefi", "/nonexistent/OVMF.fd", "x86_64"), false, false},
        {"a.txt", DESCRIPTION("uefi", "/dev/null", "x86_64"), false, false},
        {"a.json", "", false, false},
        {"a.json", "[]", false, false},
        {"a.json", "{\"interface-types\": \"uefi\", \"targets\": 1, \"mapping\": []}", false,
         false},
    };
    g_autofree char *folder = g_dir_make_tmp("ocivirt-firmware-XXXXXX", NULL);
    const char *const folders[] = {"/nonexistent", folder, NULL};
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *path = g_build_filename(folder, cases[i].name, NULL);
        g_assert_true(g_file_set_contents(path, cases[i].text, -1, NULL));
        expect(cases[i].text, firmware_has_uefi(folders, VM_ARCH_X86_64) == cases[i].x86_64);
        expect(cases[i].text, firmware_has_uefi(folders, VM_ARCH_AARCH64) == cases[i].aarch64);
        g_unlink(path);
    }
    g_assert_false(firmware_has_uefi(folders, VM_ARCH_X86_64));
    g_rmdir(folder);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_set_nonfatal_assertions();
    g_test_add_func("/firmware/descriptions", test_descriptions);
    return g_test_run();
}
