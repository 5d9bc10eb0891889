// SPDX-License-Identifier: LGPL-2.1-or-later
// The launcher, as libvirt runs it, with /bin/sh in QEMU's place.
#include "src/launch/plan.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/ioprio.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stddef.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static char *scratch; /* a folder, with the link, the plan and the notes */
static char *launcher;

/* What a run of it has left. */
struct result {
    int status;
    char *output, *errors, *notes;
};

static char *in_scratch(const char *name)
{
    return g_build_filename(scratch, name, NULL);
}

static struct launch_plan make_plan(void)
{
    struct launch_plan plan;
    memset(&plan, 0, sizeof(plan));
    memcpy(plan.magic, LAUNCH_MAGIC, sizeof(plan.magic));
    strcpy(plan.program, "/bin/sh");
    return plan;
}

/* As many bytes as @size says; a plan has its own size and its filter's. */
static void write_plan(const struct launch_plan *plan, const struct sock_filter *filter,
                       gsize instructions, gsize size)
{
    g_autofree char *path = in_scratch(LAUNCH_PLAN);
    g_autoptr(GByteArray) bytes = g_byte_array_new();
    g_byte_array_append(bytes, (const guint8 *)plan, sizeof(*plan));
    g_byte_array_append(bytes, (const guint8 *)filter, instructions * sizeof(*filter));
    g_byte_array_set_size(bytes, size);
    g_assert_true(g_file_set_contents_full(path, (const char *)bytes->data, bytes->len,
                                           G_FILE_SET_CONTENTS_CONSISTENT, 0600, NULL));
}

/* In the child. Root without these is like a plain user where it counts. */
static void drop_privileges(gpointer data)
{
    (void)data;
    struct rlimit limit = {64, 128};
    setrlimit(RLIMIT_NOFILE, &limit);
    prctl(PR_CAPBSET_DROP, CAP_SYS_RESOURCE, 0, 0, 0);
    prctl(PR_CAPBSET_DROP, CAP_SYS_NICE, 0, 0, 0);
    prctl(PR_CAPBSET_DROP, CAP_SYS_ADMIN, 0, 0, 0);
}

static void run_as(struct result *result, const char *name, const char *script,
                   GSpawnChildSetupFunc setup)
{
    g_autofree char *notes = in_scratch(LAUNCH_NOTES);
    const char *argv[] = {launcher, name, "-c", script, "", "last", NULL};
    const char *envp[] = {"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "GREETING=hello", NULL};
    GError *error = NULL;
    g_unlink(notes);
    g_spawn_sync(NULL, (char **)argv, (char **)envp, G_SPAWN_FILE_AND_ARGV_ZERO, setup, NULL,
                 &result->output, &result->errors, &result->status, &error);
    g_assert_no_error(error);
    if (!g_file_get_contents(notes, &result->notes, NULL, NULL)) {
        result->notes = g_strdup("");
    }
}

static void run(struct result *result, const char *script, GSpawnChildSetupFunc setup)
{
    g_autofree char *link = in_scratch("qemu-system-x86_64");
    run_as(result, link, script, setup);
}

static void result_finish(struct result *result)
{
    g_free(result->output);
    g_free(result->errors);
    g_free(result->notes);
}

static void expect_text(const char *text, const char *wanted)
{
    if (strstr(text, wanted) == NULL) {
        g_error("no \"%s\" in: %s", wanted, text);
    }
}

/* The plan is carried out, and @script prints @output. */
static void expect_output(const struct launch_plan *plan, const char *script, const char *output)
{
    struct result result;
    write_plan(plan, NULL, 0, sizeof(*plan));
    run(&result, script, NULL);
    g_assert_cmpstr(result.errors, ==, "");
    g_assert_cmpstr(result.output, ==, output);
    g_assert_cmpstr(result.notes, ==, "");
    g_assert_cmpint(result.status, ==, 0);
    result_finish(&result);
}

/* What needs a privilege is noted, and the program runs all the same. */
static void expect_warning(const struct launch_plan *plan, const char *script, const char *output,
                           const char *warning)
{
    struct result result;
    write_plan(plan, NULL, 0, sizeof(*plan));
    run(&result, script, drop_privileges);
    g_assert_cmpint(result.status, ==, 0);
    g_assert_cmpstr(result.output, ==, output);
    expect_text(result.errors, warning);
    g_assert_cmpint(result.notes[0], ==, LAUNCH_WARNING);
    expect_text(result.notes, warning);
    g_assert_true(g_str_has_suffix(result.notes, "\n"));
    result_finish(&result);
}

static void expect_end(int status, const char *message)
{
    struct result result;
    run(&result, "echo must not run", NULL);
    g_assert_true(WIFEXITED(result.status));
    g_assert_cmpint(WEXITSTATUS(result.status), ==, status);
    g_assert_cmpstr(result.output, ==, "");
    expect_text(result.errors, message);
    g_assert_true(g_str_has_prefix(result.errors, "ocivirt-launch: "));
    if (*result.notes != '\0') {
        g_assert_cmpint(result.notes[0], ==, LAUNCH_FAILURE);
        expect_text(result.notes, message);
    }
    result_finish(&result);
}

/* --- what it becomes --- */

static void test_arguments(void)
{
    struct launch_plan plan = make_plan();
    expect_output(&plan, "tr '\\0' '|' </proc/$$/cmdline; echo $GREETING",
                  "/bin/sh|-c|tr '\\0' '|' </proc/$$/cmdline; echo $GREETING||last|hello\n");
}

static void test_no_new_privileges(void)
{
    struct launch_plan plan = make_plan();
    expect_output(&plan, "grep NoNewPrivs /proc/self/status", "NoNewPrivs:\t1\n");
}

/* Nothing of the launcher's own is left open. */
static void test_descriptors(void)
{
    struct launch_plan plan = make_plan();
    expect_output(&plan, "ls /proc/$$/fd; true", "0\n1\n2\n");
}

/* --- limits and priorities --- */

static void test_limits(void)
{
    struct launch_plan plan = make_plan();
    plan.limits[0] = (struct launch_limit){RLIMIT_NOFILE, 50, 60};
    plan.limits[1] = (struct launch_limit){RLIMIT_CORE, 0, 0};
    plan.limit_count = 2;
    expect_output(&plan, "ulimit -Sn; ulimit -Hn; ulimit -Hc", "50\n60\n0\n");
}

static void test_limits_beyond(void)
{
    struct launch_plan plan = make_plan();
    plan.limits[0] = (struct launch_limit){RLIMIT_NOFILE, 100, 1000};
    plan.limit_count = 1;
    expect_warning(&plan, "ulimit -Sn; ulimit -Hn", "100\n128\n",
                   "process.rlimits: RLIMIT_NOFILE cannot be raised beyond 128");
    plan.limits[0] = (struct launch_limit){RLIMIT_NOFILE, -1, -1};
    expect_warning(&plan, "ulimit -Sn; ulimit -Hn", "128\n128\n", "CAP_SYS_RESOURCE");
}

/* The soft limit may not be above the hard one. */
static void test_limits_impossible(void)
{
    struct launch_plan plan = make_plan();
    plan.limits[0] = (struct launch_limit){RLIMIT_NOFILE, 100, 50};
    plan.limit_count = 1;
    expect_warning(&plan, "ulimit -Hn", "128\n", "cannot set RLIMIT_NOFILE: Invalid argument");
}

static void test_oom_score_adj(void)
{
    struct launch_plan plan = make_plan();
    plan.set_oom_score_adj = 1;
    plan.oom_score_adj = 777;
    expect_output(&plan, "cat /proc/$$/oom_score_adj", "777\n");
    plan.oom_score_adj = -1000;
    expect_warning(&plan, "echo on", "on\n", "process.oomScoreAdj: cannot be set to -1000");
}

static void test_io_priority(void)
{
    struct launch_plan plan = make_plan();
    plan.set_io_priority = 1;
    plan.io_class = IOPRIO_CLASS_BE;
    plan.io_priority = 6;
    expect_output(&plan, "ionice -p $$", "best-effort: prio 6\n");
    plan.io_class = IOPRIO_CLASS_IDLE;
    plan.io_priority = 0;
    expect_output(&plan, "ionice -p $$", "idle\n");
    plan.io_class = IOPRIO_CLASS_RT;
    expect_warning(&plan, "echo on", "on\n", "process.ioPriority: cannot use class 1");
}

static void test_scheduler(void)
{
    struct launch_plan plan = make_plan();
    plan.set_scheduler = 1;
    plan.scheduler_policy = SCHED_BATCH;
    plan.nice = 5;
    expect_output(&plan, "chrt -p $$ | grep -o SCHED_.*; cut -d' ' -f19 /proc/$$/stat",
                  "SCHED_BATCH\n5\n");
}

/* In the child. */
static void be_nice(gpointer data)
{
    (void)data;
    setpriority(PRIO_PROCESS, 0, 15);
}

static void test_nice_inherited(void)
{
    struct launch_plan plan = make_plan();
    struct result result;
    plan.set_scheduler = 1;
    plan.scheduler_policy = SCHED_BATCH;
    plan.nice = LAUNCH_NICE_INHERITED;
    write_plan(&plan, NULL, 0, sizeof(plan));
    run(&result, "cut -d' ' -f19,41 /proc/$$/stat", be_nice);
    g_assert_cmpstr(result.output, ==, "15 3\n");
    g_assert_cmpstr(result.errors, ==, "");
    result_finish(&result);
}

static void test_scheduler_beyond(void)
{
    struct launch_plan plan = make_plan();
    plan.set_scheduler = 1;
    plan.scheduler_policy = SCHED_FIFO;
    plan.scheduler_priority = 10;
    expect_warning(&plan, "echo on", "on\n", "process.scheduler: cannot use policy 1, priority 10");
    plan.scheduler_policy = SCHED_OTHER;
    plan.scheduler_priority = 0;
    plan.nice = -5;
    g_autofree char *present = g_strdup_printf("%d\n", getpriority(PRIO_PROCESS, 0));
    expect_warning(&plan, "cut -d' ' -f19 /proc/$$/stat", present, "cannot set nice to -5");
}

/* --- the filter --- */

/* Answers system call @number with @action, and lets all others pass. */
#define FILTER(number, action)                                                                     \
    {                                                                                              \
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),                     \
            BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 1), BPF_STMT(BPF_RET | BPF_K, action),  \
            BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),                                          \
    }

static void write_filtered_plan(const struct sock_filter *filter, gsize instructions)
{
    struct launch_plan plan = make_plan();
    plan.filter_length = instructions;
    write_plan(&plan, filter, instructions, sizeof(plan) + instructions * sizeof(*filter));
}

static void test_filter(void)
{
    static const struct sock_filter no_chdir[] =
        FILTER(SYS_chdir, SECCOMP_RET_ERRNO | ENOTRECOVERABLE);
    struct result result;
    write_filtered_plan(no_chdir, G_N_ELEMENTS(no_chdir));
    run(&result, "grep Seccomp: /proc/self/status; cd / || echo bites", NULL);
    g_assert_cmpint(result.status, ==, 0);
    g_assert_cmpstr(result.output, ==, "Seccomp:\t2\nbites\n");
    result_finish(&result);
}

static void test_no_filter(void)
{
    struct launch_plan plan = make_plan();
    g_autofree char *status = NULL;
    g_assert_true(g_file_get_contents("/proc/self/status", &status, NULL, NULL));
    const char *line = strstr(status, "Seccomp:");
    g_assert_nonnull(line);
    g_autofree char *ours = g_strndup(line, strcspn(line, "\n") + 1);
    expect_output(&plan, "grep Seccomp: /proc/self/status", ours);
}

/* It is there to protect: without it nothing starts. */
static void test_filter_refused(void)
{
    static const struct sock_filter endless[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr))};
    write_filtered_plan(endless, G_N_ELEMENTS(endless));
    expect_end(126, "linux.seccomp: the kernel refuses the filter: Invalid argument");

    struct launch_plan plan = make_plan();
    static const struct sock_filter fine[] = FILTER(SYS_chdir, SECCOMP_RET_KILL_PROCESS);
    plan.filter_length = G_N_ELEMENTS(fine);
    plan.filter_flags = 1 << 30;
    write_plan(&plan, fine, G_N_ELEMENTS(fine), sizeof(plan) + sizeof(fine));
    expect_end(126, "the kernel refuses the filter");
}

static void test_filter_without_execve(void)
{
    static const struct sock_filter no_execve[] = FILTER(SYS_execve, SECCOMP_RET_ERRNO | EPERM);
    write_filtered_plan(no_execve, G_N_ELEMENTS(no_execve));
    expect_end(127, "cannot execute /bin/sh: Operation not permitted");
}

/* --- what is wrong --- */

static void test_no_program(void)
{
    struct launch_plan plan = make_plan();
    strcpy(plan.program, "/nonexistent/qemu");
    write_plan(&plan, NULL, 0, sizeof(plan));
    expect_end(127, "cannot execute /nonexistent/qemu: No such file or directory");
    strcpy(plan.program, "/etc/passwd");
    write_plan(&plan, NULL, 0, sizeof(plan));
    expect_end(127, "cannot execute /etc/passwd: Permission denied");
}

static void expect_damaged(const struct launch_plan *plan, gsize size)
{
    write_plan(plan, NULL, 0, size);
    expect_end(126, "the plan for QEMU's process is damaged");
}

static void test_damaged_plans(void)
{
    const struct launch_plan good = make_plan();
    struct launch_plan plan = good;
    expect_damaged(&good, 0);
    expect_damaged(&good, sizeof(good) - 1);
    expect_damaged(&good, sizeof(good) + 1);
    plan.magic[15]++;
    expect_damaged(&plan, sizeof(plan));
    plan = good;
    plan.limit_count = LAUNCH_LIMITS_MAX + 1;
    expect_damaged(&plan, sizeof(plan));
    plan = good;
    plan.filter_length = LAUNCH_FILTER_MAX + 1;
    expect_damaged(&plan, sizeof(plan) + plan.filter_length * sizeof(struct sock_filter));
    plan = good;
    plan.filter_length = 1;
    expect_damaged(&plan, sizeof(plan));
    plan = good;
    strcpy(plan.program, "bin/sh");
    expect_damaged(&plan, sizeof(plan));
    memset(plan.program, '/', sizeof(plan.program));
    expect_damaged(&plan, sizeof(plan));
    plan = good;
    plan.limit_count = 1;
    plan.limits[0].resource = -1;
    expect_damaged(&plan, sizeof(plan));
    plan.limits[0].resource = RLIM_NLIMITS;
    expect_damaged(&plan, sizeof(plan));
}

static void test_other_peoples_plan(void)
{
    struct launch_plan plan = make_plan();
    g_autofree char *path = in_scratch(LAUNCH_PLAN), *real = in_scratch("real");
    write_plan(&plan, NULL, 0, sizeof(plan));
    g_assert_cmpint(g_chmod(path, 0620), ==, 0);
    expect_end(126, "others can write it");
    g_assert_cmpint(g_chmod(path, 0600), ==, 0);
    g_assert_cmpint(g_rename(path, real), ==, 0);
    expect_end(126, "cannot open the plan for QEMU's process");
    g_assert_cmpint(symlink(real, path), ==, 0);
    expect_end(126, "cannot open the plan for QEMU's process");
    g_unlink(path);
    g_unlink(real);
}

static void test_called_by_hand(void)
{
    struct result result;
    run_as(&result, "ocivirt-launch", "echo must not run", NULL);
    g_assert_cmpint(WEXITSTATUS(result.status), ==, 126);
    g_assert_cmpstr(result.errors, ==, "ocivirt-launch: only ocivirt can use this program\n");
    result_finish(&result);
}

static void set_up(void)
{
    g_autofree char *self = g_file_read_link("/proc/self/exe", NULL);
    g_autofree char *here = g_path_get_dirname(self);
    g_autofree char *link = NULL;
    launcher = g_build_filename(here, "../../ocivirt-launch", NULL);
    scratch = g_dir_make_tmp("ocivirt-launch-XXXXXX", NULL);
    g_assert_nonnull(scratch);
    link = in_scratch("qemu-system-x86_64");
    g_assert_cmpint(symlink(launcher, link), ==, 0);
}

static void tear_down(void)
{
    static const char *const names[] = {LAUNCH_PLAN, LAUNCH_NOTES, "qemu-system-x86_64", "."};
    for (gsize i = 0; i < G_N_ELEMENTS(names); i++) {
        g_autofree char *path = in_scratch(names[i]);
        g_remove(path);
    }
    g_remove(scratch);
    g_free(scratch);
    g_free(launcher);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    set_up();
    g_test_add_func("/launcher/arguments", test_arguments);
    g_test_add_func("/launcher/no-new-privileges", test_no_new_privileges);
    g_test_add_func("/launcher/descriptors", test_descriptors);
    g_test_add_func("/launcher/limits", test_limits);
    g_test_add_func("/launcher/limits-beyond", test_limits_beyond);
    g_test_add_func("/launcher/limits-impossible", test_limits_impossible);
    g_test_add_func("/launcher/oom-score-adj", test_oom_score_adj);
    g_test_add_func("/launcher/io-priority", test_io_priority);
    g_test_add_func("/launcher/scheduler", test_scheduler);
    g_test_add_func("/launcher/nice-inherited", test_nice_inherited);
    g_test_add_func("/launcher/scheduler-beyond", test_scheduler_beyond);
    g_test_add_func("/launcher/filter", test_filter);
    g_test_add_func("/launcher/no-filter", test_no_filter);
    g_test_add_func("/launcher/filter-refused", test_filter_refused);
    g_test_add_func("/launcher/filter-without-execve", test_filter_without_execve);
    g_test_add_func("/launcher/no-program", test_no_program);
    g_test_add_func("/launcher/damaged-plans", test_damaged_plans);
    g_test_add_func("/launcher/other-peoples-plan", test_other_peoples_plan);
    g_test_add_func("/launcher/called-by-hand", test_called_by_hand);
    int status = g_test_run();
    tear_down();
    return status;
}
