// SPDX-License-Identifier: LGPL-2.1-or-later
#include "src/engine/root_lock.h"
#include "src/util/error.h"
#include "tests/unit/child.h"
#include "tests/unit/expect.h"
#include "tests/unit/remove.h"
#include "tests/unit/root.h"

#include <string.h>

static void test_busy(void)
{
    struct root first, second;
    choose_and_open(&first, "busy");

    g_autoptr(GError) early = NULL;
    choose(&second, "busy");
    g_assert_false(root_open(&second, NULL, &early)); /* before the first has said who it is */
    g_assert_error(early, ERROR_DOMAIN, ERROR_BUSY);
    g_assert_nonnull(strstr(early->message, first.path));
    root_finish(&second);

    write_instance(&first, 0, 0);
    g_autoptr(GError) late = NULL;
    choose(&second, "busy");
    g_assert_false(root_open(&second, NULL, &late));
    g_assert_error(late, ERROR_DOMAIN, ERROR_BUSY);
    g_autofree char *who = g_strdup_printf("pid %d (first)", getpid());
    g_assert_nonnull(strstr(late->message, who));
    root_finish(&second);
    root_finish(&first);

    choose_and_open(&second, "busy");
    root_finish(&second);
}

static gpointer end_child_soon(gpointer pid)
{
    g_usleep(G_USEC_PER_SEC / 10);
    end_child(GPOINTER_TO_INT(pid));
    return NULL;
}

/* What was killed and has not ended yet keeps the lock for a moment, which is waited out; what an
 * ocivirt that is gone has left to end its guest keeps it for longer. */
static void test_busy_for_a_moment(void)
{
    struct root first, second;
    choose_and_open(&first, "moment");
    pid_t owner = start_child("owner");
    pid_t left = start_child("left"); /* it has the lock, too */
    struct instance instance;
    g_autofree char *path = root_file(&first, "instance.json");
    instance_init(&instance, "first", owner);
    g_assert_true(instance_write(&instance, path, NULL));
    instance_finish(&instance);
    end_child(owner);
    close(first.lock);

    g_autoptr(GError) error = NULL;
    choose(&second, "moment");
    g_assert_false(root_open(&second, NULL, &error));
    g_assert_error(error, ERROR_DOMAIN, ERROR_BUSY);
    g_autofree char *who = g_strdup_printf("what is left of ocivirt with pid %d (first)", owner);
    g_assert_nonnull(strstr(error->message, who));
    root_finish(&second);

    GThread *thread = g_thread_new("end", end_child_soon, GINT_TO_POINTER(left));
    choose_and_open(&second, "moment");
    g_thread_join(thread);
    root_finish(&second);
    first.lock = -1;
    root_finish(&first);
}

struct ending {
    pid_t pid;
    const char *instance;
};

static gpointer end_slowly(gpointer data)
{
    const struct ending *ending = data;
    g_usleep(G_USEC_PER_SEC * 5 / 4);
    g_unlink(ending->instance);
    g_usleep(G_USEC_PER_SEC / 10);
    end_child(ending->pid);
    return NULL;
}

static bool never(void)
{
    return false;
}

static bool at_once(void)
{
    return true;
}

/* Who has been told that a VM has ended is not refused for what its ocivirt has still to do, to the
 * last, when instance.json is gone and the lock is not. */
static void test_busy_at_the_end(void)
{
    struct root first, second;
    choose_and_open(&first, "end");
    pid_t owner = start_child("owner"); /* it has the lock, too */
    struct instance instance;
    g_autofree char *path = root_file(&first, "instance.json");
    instance_init(&instance, "first", owner);
    instance.status = INSTANCE_STOPPED;
    g_assert_true(instance_write(&instance, path, NULL));
    instance_finish(&instance);
    close(first.lock);
    first.lock = -1;

    struct ending ending = {owner, path};
    g_assert_true(root_await_end(scratch, at_once)); /* nobody is there */
    g_assert_false(root_await_end(first.path, at_once));
    GThread *thread = g_thread_new("end", end_slowly, &ending);
    g_assert_true(root_await_end(first.path, never));
    choose_and_open(&second, "end");
    g_thread_join(thread);
    root_finish(&second);
    root_finish(&first);
}

/* Whoever was refused has nothing to clean up: all of it belongs to the VM that runs. */
static void test_busy_leaves_all(void)
{
    struct root first, second;
    choose_and_open(&first, "busy-2");
    write_instance(&first, 0, 0);
    put(&first, "run/console.sock", "");
    put(&first, "lib/qemu/x", "");
    put(&first, "etc/qemu.conf", "");
    choose(&second, "busy-2");
    g_assert_false(root_open(&second, NULL, NULL));
    root_finish(&second);
    static const char *const names[] = {"instance.json", "run/console.sock", "lib/qemu/x",
                                        "etc/qemu.conf"};
    for (gsize i = 0; i < G_N_ELEMENTS(names); i++) {
        expect(names[i], has(&first, names[i]));
    }
    root_finish(&first);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    scratch = g_dir_make_tmp("ocivirt-test-XXXXXX", NULL);
    g_assert_nonnull(scratch);
    g_test_add_func("/root-lock/busy", test_busy);
    g_test_add_func("/root-lock/busy-for-a-moment", test_busy_for_a_moment);
    g_test_add_func("/root-lock/busy-at-the-end", test_busy_at_the_end);
    g_test_add_func("/root-lock/busy-leaves-all", test_busy_leaves_all);
    int status = g_test_run();
    remove_all(scratch);
    g_free(scratch);
    return status;
}
