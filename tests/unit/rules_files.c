// SPDX-License-Identifier: LGPL-2.1-or-later
#include "oci/rules.h"
#include "tests/unit/expect.h"
#include "tests/unit/fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

/*
 * linux.devices and hooks against the files that are there. A test cannot make block devices, so
 * those below /fake are made up: the three calls that look at them are ours, for the whole program.
 */

static const struct {
    const char *path;
    mode_t mode;
    unsigned major, minor;
    int forbidden; /* of R_OK, W_OK, X_OK */
    int open_error;
} fakes[] = {
    {"/fake/disk", S_IFBLK, 8, 16, 0, 0},
    {"/fake/read-only", S_IFBLK, 8, 16, W_OK, 0},
    {"/fake/unreadable", S_IFBLK, 8, 16, R_OK | W_OK, 0},
    {"/fake/mounted", S_IFBLK, 8, 16, 0, EBUSY},
    {"/fake/empty-drive", S_IFBLK, 8, 16, 0, ENOMEDIUM},
    {"/fake/character", S_IFCHR, 8, 16, 0, 0},
    {"/fake/file", S_IFREG, 0, 0, X_OK, 0},
    {"/fake/program", S_IFREG, 0, 0, 0, 0},
    {"/fake/directory", S_IFDIR, 0, 0, 0, 0},
};

static int find_fake(const char *path)
{
    for (gsize i = 0; i < G_N_ELEMENTS(fakes); i++) {
        if (g_str_equal(fakes[i].path, path)) {
            return i;
        }
    }
    return -1;
}

/* By their names in the object file: the headers may have made them inline. */
int fake_stat(const char *path, struct stat *status) __asm__("stat");
int fake_faccessat(int directory, const char *path, int mode, int flags) __asm__("faccessat");
int fake_open(const char *path, int flags, ...) __asm__("open");

int fake_stat(const char *path, struct stat *status)
{
    int fake = find_fake(path);
    if (fake < 0) {
        return fstatat(AT_FDCWD, path, status, 0);
    }
    *status = (struct stat){.st_mode = fakes[fake].mode,
                            .st_rdev = makedev(fakes[fake].major, fakes[fake].minor)};
    return 0;
}

int fake_faccessat(int directory, const char *path, int mode, int flags)
{
    int fake = find_fake(path);
    (void)directory;
    (void)flags;
    errno = fake < 0 ? ENOENT : EACCES;
    return fake < 0 || (fakes[fake].forbidden & mode) != 0 ? -1 : 0;
}

int fake_open(const char *path, int flags, ...)
{
    int fake = find_fake(path);
    va_list args;
    va_start(args, flags);
    mode_t mode = flags & O_CREAT ? va_arg(args, mode_t) : 0;
    va_end(args);
    if (fake >= 0 && fakes[fake].open_error != 0) {
        g_assert_true(flags & O_EXCL); /* without it the kernel does not tell */
        errno = fakes[fake].open_error;
        return -1;
    }
    return openat(AT_FDCWD, fake >= 0 ? "/dev/null" : path, fake >= 0 ? O_RDONLY : flags, mode);
}

/* @message NULL: there must be no problem. */
static void check(const char *members, const char *where, const char *message)
{
    g_autofree char *json = g_strdup_printf(
        "{'ociVersion':'1.0.0','vm':{'image':{'path':'/fake/program'}},%s}", members);
    struct fixture f;
    fixture_init(&f, json);
    g_assert_true(fixture_is_fine(&f));
    oci_rules_check_files(f.config, &f.problems);
    if (message == NULL) {
        g_assert_true(fixture_is_fine(&f));
    } else {
        g_assert_true(fixture_has_only(&f, where, message));
    }
    fixture_finish(&f);
}

static void check_disk(const char *path, const char *message)
{
    g_autofree char *members =
        g_strdup_printf("'linux':{'devices':[{'type':'c','path':'/dev/null','major':1,'minor':3},"
                        "{'type':'b','path':'%s','major':8,'minor':16}]}",
                        path);
    check(members, "linux.devices[1].path", message);
}

static void test_disks(void)
{
    check_disk("/fake/disk", NULL);
    check_disk("/fake/empty-drive", NULL); /* QEMU will say what is wrong with it */
    check_disk("/fake/mounted", "/fake/mounted is in use on the host, mounted perhaps");
    check_disk("/fake/read-only", "cannot open the device /fake/read-only: Permission denied");
    check_disk("/fake/unreadable", "cannot open the device /fake/unreadable: Permission denied");
    check_disk("/fake/character", "/fake/character is not a block device, and type says b");
    check_disk("/fake/none", "there is no device /fake/none: No such file or directory; give it to "
                             "the container (podman: --device /fake/none)");
}

static void test_disk_numbers(void)
{
    check("'linux':{'devices':[{'type':'b','path':'/fake/disk','major':8,'minor':17}]}",
          "linux.devices[0].path",
          "/fake/disk is device 8:16, and not 8:17 as major and minor say");
    check("'linux':{'devices':[{'type':'b','path':'/fake/disk','major':9,'minor':16}]}",
          "linux.devices[0].path",
          "/fake/disk is device 8:16, and not 9:16 as major and minor say");
}

/* A disk that the guest only reads need not be writable. */
static void test_read_only_disks(void)
{
    check("'linux':{'devices':[{'type':'b','path':'/fake/read-only','major':8,'minor':16,"
          "'fileMode':292}]}",
          NULL, NULL);
    check("'linux':{'devices':[{'type':'b','path':'/fake/read-only','major':8,'minor':16}],"
          "'resources':{'devices':[{'allow':true,'type':'b','major':8,'access':'r'}]}}",
          NULL, NULL);
    check("'linux':{'devices':[{'type':'b','path':'/fake/unreadable','major':8,'minor':16,"
          "'fileMode':292}]}",
          "linux.devices[0].path", "Permission denied");
}

/* What becomes no disk is not looked for. */
static void test_other_devices(void)
{
    check("'linux':{'devices':[{'type':'c','path':'/fake/none','major':1,'minor':3},"
          "{'type':'c','path':'/dev/kvm','major':10,'minor':232},"
          "{'type':'p','path':'/fake/fifo'}]}",
          NULL, NULL);
    check("'linux':{'devices':[{'type':'b','path':'/fake/none','major':8,'minor':16}],"
          "'resources':{'devices':[{'allow':true,'access':'rwm'}]}}",
          NULL, NULL);
}

static void test_hooks(void)
{
    static const char *const kinds[] = {"prestart", "createRuntime", "createContainer", "poststart",
                                        "poststop"};
    for (gsize i = 0; i < G_N_ELEMENTS(kinds); i++) {
        g_autofree char *where = g_strdup_printf("hooks.%s[1].path", kinds[i]);
        static const char *const cases[][2] = {
            {"/fake/program", NULL},
            {"/fake/file", "cannot execute the hook /fake/file: Permission denied"},
            {"/fake/none", "cannot execute the hook /fake/none: No such file or directory"},
            {"/fake/directory", "/fake/directory is not a program"},
        };
        for (gsize k = 0; k < G_N_ELEMENTS(cases); k++) {
            g_autofree char *members = g_strdup_printf(
                "'hooks':{'%s':[{'path':'/fake/program'},{'path':'%s'}]}", kinds[i], cases[k][0]);
            check(members, where, cases[k][1]);
        }
    }
}

static void test_network_namespace(void)
{
    check("'linux':{'namespaces':[{'type':'pid','path':'/fake/none'},"
          "{'type':'network','path':'/proc/self/ns/net'}]}",
          NULL, NULL);
    check("'linux':{'namespaces':[{'type':'pid'},{'type':'network','path':'/proc/self/ns/mnt'}]}",
          "linux.namespaces[1].path", "/proc/self/ns/mnt is not a network namespace");
    check("'linux':{'namespaces':[{'type':'network','path':'/fake/program'}]}",
          "linux.namespaces[0].path", "/fake/program is not a network namespace");
    check("'linux':{'namespaces':[{'type':'network','path':'/fake/none'}]}",
          "linux.namespaces[0].path", "cannot open the network namespace /fake/none: No such file");
}

/* A config with problems of its own is looked at, too: what it lacks is no reason to stop. */
static void test_beside_mistakes(void)
{
    struct fixture f;
    fixture_init(&f, "{'ociVersion':'1.0.0','vm':{'image':{'path':'/fake/program'}},"
                     "'linux':{'devices':[{'type':'b'},{'path':'/fake/none'},{}],"
                     "'namespaces':[{'path':'/fake/none'}]},'hooks':{'prestart':[{}]}}");
    guint before = f.problems.list->len;
    oci_rules_check_files(f.config, &f.problems);
    g_assert_cmpuint(f.problems.list->len, ==, before);
    fixture_finish(&f);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_set_nonfatal_assertions();
    g_test_add_func("/rules-files/disks", test_disks);
    g_test_add_func("/rules-files/disk-numbers", test_disk_numbers);
    g_test_add_func("/rules-files/read-only-disks", test_read_only_disks);
    g_test_add_func("/rules-files/other-devices", test_other_devices);
    g_test_add_func("/rules-files/hooks", test_hooks);
    g_test_add_func("/rules-files/network-namespace", test_network_namespace);
    g_test_add_func("/rules-files/beside-mistakes", test_beside_mistakes);
    return g_test_run();
}
