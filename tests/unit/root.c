// SPDX-License-Identifier: LGPL-2.1-or-later
#include "src/engine/root.h"
#include "src/host/instance.h"
#include "src/host/process.h"
#include "src/util/error.h"
#include "tests/unit/expect.h"
#include "tests/unit/remove.h"
#include "tests/unit/root.h"

#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static void test_choose(void)
{
    struct root root;
    choose(&root, "fresh");
    g_autofree char *path = in_scratch("fresh");
    g_assert_cmpstr(root.path, ==, path);
    g_assert_false(root.temporary);
    g_assert_cmpint(root.lock, ==, -1);
    g_assert_false(g_file_test(path, G_FILE_TEST_EXISTS)); /* it touches nothing */
    root_finish(&root);
    g_assert_false(g_file_test(path, G_FILE_TEST_EXISTS));
    g_assert_null(root.path);
    g_assert_cmpint(root.lock, ==, -1);
}

static void test_choose_makes_absolute(void)
{
    struct root root;
    g_autoptr(GError) error = NULL;
    g_autofree char *here = g_get_current_dir();
    g_assert_cmpint(g_chdir(scratch), ==, 0);
    g_assert_true(root_choose(&root, "a/./b/../c", &error));
    g_assert_cmpint(g_chdir(here), ==, 0);
    g_autofree char *path = in_scratch("a/c");
    g_assert_cmpstr(root.path, ==, path);
    root_finish(&root);
}

/* Without a word from anybody: wherever it is, a VM can be run from there. */
static void test_choose_default(void)
{
    struct root root;
    g_autoptr(GError) error = NULL;
    g_assert_true(root_choose(&root, NULL, &error));
    g_assert_no_error(error);
    g_assert_true(g_path_is_absolute(root.path));
    g_assert_cmpint(root.temporary, ==, !g_str_equal(root.path, ROOT_DEFAULT));
    g_assert_cmpuint(strlen(root.path), <, 60);
    root_finish(&root);
}

/* A user who cannot write the default gets a directory that nobody else can have guessed. */
static void test_choose_private(void)
{
    if (geteuid() == 0 && !g_test_subprocess()) {
        g_test_trap_subprocess(NULL, 0, G_TEST_SUBPROCESS_INHERIT_STDERR);
        g_test_trap_assert_passed();
        return;
    }
    if (geteuid() == 0) {
        g_assert_cmpint(setgid(65534), ==, 0);
        g_assert_cmpint(setuid(65534), ==, 0);
    }
    struct root first, second;
    g_assert_true(root_choose(&first, NULL, NULL));
    g_assert_true(root_choose(&second, NULL, NULL));
    if (!g_str_equal(first.path, ROOT_DEFAULT)) {
        g_assert_true(first.temporary);
        g_assert_cmpstr(first.path, !=, second.path);
        g_assert_false(g_file_test(first.path, G_FILE_TEST_EXISTS));
        g_autofree char *name = g_path_get_basename(first.path);
        g_assert_true(g_str_has_prefix(name, "ocivirt-"));
        g_assert_cmpuint(strlen(name), >=, strlen("ocivirt-") + 16);
    }
    root_finish(&first);
    root_finish(&second);
}

/* The longest socket's name below the root, with its NUL, is what fits into sun_path. */
static void test_choose_length(void)
{
    gsize longest = 0;
    for (gsize length = 2; length < 200; length++) {
        struct root root;
        g_autoptr(GError) error = NULL;
        g_autofree char *path = g_strnfill(length, 'a');
        path[0] = '/';
        if (root_choose(&root, path, &error)) {
            g_assert_cmpuint(longest, ==, length - 1 - (length == 2));
            longest = length;
        } else {
            g_assert_error(error, ERROR_DOMAIN, ERROR_USAGE);
            g_autofree char *number = g_strdup_printf("has %zu characters", length);
            g_autofree char *limit = g_strdup_printf("more than %zu,", longest);
            g_assert_nonnull(strstr(error->message, path));
            g_assert_nonnull(strstr(error->message, number));
            g_assert_nonnull(strstr(error->message, limit));
        }
        root_finish(&root);
    }
    static const char *const sockets[] = {
        "/lib/qemu/domain-1-abcdefghijabcdefghij/monitor.sock",
        "/run/console.sock",
        "/control.sock",
    };
    for (gsize i = 0; i < G_N_ELEMENTS(sockets); i++) {
        expect(sockets[i],
               longest + strlen(sockets[i]) < sizeof(((struct sockaddr_un *)NULL)->sun_path));
    }
    g_assert_cmpuint(longest, >=, strlen("/var/tmp/ocivirt-0123456789abcdef"));
}

static void test_open(void)
{
    static const char *const directories[] = {".", "cache", "disks", "etc", "lib", "log", "run"};
    struct root root;
    mode_t umask_before = umask(0);
    choose_and_open(&root, "opened");
    umask(umask_before);
    g_assert_cmpint(root.lock, >=, 0);
    for (gsize i = 0; i < G_N_ELEMENTS(directories); i++) {
        g_autofree char *path = root_file(&root, directories[i]);
        struct stat status = {0};
        expect(directories[i], stat(path, &status) == 0 && S_ISDIR(status.st_mode));
        expect_uint(directories[i], status.st_mode & 07777, 0700);
    }
    root_finish(&root);
    g_assert_null(root.path);
    g_assert_cmpint(root.lock, ==, -1);

    /* and once more */
    choose_and_open(&root, "opened");
    root_finish(&root);
}

static void test_cannot_open(void)
{
    struct root root;
    g_autoptr(GError) error = NULL;
    choose(&root, "not/there");
    g_assert_false(root_open(&root, NULL, &error));
    g_assert_error(error, ERROR_DOMAIN, ERROR_UNAVAILABLE);
    g_assert_nonnull(strstr(error->message, root.path));
    g_assert_true(g_str_has_suffix(error->message, ": No such file or directory"));
    root_finish(&root);

    g_clear_error(&error);
    choose(&root, "file");
    g_assert_true(g_file_set_contents(root.path, "x", -1, NULL));
    g_assert_false(root_open(&root, NULL, &error));
    g_assert_error(error, ERROR_DOMAIN, ERROR_UNAVAILABLE);
    g_assert_nonnull(strstr(error->message, root.path));
    root_finish(&root);
    g_autofree char *file = in_scratch("file");
    g_assert_true(g_file_test(file, G_FILE_TEST_IS_REGULAR));
}

/* A link in a directory that others can write into may lead anywhere. */
static void test_symlink(void)
{
    struct root root;
    g_autoptr(GError) error = NULL;
    g_autofree char *target = in_scratch("target");
    g_assert_cmpint(g_mkdir(target, 0700), ==, 0);
    choose(&root, "link");
    g_assert_cmpint(symlink(target, root.path), ==, 0);
    g_assert_false(root_open(&root, NULL, &error));
    g_assert_error(error, ERROR_DOMAIN, ERROR_UNAVAILABLE);
    g_assert_nonnull(strstr(error->message, root.path));
    root_finish(&root);
    g_assert_cmpint(g_rmdir(target), ==, 0); /* nothing was put there */
}

/* An ocivirt that was killed may have left its QEMU running, and that has the disks open. */
static void test_vm_of_a_dead_ocivirt(void)
{
    struct root root;
    g_autoptr(GError) error = NULL;
    choose_and_open(&root, "orphan");
    root_finish(&root);
    choose(&root, "orphan");
    write_instance(&root, getpid(), process_start_time(getpid())); /* we stand in for QEMU */
    put(&root, "run/console.sock", "");
    g_assert_false(root_open(&root, NULL, &error));
    g_assert_error(error, ERROR_DOMAIN, ERROR_BUSY);
    g_autofree char *remedy = g_strdup_printf("kill %d", getpid());
    struct instance survivor;
    g_assert_nonnull(strstr(error->message, remedy));
    g_assert_nonnull(strstr(error->message, "first"));
    root_finish(&root);

    /* who can go on with it finds all in place */
    choose(&root, "orphan");
    g_assert_true(root_open(&root, &survivor, NULL));
    g_assert_cmpint(survivor.qemu, ==, getpid());
    g_assert_true(has(&root, "run/console.sock"));
    instance_finish(&survivor);
    root_abandon(&root);
    g_assert_true(has(&root, "run/console.sock"));
    root_finish(&root);

    choose(&root, "orphan");
    g_assert_true(has(&root, "instance.json")); /* still there for whoever asks next */
    g_assert_true(has(&root, "run/console.sock"));

    /* the pid is somebody else's by now */
    write_instance(&root, getpid(), process_start_time(getpid()) + 1);
    g_assert_true(root_open(&root, NULL, NULL));
    g_assert_false(has(&root, "instance.json"));
    root_finish(&root);
}

static void fill(const struct root *root)
{
    static const char *const names[] = {"instance.json",
                                        "etc/qemu.conf",
                                        "lib/qemu/a/b/c",
                                        "run/qemu/vm.pid",
                                        "cache/qemu/capabilities/x",
                                        "disks/vda.qcow2",
                                        "log/libvirt.log"};
    for (gsize i = 0; i < G_N_ELEMENTS(names); i++) {
        put(root, names[i], "x");
    }
}

static void check_swept(const struct root *root)
{
    static const char *const gone[] = {"instance.json", "etc/qemu.conf", "lib/qemu", "run/qemu"};
    static const char *const kept[] = {"cache/qemu/capabilities/x", "disks/vda.qcow2",
                                       "log/libvirt.log"};
    for (gsize i = 0; i < G_N_ELEMENTS(gone); i++) {
        expect(gone[i], !has(root, gone[i]));
    }
    for (gsize i = 0; i < G_N_ELEMENTS(kept); i++) {
        expect(kept[i], has(root, kept[i]));
    }
}

static void test_sweep(void)
{
    struct root root, after;
    choose_and_open(&root, "sweep");
    fill(&root);
    root_sweep(&root);
    check_swept(&root);

    fill(&root);
    choose(&after, "sweep");
    root_finish(&root); /* sweeps too */
    check_swept(&after);
    g_assert_false(has(&after, "run"));

    fill(&after); /* a life that nobody has finished: the restarted container */
    g_assert_true(root_open(&after, NULL, NULL));
    check_swept(&after);
    g_assert_true(has(&after, "run"));
    root_finish(&after);
}

/* The guest's QEMU could write below lib/ and run/: a link there must lead to no removal outside.
 */
static void test_sweep_follows_no_link(void)
{
    struct root root;
    g_autofree char *outside = in_scratch("outside");
    g_autofree char *precious = in_scratch("outside/precious");
    g_assert_cmpint(g_mkdir(outside, 0700), ==, 0);
    g_assert_true(g_file_set_contents(precious, "x", -1, NULL));
    choose_and_open(&root, "links");
    g_autofree char *inner = root_file(&root, "lib/link");
    g_assert_cmpint(symlink(outside, inner), ==, 0);
    g_autofree char *run = root_file(&root, "run");
    g_assert_cmpint(g_rmdir(run), ==, 0);
    g_assert_cmpint(symlink(outside, run), ==, 0);
    root_sweep(&root);
    g_assert_false(has(&root, "lib"));
    g_assert_false(has(&root, "run"));
    g_assert_true(g_file_test(precious, G_FILE_TEST_EXISTS));
    root_finish(&root);
}

/* `--root /` must not cost anybody their /etc and /lib: what is in use for something else is no
 * root directory. */
static void test_foreign_directory(void)
{
    struct root root;
    g_autoptr(GError) error = NULL;
    choose(&root, "foreign");
    static const char *const names[] = {"etc/passwd", "lib/libc.so", "run/x", "usr/bin/true"};
    for (gsize i = 0; i < G_N_ELEMENTS(names); i++) {
        put(&root, names[i], "x");
    }
    g_assert_false(root_open(&root, NULL, &error));
    g_assert_nonnull(error);
    if (error != NULL) {
        g_assert_error(error, ERROR_DOMAIN, ERROR_USAGE);
        g_assert_nonnull(strstr(error->message, root.path));
    }
    root_finish(&root);
    choose(&root, "foreign");
    for (gsize i = 0; i < G_N_ELEMENTS(names); i++) {
        expect(names[i], has(&root, names[i]));
    }
    root_finish(&root);
}

/* What may be there already: our own, whatever a life has left, and a volume's. */
static void test_familiar_directory(void)
{
    struct root root;
    choose(&root, "familiar");
    fill(&root);
    put(&root, "control.sock", "");
    put(&root, "instance.json.K3VX62", ""); /* of a write that was cut short */
    put(&root, "lost+found/#1", "");
    put(&root, ".config/x", "");
    g_autoptr(GError) error = NULL;
    g_assert_true(root_open(&root, NULL, &error));
    g_assert_no_error(error);
    check_swept(&root);
    g_assert_true(has(&root, "lost+found/#1"));
    root_finish(&root);
}

/* A directory of somebody else, who could change what is in it under our feet. */
static void test_owner(void)
{
    struct root root;
    g_autoptr(GError) error = NULL;
    uid_t user = geteuid();
    choose(&root, "owned");
    if (user == 0) {
        g_assert_cmpint(g_mkdir(root.path, 0777), ==, 0);
        g_assert_cmpint(g_chmod(root.path, 0777), ==, 0);
        g_assert_cmpint(seteuid(65534), ==, 0);
    } else {
        g_free(root.path);
        root.path = g_strdup("/usr"); /* root's */
    }
    g_assert_false(root_open(&root, NULL, &error));
    g_assert_error(error, ERROR_DOMAIN, ERROR_UNAVAILABLE);
    g_assert_nonnull(strstr(error->message, "belongs to uid 0"));
    root_finish(&root);
    g_assert_cmpint(seteuid(user), ==, 0);
}

static void test_temporary(void)
{
    struct root root, other;
    choose(&root, "temporary");
    root.temporary = true;
    g_autofree char *path = g_strdup(root.path);
    g_autoptr(GError) error = NULL;
    g_assert_true(root_open(&root, NULL, &error));
    g_assert_no_error(error);
    fill(&root);

    /* its name was made up by us: if it is there, it is somebody's trap */
    choose(&other, "temporary");
    other.temporary = true;
    g_assert_false(root_open(&other, NULL, &error));
    g_assert_error(error, ERROR_DOMAIN, ERROR_UNAVAILABLE);
    root_finish(&other);
    g_assert_true(has(&root, "disks/vda.qcow2"));

    root_finish(&root);
    g_assert_false(g_file_test(path, G_FILE_TEST_EXISTS));
}

static void test_qemu_conf(void)
{
    struct root root;
    g_autoptr(GError) error = NULL;
    choose_and_open(&root, "conf");
    g_assert_true(root_write_qemu_conf(&root, NULL, &error));
    g_assert_no_error(error);
    g_autofree char *path = root_file(&root, "etc/qemu.conf");
    g_autofree char *text = NULL;
    g_assert_true(g_file_get_contents(path, &text, NULL, NULL));
    static const char *const lines[] = {
        "\ncgroup_controllers = []\n",    "\nnamespaces = []\n",
        "\nsecurity_driver = \"none\"\n", "\nseccomp_sandbox = 1\n",
        "\ndynamic_ownership = 0\n",      "\nremember_owner = 0\n",
        "\nstdio_handler = \"file\"\n",
    };
    for (gsize i = 0; i < G_N_ELEMENTS(lines); i++) {
        expect(lines[i], strstr(text, lines[i]) != NULL);
    }
    g_assert_cmpint(strstr(text, "\nuser = \"root\"\ngroup = \"root\"\n") != NULL, ==,
                    geteuid() == 0);
    g_assert_true(g_str_has_suffix(text, "\n"));
    root_sweep(&root);
    g_assert_false(root_write_qemu_conf(&root, NULL, &error));
    g_assert_error(error, ERROR_DOMAIN, ERROR_UNAVAILABLE);
    g_assert_nonnull(strstr(error->message, path));
    root_finish(&root);
}

static void test_environment(void)
{
    static const char *const variables[] = {"HOME",           "XDG_RUNTIME_DIR",
                                            "XDG_CACHE_HOME", "XDG_CONFIG_HOME",
                                            "XDG_DATA_HOME",  "XDG_STATE_HOME"};
    struct root root;
    choose_and_open(&root, "environment");
    for (gsize i = 0; i < G_N_ELEMENTS(variables); i++) {
        g_setenv(variables[i], "/elsewhere", TRUE);
    }
    g_unsetenv("LIBVIRT_LOG_OUTPUTS");
    root_export_environment(&root);
    for (gsize i = 0; i < G_N_ELEMENTS(variables); i++) {
        expect(variables[i], g_str_has_prefix(g_getenv(variables[i]), root.path));
        expect(variables[i], g_file_test(g_getenv(variables[i]), G_FILE_TEST_IS_DIR));
    }
    g_autofree char *log = g_strdup_printf("3:file:%s/log/libvirt.log", root.path);
    g_assert_cmpstr(g_getenv("LIBVIRT_LOG_OUTPUTS"), ==, log);
    g_setenv("LIBVIRT_LOG_OUTPUTS", "1:stderr", TRUE); /* somebody looks for something */
    root_export_environment(&root);
    g_assert_cmpstr(g_getenv("LIBVIRT_LOG_OUTPUTS"), ==, "1:stderr");
    root_finish(&root);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_set_nonfatal_assertions();
    if (!g_test_subprocess()) { /* which is somebody else, and could not remove it */
        scratch = g_dir_make_tmp("ocivirt-test-XXXXXX", NULL);
        g_chmod(scratch, 0755); /* test_owner() looks at it as another user */
    }
    g_test_add_func("/root/choose", test_choose);
    g_test_add_func("/root/choose-makes-absolute", test_choose_makes_absolute);
    g_test_add_func("/root/choose-default", test_choose_default);
    g_test_add_func("/root/choose-private", test_choose_private);
    g_test_add_func("/root/choose-length", test_choose_length);
    g_test_add_func("/root/open", test_open);
    g_test_add_func("/root/cannot-open", test_cannot_open);
    g_test_add_func("/root/symlink", test_symlink);
    g_test_add_func("/root/vm-of-a-dead-ocivirt", test_vm_of_a_dead_ocivirt);
    g_test_add_func("/root/sweep", test_sweep);
    g_test_add_func("/root/sweep-follows-no-link", test_sweep_follows_no_link);
    g_test_add_func("/root/foreign-directory", test_foreign_directory);
    g_test_add_func("/root/familiar-directory", test_familiar_directory);
    g_test_add_func("/root/owner", test_owner);
    g_test_add_func("/root/temporary", test_temporary);
    g_test_add_func("/root/qemu-conf", test_qemu_conf);
    g_test_add_func("/root/environment", test_environment);
    int status = g_test_run();
    if (scratch != NULL) {
        remove_all(scratch);
    }
    g_free(scratch);
    return status;
}
