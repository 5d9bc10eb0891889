// SPDX-License-Identifier: LGPL-2.1-or-later
#include "src/host/room.h"
#include "tests/unit/expect.h"

#include <glib/gstdio.h>

static void test_of_a_mount(void)
{
    static const char *const mounts[][2] = {
        {"/proc/version", "/proc"}, {"/proc", "/proc"}, {"/sys/kernel", "/sys"}};
    for (gsize i = 0; i < G_N_ELEMENTS(mounts); i++) {
        struct room room;
        expect(mounts[i][0], room_look(mounts[i][0], &room));
        expect_str(mounts[i][0], room.mount_point, mounts[i][1]);
        room_clear(&room);
    }
}

static void test_of_a_file(void)
{
    struct room room;
    g_autofree char *folder = g_dir_make_tmp("ocivirt-test-XXXXXX", NULL);
    g_autofree char *path = g_build_filename(folder, "file", NULL);
    g_assert_true(g_file_set_contents(path, "", -1, NULL));
    g_assert_true(room_look(path, &room));
    g_assert_cmpuint(room.size, >, 0);
    g_assert_cmpuint(room.free, <=, room.size);
    g_assert_true(g_str_has_prefix(path, room.mount_point));
    room_clear(&room);
    g_unlink(path);
    g_rmdir(folder);
}

static void test_of_nothing(void)
{
    struct room room;
    g_assert_false(room_look("/nonexistent", &room));
    g_assert_null(room.mount_point);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_set_nonfatal_assertions();
    g_test_add_func("/room/of-a-mount", test_of_a_mount);
    g_test_add_func("/room/of-a-file", test_of_a_file);
    g_test_add_func("/room/of-nothing", test_of_nothing);
    return g_test_run();
}
