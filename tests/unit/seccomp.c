// SPDX-License-Identifier: LGPL-2.1-or-later
/* What filters do is asked of the kernel: a child loads one and makes a system call. */
#include "oci/fields.h"
#include "tests/unit/expect.h"
#include "tests/unit/seccomp_profile.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <signal.h>
#include <sys/syscall.h>

/* Whether the filter can end with @value. */
static bool returns(const struct profile *p, unsigned value)
{
    const struct sock_filter *code = g_bytes_get_data(p->filter, NULL);
    for (gsize i = 0; i < instructions(p); i++) {
        if (code[i].code == (BPF_RET | BPF_K) && code[i].k == value) {
            return true;
        }
    }
    return false;
}

/* What getppid comes to under a profile of these members, its first three arguments being these. */
static int ask(const char *members, guint64 a, guint64 b, guint64 c)
{
    struct profile p;
    profile_init(&p, members);
    g_assert_true(fixture_is_fine(&p.f));
    const guint64 args[6] = {a, b, c};
    int result = call(&p, SYS_getppid, args);
    profile_finish(&p);
    return result;
}

static void test_actions(void)
{
    static const struct {
        const char *members;
        int result;
    } cases[] = {
        {RULE("SCMP_ACT_ERRNO", ""), EPERM},
        {RULE("SCMP_ACT_ERRNO", ", 'errnoRet': 5"), EIO},
        {RULE("SCMP_ACT_ERRNO", ", 'errnoRet': 4094"), 4094},
        {RULE("SCMP_ACT_ERRNO", ", 'errnoRet': 0"), 0},
        {RULE("SCMP_ACT_TRACE", ""), ENOSYS}, /* nobody traces */
        {RULE("SCMP_ACT_LOG", ""), 0},
        {RULE("SCMP_ACT_KILL", ""), -SIGSYS},
        {RULE("SCMP_ACT_KILL_THREAD", ""), -SIGSYS},
        {RULE("SCMP_ACT_KILL_PROCESS", ""), -SIGSYS},
        {RULE("SCMP_ACT_TRAP", ""), -SIGSYS},
        {"'defaultAction': 'SCMP_ACT_ALLOW'", 0},
        {"'defaultAction': 'SCMP_ACT_LOG'", 0},
        {"'defaultAction': 'SCMP_ACT_ERRNO'", EPERM},
        {"'defaultAction': 'SCMP_ACT_ERRNO', 'defaultErrnoRet': 38", ENOSYS},
        {"'defaultAction': 'SCMP_ACT_KILL'", -SIGSYS},
        {"'defaultAction': 'SCMP_ACT_ERRNO', 'syscalls': [{'names': ['getpid', 'getppid'], "
         "'action': 'SCMP_ACT_ALLOW', 'args': []}]",
         0},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        int result = ask(cases[i].members, 0, 0, 0);
        if (result != cases[i].result) {
            g_test_message("%s: %d, and should be %d", cases[i].members, result, cases[i].result);
            g_test_fail();
        }
    }
}

/* Whom a kill hits, and what a tracer would be told, is seen in the filter alone. */
static void test_return_values(void)
{
    static const struct {
        const char *members;
        unsigned value;
    } cases[] = {
        {RULE("SCMP_ACT_KILL", ""), SECCOMP_RET_KILL_THREAD},
        {RULE("SCMP_ACT_KILL_THREAD", ""), SECCOMP_RET_KILL_THREAD},
        {RULE("SCMP_ACT_KILL_PROCESS", ""), SECCOMP_RET_KILL_PROCESS},
        {RULE("SCMP_ACT_TRAP", ""), SECCOMP_RET_TRAP},
        {RULE("SCMP_ACT_LOG", ""), SECCOMP_RET_LOG},
        {RULE("SCMP_ACT_TRACE", ""), SECCOMP_RET_TRACE | EPERM},
        {RULE("SCMP_ACT_TRACE", ", 'errnoRet': 77"), SECCOMP_RET_TRACE | 77},
        {"'defaultAction': 'SCMP_ACT_TRACE', 'defaultErrnoRet': 77", SECCOMP_RET_TRACE | 77},
        /* of a foreign architecture */
        {"'defaultAction': 'SCMP_ACT_ALLOW'", SECCOMP_RET_KILL_THREAD},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        struct profile p;
        profile_init(&p, cases[i].members);
        expect(cases[i].members, p.filter != NULL && returns(&p, cases[i].value));
        profile_finish(&p);
    }
}

static void test_like_the_default(void)
{
    static const char *const cases[] = {
        RULE("SCMP_ACT_ALLOW", ""),
        "'defaultAction': 'SCMP_ACT_ERRNO', 'syscalls': [{'names': ['getppid'], 'action': "
        "'SCMP_ACT_ERRNO', 'errnoRet': 1}]",
        "'defaultAction': 'SCMP_ACT_ERRNO', 'defaultErrnoRet': 1, 'syscalls': [{'names': "
        "['getppid'], 'action': 'SCMP_ACT_ERRNO'}]",
        "'defaultAction': 'SCMP_ACT_KILL', 'syscalls': [{'names': ['getppid'], 'action': "
        "'SCMP_ACT_KILL_THREAD'}]",
    };
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        struct profile p;
        profile_init(&p, cases[i]);
        expect(cases[i], fixture_is_fine(&p.f) && p.filter != NULL);
        profile_finish(&p);
    }
    /* With another errno it is another action. */
    g_assert_cmpint(ask("'defaultAction': 'SCMP_ACT_ERRNO', 'syscalls': [{'names': ['getppid'], "
                        "'action': 'SCMP_ACT_ERRNO', 'errnoRet': 5}]",
                        0, 0, 0),
                    ==, EIO);
}

#define ARGS(list) RULE("SCMP_ACT_ERRNO", ", 'args': [" list "]")
static void test_operators(void)
{
    static const struct {
        const char *members;
        guint64 argument;
        bool matches;
    } cases[] = {
        {ARGS(ARG(0, EQ, 7, 0)), 7, true},
        {ARGS(ARG(0, EQ, 7, 0)), 8, false},
        {ARGS(ARG(0, NE, 7, 0)), 7, false},
        {ARGS(ARG(0, NE, 7, 0)), 8, true},
        {ARGS(ARG(0, LT, 7, 0)), 6, true},
        {ARGS(ARG(0, LT, 7, 0)), 7, false},
        {ARGS(ARG(0, LE, 7, 0)), 7, true},
        {ARGS(ARG(0, LE, 7, 0)), 8, false},
        {ARGS(ARG(0, GT, 7, 0)), 8, true},
        {ARGS(ARG(0, GT, 7, 0)), 7, false},
        {ARGS(ARG(0, GE, 7, 0)), 7, true},
        {ARGS(ARG(0, GE, 7, 0)), 6, false},
        /* The mask is value; valueTwo is what it has to leave. */
        {ARGS(ARG(0, MASKED_EQ, 15, 3)), 0x13, true},
        {ARGS(ARG(0, MASKED_EQ, 15, 3)), 0x17, false},
        {ARGS(ARG(0, MASKED_EQ, 3, 15)), 0x13, true}, /* libseccomp masks that too */
        {ARGS("{'index': 0, 'op': 'SCMP_CMP_MASKED_EQ', 'value': 12}"), 0x13, true},
        /* All 64 bits. */
        {ARGS(ARG(0, EQ, 18446744073709551615, 0)), G_MAXUINT64, true},
        {ARGS(ARG(0, EQ, 18446744073709551615, 0)), G_MAXUINT32, false},
        {ARGS(ARG(0, EQ, 4294967296, 0)), 4294967296, true},
        {ARGS(ARG(0, EQ, 4294967296, 0)), 0, false},
        {ARGS(ARG(0, GT, 4294967297, 0)), 4294967298, true},
        {ARGS(ARG(0, GT, 4294967297, 0)), 4294967297, false},
        {ARGS(ARG(0, GT, 4294967297, 0)), 5, false},
        {ARGS(ARG(0, LT, 4294967297, 0)), 5, true},
        {ARGS(ARG(0, MASKED_EQ, 9223372036854775808, 9223372036854775808)), G_MAXUINT64, true},
        {ARGS(ARG(0, MASKED_EQ, 9223372036854775808, 9223372036854775808)), G_MAXINT64, false},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        bool matches = ask(cases[i].members, cases[i].argument, 0, 0) == EPERM;
        if (matches != cases[i].matches) {
            g_test_message("%s: 0x%" G_GINT64_MODIFIER "x should%s match", cases[i].members,
                           cases[i].argument, cases[i].matches ? "" : " not");
            g_test_fail();
        }
    }
}

/* Each index is the argument that it says. */
static void test_index(void)
{
    for (int index = 0; index < 6; index++) {
        g_autofree char *members =
            g_strdup_printf(RULE("SCMP_ACT_ERRNO", ", 'args': [{'index': %d, 'op': 'SCMP_CMP_EQ', "
                                                   "'value': 9}]"),
                            index);
        struct profile p;
        profile_init(&p, members);
        for (int i = 0; i < 6; i++) {
            guint64 args[6] = {0};
            args[i] = 9;
            g_assert_cmpint(call(&p, SYS_getppid, args), ==, i == index ? EPERM : 0);
        }
        profile_finish(&p);
    }
}

static void test_and_or(void)
{
    static const struct {
        const char *members;
        guint64 a, b, c;
        bool matches;
    } cases[] = {
        /* Different arguments: all must match. */
        {ARGS(ARG(0, EQ, 1, 0) "," ARG(1, EQ, 2, 0)), 1, 2, 0, true},
        {ARGS(ARG(0, EQ, 1, 0) "," ARG(1, EQ, 2, 0)), 1, 0, 0, false},
        {ARGS(ARG(0, EQ, 1, 0) "," ARG(1, EQ, 2, 0)), 0, 2, 0, false},
        {ARGS(ARG(0, EQ, 1, 0) "," ARG(2, GT, 5, 0)), 1, 0, 6, true},
        {ARGS(ARG(0, EQ, 1, 0) "," ARG(2, GT, 5, 0)), 1, 0, 5, false},
        /* One twice: each is a rule. */
        {ARGS(ARG(0, EQ, 1, 0) "," ARG(0, EQ, 2, 0)), 1, 0, 0, true},
        {ARGS(ARG(0, EQ, 1, 0) "," ARG(0, EQ, 2, 0)), 2, 0, 0, true},
        {ARGS(ARG(0, EQ, 1, 0) "," ARG(0, EQ, 2, 0)), 3, 0, 0, false},
        {ARGS(ARG(0, GE, 3, 0) "," ARG(0, LE, 9, 0)), 2, 0, 0, true},
        /* Then the others are rules too. */
        {ARGS(ARG(0, EQ, 1, 0) "," ARG(1, EQ, 2, 0) "," ARG(0, EQ, 3, 0)), 0, 2, 0, true},
        /* Seven, which are more than a call has arguments. */
        {ARGS(ARG(0, EQ, 1, 0) "," ARG(0, EQ, 2, 0) "," ARG(0, EQ, 3, 0) "," ARG(
             0, EQ, 4, 0) "," ARG(0, EQ, 5, 0) "," ARG(0, EQ, 6, 0) "," ARG(0, EQ, 7, 0)),
         7, 0, 0, true},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        int result = ask(cases[i].members, cases[i].a, cases[i].b, cases[i].c);
        if ((result == EPERM) != cases[i].matches) {
            g_test_message("case %" G_GSIZE_FORMAT " %s: should%s match", i, cases[i].members,
                           cases[i].matches ? "" : " not");
            g_test_fail();
        }
    }
}

static const char *only_warning(const struct profile *p)
{
    return p->f.warnings->len == 1 ? g_ptr_array_index(p->f.warnings, 0) : NULL;
}

static void test_unknown_names(void)
{
    struct profile p;
    profile_init(&p, "'defaultAction': 'SCMP_ACT_ALLOW', 'syscalls': ["
                     "{'names': ['fly', 'getppid', 'fly'], 'action': 'SCMP_ACT_ERRNO'},"
                     "{'names': ['fly', 'dive'], 'action': 'SCMP_ACT_KILL', 'args': " //
                     "[{'index': 0, 'op': 'SCMP_CMP_EQ', 'value': 1}]},"
                     /* of a rule that is skipped: no matter */
                     "{'names': ['walk'], 'action': 'SCMP_ACT_ALLOW'}]");
    g_assert_true(fixture_is_fine(&p.f));
    g_assert_cmpstr(only_warning(&p), ==,
                    "linux.seccomp.syscalls: libseccomp does not know dive, fly: the default "
                    "action holds for what it does not know");
    g_assert_cmpint(call(&p, SYS_getppid, NULL), ==, EPERM);
    profile_finish(&p);
}

/* A file full of them, and with what a terminal must not see, makes one line. */
static void test_many_unknown_names(void)
{
    g_autoptr(GString) members =
        g_string_new("'defaultAction': 'SCMP_ACT_ALLOW', 'syscalls': [{'action': "
                     "'SCMP_ACT_ERRNO', 'names': ['\\u001b[31m'");
    for (int i = 0; i < 30; i++) {
        g_string_append_printf(members, ", 'z%02d'", i);
    }
    g_string_append(members, "]}]");
    struct profile p;
    profile_init(&p, members->str);
    const char *warning = only_warning(&p);
    g_assert_nonnull(warning);
    g_assert_nonnull(strstr(warning, "z18 and 11 more: "));
    g_assert_null(strchr(warning, '\033'));
    profile_finish(&p);
}

/* Names of other architectures, and nobody who wants to hear of unknown ones. */
static void test_quiet_names(void)
{
    struct profile p;
    profile_init(&p, RULE("SCMP_ACT_ERRNO", "}, {'names': ['socketcall', 's390_pci_mmio_read', "
                                            "'arm_sync_file_range', 'ipc', 'open', 'clone'], "
                                            "'action': 'SCMP_ACT_KILL'"));
    g_assert_true(fixture_is_fine(&p.f));
    g_assert_cmpuint(p.f.warnings->len, ==, 0);
    profile_finish(&p);

    fixture_init(&p.f, "{'ociVersion': '1.2.0', 'vm': {'kernel': {'path': '/vmlinuz'}}, 'linux': "
                       "{'seccomp': {" RULE("SCMP_ACT_ERRNO", "}, {'names': ['fly'], 'action': "
                                                              "'SCMP_ACT_KILL'") "}}}");
    p.filter = oci_seccomp_compile(&p.f.config->seccomp, "", &p.f.problems, NULL, &p.flags);
    g_assert_nonnull(p.filter);
    profile_finish(&p);
}

static void test_architectures(void)
{
    struct profile none, foreign, native;
    profile_init(&none, ARCHITECTURES(""));
    /* They are no part of this machine: as if not there, even of another byte order. */
    profile_init(&foreign, ARCHITECTURES("'SCMP_ARCH_S390X', 'SCMP_ARCH_PPC', "
                                         "'SCMP_ARCH_RISCV64', 'SCMP_ARCH_MIPSEL'"));
    profile_init(&native, ARCHITECTURES("'SCMP_ARCH_X86_64', 'SCMP_ARCH_AARCH64', "
                                        "'SCMP_ARCH_AARCH64', 'SCMP_ARCH_X86_64'"));
    struct profile *all[] = {&foreign, &native, &none};
    for (gsize i = 0; i < G_N_ELEMENTS(all); i++) {
        g_assert_true(fixture_is_fine(&all[i]->f));
        g_assert_cmpuint(all[i]->f.warnings->len, ==, 0);
        g_assert_cmpuint(instructions(all[i]), ==, instructions(&none));
        g_assert_cmpint(call(all[i], SYS_getppid, NULL), ==, 0);
        profile_finish(all[i]);
    }
}

#ifdef __x86_64__
static bool compares(const struct profile *p, unsigned value)
{
    const struct sock_filter *code = g_bytes_get_data(p->filter, NULL);
    for (gsize i = 0; i < instructions(p); i++) {
        if (code[i].code == (BPF_JMP | BPF_JEQ | BPF_K) && code[i].k == value) {
            return true;
        }
    }
    return false;
}

static void test_compatibility(void)
{
    struct profile without, with;
    profile_init(&without, ARCHITECTURES("'SCMP_ARCH_X86_64'"));
    profile_init(&with, ARCHITECTURES("'SCMP_ARCH_X86', 'SCMP_ARCH_X32'"));
    g_assert_cmpint(call(&without, 0x40000000 + SYS_getppid, NULL), ==, -SIGSYS);
    /* The kernel may have no such calls; the filter lets them pass. */
    int x32 = call(&with, 0x40000000 + SYS_getppid, NULL);
    g_assert_true(x32 == 0 || x32 == ENOSYS);
    g_assert_false(compares(&without, AUDIT_ARCH_I386));
    g_assert_true(compares(&with, AUDIT_ARCH_I386));
    if (seccomp_child_int80(NULL) != 0) {
        g_test_message("this kernel runs no 32-bit programs: only the filter has been looked at");
    } else {
        g_assert_cmpint(seccomp_child_int80(without.filter), ==, -SIGSYS);
        g_assert_cmpint(seccomp_child_int80(with.filter), ==, 0);
    }
    profile_finish(&without);
    profile_finish(&with);
}
#endif

/* Every word that decoding lets through is one that compiling knows. */
static void test_words(void)
{
    const struct oci_field *rule = oci_fields_find(oci_fields_seccomp, "syscalls")->fields;
    const struct {
        const char *const *words;
        const char *format;
    } lists[] = {
        {oci_fields_find(oci_fields_seccomp, "defaultAction")->words, "'defaultAction': '%s'"},
        {oci_fields_find(rule, "action")->words,
         "'defaultAction': 'SCMP_ACT_LOG', 'syscalls': [{'names': "
         "['getppid'], 'action': '%s'}]"},
        {oci_fields_find(oci_fields_find(rule, "args")->fields, "op")->words,
         RULE("SCMP_ACT_ERRNO", ", 'args': [{'index': 0, 'value': 1, 'op': '%s'}]")},
        {oci_fields_find(oci_fields_seccomp, "flags")->words,
         "'defaultAction': 'SCMP_ACT_ALLOW', 'flags': ['%s']"},
        {oci_fields_find(oci_fields_seccomp, "architectures")->words, ARCHITECTURES("'%s'")},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(lists); i++) {
        for (const char *const *word = lists[i].words; *word != NULL; word++) {
            g_autofree char *before = g_strdup_printf("%s", lists[i].format);
            g_auto(GStrv) halves = g_strsplit(before, "%s", 2);
            g_autofree char *members = g_strconcat(halves[0], *word, halves[1], NULL);
            struct profile p;
            profile_init(&p, members);
            /* Those are problems; a listener does not change that (test_notify). */
            expect(*word, p.filter != NULL || g_str_equal(*word, "SCMP_ACT_NOTIFY"));
            profile_finish(&p);
        }
    }
}

static void test_unknown_architectures(void)
{
    const char *const *word = oci_fields_find(oci_fields_seccomp, "architectures")->words;
    for (; *word != NULL; word++) {
        g_autofree char *members = g_strdup_printf(ARCHITECTURES("'%s'"), *word);
        g_autofree char *name = g_ascii_strdown(*word + strlen("SCMP_ARCH_"), -1);
        struct profile p;
        profile_init(&p, members);
        expect(*word, fixture_is_fine(&p.f));
        const char *warning = only_warning(&p);
        expect(*word, (warning != NULL) == (seccomp_arch_resolve_name(name) == 0));
        expect(*word, warning == NULL || strstr(warning, *word) != NULL);
        profile_finish(&p);
    }
}

static void test_flags(void)
{
    static const struct {
        const char *members;
        unsigned flags;
    } cases[] = {
        {"", SECCOMP_FILTER_FLAG_SPEC_ALLOW},
        {", 'flags': []", 0},
        {", 'flags': ['SECCOMP_FILTER_FLAG_TSYNC']", SECCOMP_FILTER_FLAG_TSYNC},
        {", 'flags': ['SECCOMP_FILTER_FLAG_LOG']", SECCOMP_FILTER_FLAG_LOG},
        {", 'flags': ['SECCOMP_FILTER_FLAG_SPEC_ALLOW']", SECCOMP_FILTER_FLAG_SPEC_ALLOW},
        {", 'flags': ['SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV']", 0},
        {", 'flags': ['SECCOMP_FILTER_FLAG_LOG', 'SECCOMP_FILTER_FLAG_TSYNC']",
         SECCOMP_FILTER_FLAG_LOG | SECCOMP_FILTER_FLAG_TSYNC},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *members =
            g_strconcat("'defaultAction': 'SCMP_ACT_ALLOW'", cases[i].members, NULL);
        struct profile p;
        profile_init(&p, members);
        expect_uint(cases[i].members, p.flags, cases[i].flags);
        /* And the kernel takes them. */
        expect_uint(cases[i].members, call(&p, SYS_getppid, NULL), 0);
        profile_finish(&p);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_set_nonfatal_assertions();
    g_test_add_func("/seccomp/actions", test_actions);
    g_test_add_func("/seccomp/return-values", test_return_values);
    g_test_add_func("/seccomp/like-the-default", test_like_the_default);
    g_test_add_func("/seccomp/operators", test_operators);
    g_test_add_func("/seccomp/index", test_index);
    g_test_add_func("/seccomp/and-or", test_and_or);
    g_test_add_func("/seccomp/unknown-names", test_unknown_names);
    g_test_add_func("/seccomp/many-unknown-names", test_many_unknown_names);
    g_test_add_func("/seccomp/quiet-names", test_quiet_names);
    g_test_add_func("/seccomp/architectures", test_architectures);
#ifdef __x86_64__
    g_test_add_func("/seccomp/compatibility", test_compatibility);
#endif
    g_test_add_func("/seccomp/words", test_words);
    g_test_add_func("/seccomp/unknown-architectures", test_unknown_architectures);
    g_test_add_func("/seccomp/flags", test_flags);
    return g_test_run();
}
