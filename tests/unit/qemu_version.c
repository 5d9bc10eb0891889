// SPDX-License-Identifier: LGPL-2.1-or-later
#include "src/host/qemu_version.h"
#include "tests/unit/expect.h"

#include <glib/gstdio.h>
#include <unistd.h>

static void test_parse(void)
{
    static const struct {
        const char *text;
        unsigned version;
    } cases[] = {
        {"QEMU emulator version 7.2.22 (Debian 1:7.2+dfsg-7+deb12u18+b3)\nCopyright", 7002022},
        {"QEMU emulator version 10.0.2 (Debian 1:10.0.2+ds-2)\n", 10000002},
        {"QEMU emulator version 9.1\n", 9001000},
        {"QEMU emulator version 9\n", 0},
        {"qemu-img version 7.2.22\n", 0},
        {"QEMU emulator version x.y\n", 0},
        {"QEMU emulator version ", 0},
        {"", 0},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        expect(cases[i].text, qemu_version_parse(cases[i].text) == cases[i].version);
    }
}

static void test_ask(void)
{
    g_autofree char *folder = g_dir_make_tmp("ocivirt-test-XXXXXX", NULL);
    g_autofree char *program = g_build_filename(folder, "qemu", NULL);
    g_assert_cmpuint(qemu_version_ask(program), ==, 0);
    g_file_set_contents(program, "#!/bin/sh\necho \"QEMU emulator version 8.2.1 $1\"\n", -1, NULL);
    g_assert_cmpint(g_chmod(program, 0700), ==, 0);
    g_assert_cmpuint(qemu_version_ask(program), ==, 8002001);
    g_unlink(program);
    g_rmdir(folder);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_set_nonfatal_assertions();
    g_test_add_func("/qemu-version/parse", test_parse);
    g_test_add_func("/qemu-version/ask", test_ask);
    return g_test_run();
}
