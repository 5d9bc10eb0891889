// SPDX-License-Identifier: LGPL-2.1-or-later
/* Seccomp profiles that become no filter, and those that just about do. */
#include "tests/unit/expect.h"
#include "tests/unit/seccomp_profile.h"

#include <errno.h>
#include <seccomp.h>
#include <sys/syscall.h>

static void test_notify(void)
{
    static const struct {
        const char *members, *where;
    } cases[] = {
        {"'defaultAction': 'SCMP_ACT_NOTIFY', 'listenerPath': '/s'", "linux.seccomp.defaultAction"},
        {"'listenerPath': '/s', " RULE("SCMP_ACT_LOG", "}, {'names': ['getpid'], 'action': "
                                                       "'SCMP_ACT_NOTIFY'"),
         "linux.seccomp.syscalls[1].action"},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        struct profile p;
        profile_init(&p, cases[i].members);
        g_assert_null(p.filter);
        expect(cases[i].where,
               fixture_has_only(&p.f, cases[i].where, "use SCMP_ACT_ERRNO or SCMP_ACT_LOG"));
        profile_finish(&p);
    }
}

static void test_contradiction(void)
{
    struct profile p;
    profile_init(
        &p, "'defaultAction': 'SCMP_ACT_ALLOW', 'syscalls': ["
            "{'names': ['getppid'], 'action': 'SCMP_ACT_ERRNO', 'args': [" //
        ARG(0, EQ, 1, 0) "]},"
                         "{'names': ['getpid', 'getppid'], 'action': 'SCMP_ACT_KILL', 'args': [" //
        ARG(0, EQ, 1, 0) "]}]");
    g_assert_null(p.filter);
    g_assert_true(fixture_has_only(&p.f, "linux.seccomp.syscalls[1].names[1]", "another action"));
    profile_finish(&p);
}

/* @count rules, each with a value of its own: equal conditions of two system calls would be one. */
static void try_size(int count, gsize *size, bool *refused)
{
    static const char *const names[] = {"getppid", "getuid", "getgid", "getpid"};
    g_autoptr(GString) members = g_string_new("'defaultAction': 'SCMP_ACT_ALLOW', 'syscalls': [");
    for (int i = 0; i < count; i++) {
        g_string_append_printf(members,
                               "%s{'names': ['%s'], 'action': 'SCMP_ACT_ERRNO', 'args': "
                               "[{'index': 0, 'op': 'SCMP_CMP_EQ', 'value': %d}]}",
                               i > 0 ? ", " : "", names[i % G_N_ELEMENTS(names)], i);
    }
    g_string_append(members, "]");
    struct profile p;
    profile_init(&p, members->str);
    p.f.json = "many rules";
    *size = instructions(&p);
    *refused = p.filter == NULL && fixture_has_only(&p.f, "linux.seccomp", "fewer");
    if (p.filter != NULL) {
        g_assert_cmpint(call(&p, SYS_getppid, (const guint64[6]){count - 4}), ==, EPERM);
        g_assert_cmpint(call(&p, SYS_getppid, (const guint64[6]){count}), ==, 0);
    }
    profile_finish(&p);
}

static void test_size(void)
{
    gsize size;
    bool refused;
    try_size(600, &size, &refused);
    g_assert_false(refused);
    g_assert_cmpuint(size, >, 600);
    g_assert_cmpuint(size, <=, BPF_MAXINSNS);
    try_size(700, &size, &refused);
    g_assert_true(refused);
    try_size(30000, &size, &refused);
    g_assert_true(refused);
}

/* What counts is rules for architectures, not names: one rule for all system calls there are. */
static void test_many_names(void)
{
    g_autoptr(GString) members =
        g_string_new(ARCHITECTURES("'SCMP_ARCH_X86_64', 'SCMP_ARCH_X86', 'SCMP_ARCH_X32', "
                                   "'SCMP_ARCH_AARCH64', 'SCMP_ARCH_ARM'") ", 'syscalls': [{"
                                                                           "'action': "
                                                                           "'SCMP_ACT_ERRNO', "
                                                                           "'names': ['getppid'");
    for (int number = 0; number < 1000; number++) {
        char *name = seccomp_syscall_resolve_num_arch(SCMP_ARCH_NATIVE, number);
        if (name != NULL && !g_str_equal(name, "exit_group")) {
            g_string_append_printf(members, ", '%s'", name);
        }
        free(name);
    }
    g_string_append(members, "]}]");
    struct profile p;
    profile_init(&p, members->str);
    p.f.json = "all system calls";
    g_assert_true(fixture_is_fine(&p.f));
    g_assert_cmpuint(instructions(&p), >, 300);
    g_assert_cmpint(call(&p, SYS_getppid, NULL), ==, EPERM);
    g_assert_cmpint(call(&p, SYS_getuid, NULL), ==, EPERM);
    profile_finish(&p);
}

static void test_templates(void)
{
    static const struct {
        const char *members, *where; /* NULL: it is none */
    } cases[] = {
        {"'archMap': [{'architecture': 'SCMP_ARCH_X86_64', 'subArchitectures': []}]",
         "linux.seccomp.archMap"},
        {"'archMap': []", NULL},
        {"'syscalls': [{'names': ['read'], 'action': 'SCMP_ACT_ALLOW'}, {'names': ['mount'], "
         "'action': 'SCMP_ACT_ALLOW', 'includes': {'caps': ['CAP_SYS_ADMIN']}}]",
         "linux.seccomp.syscalls[1].includes"},
        {"'syscalls': [{'names': ['mount'], 'action': 'SCMP_ACT_ALLOW', 'excludes': {'arches': "
         "['s390']}}]",
         "linux.seccomp.syscalls[0].excludes"},
        {"'syscalls': [{'names': ['mount'], 'action': 'SCMP_ACT_ALLOW', 'includes': {}, "
         "'excludes': {}}]",
         NULL},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *members =
            g_strconcat("'defaultAction': 'SCMP_ACT_ERRNO', ", cases[i].members, NULL);
        struct profile p;
        profile_init(&p, members);
        expect(members, cases[i].where == NULL
                            ? fixture_is_fine(&p.f)
                            : fixture_has_only(&p.f, cases[i].where, "template"));
        profile_finish(&p);
    }
    /* Nothing that is no object confuses it. */
    struct profile p;
    profile_init(&p, "'defaultAction': 'SCMP_ACT_ERRNO'");
    oci_seccomp_check_template(NULL, "", &p.f.problems);
    oci_seccomp_check_template(json_null(), "", &p.f.problems);
    g_assert_true(fixture_is_fine(&p.f));
    profile_finish(&p);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_set_nonfatal_assertions();
    g_test_add_func("/seccomp-refuse/notify", test_notify);
    g_test_add_func("/seccomp-refuse/contradiction", test_contradiction);
    g_test_add_func("/seccomp-refuse/size", test_size);
    g_test_add_func("/seccomp-refuse/many-names", test_many_names);
    g_test_add_func("/seccomp-refuse/templates", test_templates);
    return g_test_run();
}
