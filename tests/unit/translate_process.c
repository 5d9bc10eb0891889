// SPDX-License-Identifier: LGPL-2.1-or-later
#include "oci/translate.h"
#include "oci/values.h"
#include "tests/unit/expect.h"
#include "tests/unit/fixture.h"

#include <sched.h>
#include <sys/resource.h>

/* What of a config is for the QEMU process, and stands in no XML. */

static struct vm_spec *translate(const char *process, const char *members)
{
    static const struct oci_host host = {
        .cpus = 2,
        .emulator = "/q",
        .id = "golden",
        .root = "/r",
    };
    g_autofree char *json = g_strdup_printf("{'ociVersion':'1.0.0','vm':{'kernel':{'path':'/k'}},"
                                            "'process':{'args':['a'],'cwd':'/'%s},'linux':{%s}}",
                                            process, members);
    struct fixture f;
    fixture_init(&f, json);
    fixture_read_settings(&f, NULL);
    g_assert_true(fixture_is_fine(&f));
    struct vm_spec *spec = oci_translate(f.config, &f.settings, &host, &f.problems);
    g_assert_true(fixture_is_fine(&f));
    fixture_finish(&f);
    return spec;
}

static void test_nothing(void)
{
    static const struct vm_process nothing;
    g_autoptr(vm_spec) spec = translate("", "");
    g_assert_cmpmem(&spec->process, sizeof(nothing), &nothing, sizeof(nothing));
    g_assert_null(spec->network_namespace);
    g_assert_null(spec->security_label);
}

static void test_limits(void)
{
    g_autoptr(vm_spec) spec = translate(
        ",'rlimits':[{'type':'RLIMIT_NOFILE','soft':1024,'hard':4096},"
        "{'type':'RLIMIT_MEMLOCK','soft':18446744073709551615,'hard':18446744073709551615},"
        "{'type':'RLIMIT_CORE','soft':0,'hard':9223372036854775808}]",
        "");
    static const struct vm_limit expected[] = {
        {RLIMIT_NOFILE, 1024, 4096},
        {RLIMIT_MEMLOCK, G_MAXUINT64, G_MAXUINT64},
        {RLIMIT_CORE, 0, (guint64)1 << 63},
    };
    g_assert_cmpuint(spec->process.limit_count, ==, G_N_ELEMENTS(expected));
    for (gsize i = 0; i < G_N_ELEMENTS(expected); i++) {
        g_assert_cmpint(spec->process.limits[i].resource, ==, expected[i].resource);
        g_assert_cmpuint(spec->process.limits[i].soft, ==, expected[i].soft);
        g_assert_cmpuint(spec->process.limits[i].hard, ==, expected[i].hard);
    }
}

/* All kinds at once fit, and each has its number. */
static void test_every_limit(void)
{
    static const struct {
        const char *name;
        int resource;
    } limits[] = {
        {"RLIMIT_AS", RLIMIT_AS},
        {"RLIMIT_CORE", RLIMIT_CORE},
        {"RLIMIT_CPU", RLIMIT_CPU},
        {"RLIMIT_DATA", RLIMIT_DATA},
        {"RLIMIT_FSIZE", RLIMIT_FSIZE},
        {"RLIMIT_LOCKS", RLIMIT_LOCKS},
        {"RLIMIT_MEMLOCK", RLIMIT_MEMLOCK},
        {"RLIMIT_MSGQUEUE", RLIMIT_MSGQUEUE},
        {"RLIMIT_NICE", RLIMIT_NICE},
        {"RLIMIT_NOFILE", RLIMIT_NOFILE},
        {"RLIMIT_NPROC", RLIMIT_NPROC},
        {"RLIMIT_RSS", RLIMIT_RSS},
        {"RLIMIT_RTPRIO", RLIMIT_RTPRIO},
        {"RLIMIT_RTTIME", RLIMIT_RTTIME},
        {"RLIMIT_SIGPENDING", RLIMIT_SIGPENDING},
        {"RLIMIT_STACK", RLIMIT_STACK},
    };
    G_STATIC_ASSERT(G_N_ELEMENTS(limits) == VM_LIMITS_MAX);
    GString *list = g_string_new(",'rlimits':[");
    for (gsize i = 0; i < G_N_ELEMENTS(limits); i++) {
        g_string_append_printf(list, "%s{'type':'%s','soft':%zu,'hard':100}", i > 0 ? "," : "",
                               limits[i].name, i);
    }
    g_string_append(list, "]");
    g_autoptr(vm_spec) spec = translate(list->str, "");
    g_assert_cmpuint(spec->process.limit_count, ==, VM_LIMITS_MAX);
    for (gsize i = 0; i < G_N_ELEMENTS(limits); i++) {
        expect(limits[i].name, spec->process.limits[i].resource == limits[i].resource);
        expect_uint(limits[i].name, spec->process.limits[i].soft, i);
    }
    g_string_free(list, TRUE);
    g_assert_cmpint(oci_value_rlimit("RLIMIT_X"), ==, -1);
}

static void test_oom_score_adj(void)
{
    static const int values[] = {-1000, -1, 0, 1, 1000};
    for (gsize i = 0; i < G_N_ELEMENTS(values); i++) {
        g_autofree char *member = g_strdup_printf(",'oomScoreAdj':%d", values[i]);
        g_autoptr(vm_spec) spec = translate(member, "");
        expect(member, spec->process.set_oom_score_adj);
        expect(member, spec->process.oom_score_adj == values[i]);
    }
}

static void test_io_priority(void)
{
    static const struct {
        const char *member;
        int class, priority;
    } cases[] = {
        {",'ioPriority':{'class':'IOPRIO_CLASS_RT','priority':0}", 1, 0},
        {",'ioPriority':{'class':'IOPRIO_CLASS_BE','priority':7}", 2, 7},
        {",'ioPriority':{'class':'IOPRIO_CLASS_IDLE'}", 3, 0},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(vm_spec) spec = translate(cases[i].member, "");
        expect(cases[i].member, spec->process.set_io_priority);
        expect(cases[i].member, spec->process.io_class == cases[i].class);
        expect(cases[i].member, spec->process.io_priority == cases[i].priority);
        expect(cases[i].member, !spec->process.set_scheduler && !spec->process.set_oom_score_adj);
    }
}

static void test_scheduler(void)
{
    static const struct {
        const char *member;
        int policy, priority, nice;
    } cases[] = {
        {"'policy':'SCHED_OTHER','nice':-20", SCHED_OTHER, 0, -20},
        {"'policy':'SCHED_FIFO','priority':99", SCHED_FIFO, 99, VM_NICE_INHERITED},
        {"'policy':'SCHED_RR','priority':1,'nice':3", SCHED_RR, 1, 3},
        {"'policy':'SCHED_BATCH','nice':0,'priority':0", SCHED_BATCH, 0, 0},
        {"'policy':'SCHED_IDLE'", SCHED_IDLE, 0, VM_NICE_INHERITED},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *member = g_strdup_printf(",'scheduler':{%s}", cases[i].member);
        g_autoptr(vm_spec) spec = translate(member, "");
        expect(member, spec->process.set_scheduler);
        expect(member, spec->process.scheduler_policy == cases[i].policy);
        expect(member, spec->process.scheduler_priority == cases[i].priority);
        expect(member, spec->process.nice == cases[i].nice);
    }
}

/* A network namespace is joined where it has a path; others are not ours. */
static void test_namespace(void)
{
    static const struct {
        const char *namespaces;
        const char *path;
    } cases[] = {
        {"'namespaces':[{'type':'network','path':'/run/netns/a'}]", "/run/netns/a"},
        {"'namespaces':[{'type':'pid','path':'/p'},{'type':'network','path':'/n'},{'type':'ipc'}]",
         "/n"},
        {"'namespaces':[{'type':'network'}]", NULL},
        {"'namespaces':[{'type':'network','path':''}]", NULL},
        {"'namespaces':[{'type':'mount','path':'/m'}]", NULL},
        {"'namespaces':[]", NULL},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(vm_spec) spec = translate("", cases[i].namespaces);
        expect_str(cases[i].namespaces, spec->network_namespace, cases[i].path);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_set_nonfatal_assertions();
    g_test_add_func("/translate-process/nothing", test_nothing);
    g_test_add_func("/translate-process/limits", test_limits);
    g_test_add_func("/translate-process/every-limit", test_every_limit);
    g_test_add_func("/translate-process/oom-score-adj", test_oom_score_adj);
    g_test_add_func("/translate-process/io-priority", test_io_priority);
    g_test_add_func("/translate-process/scheduler", test_scheduler);
    g_test_add_func("/translate-process/namespace", test_namespace);
    return g_test_run();
}
