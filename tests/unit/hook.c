// SPDX-License-Identifier: LGPL-2.1-or-later
#include "src/host/hook.h"
#include "src/util/error.h"
#include "src/util/log.h"
#include "tests/unit/expect.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <unistd.h>

static char *scratch; /* a directory */
static int cancel;    /* an eventfd */

static char *in_scratch(const char *name)
{
    return g_build_filename(scratch, name, NULL);
}

/* What the file NAME holds, without a newline at its end; "" if there is none. */
static char *contents(const char *name)
{
    g_autofree char *path = in_scratch(name);
    char *text = NULL;
    return g_file_get_contents(path, &text, NULL, NULL) ? g_strchomp(text) : g_strdup("");
}

/* /bin/sh with @script, which runs in the scratch directory. */
static struct hook shell(const char *script)
{
    static const char *argv[4];
    argv[0] = "/bin/sh";
    argv[1] = "-c";
    argv[2] = script;
    return (struct hook){.path = "/bin/sh", .argv = argv};
}

static bool run_with(const struct hook *hook, const char *state, GError **error)
{
    const struct hook_context context = {state, scratch, cancel};
    return hook_run(hook, HOOK_CREATE_RUNTIME, 2, &context, error);
}

static bool run(const char *script, GError **error)
{
    const struct hook hook = shell(script);
    return run_with(&hook, "{}", error);
}

static void expect_success(const char *script)
{
    g_autoptr(GError) error = NULL;
    if (!run(script, &error)) {
        g_test_message("%s: %s", script, error->message);
        g_test_fail();
    }
}

/* The error's message must begin with the hook's name, and go on with @how. */
static void expect_failure(const struct hook *hook, const char *how)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *whole = g_strdup_printf("hook createRuntime[2] (%s) %s", hook->path, how);
    if (run_with(hook, "{}", &error)) {
        g_test_message("%s: no failure", how);
        g_test_fail();
        return;
    }
    expect_str(how, error->message, whole);
    g_assert_error(error, ERROR_DOMAIN, ERROR_UNAVAILABLE);
}

/* What is logged while @hook runs; the caller owns it. */
static char *logged(const struct hook *hook)
{
    g_autofree char *path = in_scratch("log");
    int file = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    int saved = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 0);
    dup2(file, STDERR_FILENO);
    close(file);
    run_with(hook, "{}", NULL);
    dup2(saved, STDERR_FILENO);
    close(saved);
    return contents("log");
}

static double seconds_since(gint64 then)
{
    return (g_get_monotonic_time() - then) / 1e6;
}

/* --- what a hook is given --- */

static void test_state_on_stdin(void)
{
    const struct hook hook = shell("cat >seen; cat >again </dev/stdin");
    g_assert_true(run_with(&hook, "{\"id\": \"vm \\\"\"}", NULL));
    g_autofree char *seen = contents("seen");
    g_assert_cmpstr(seen, ==, "{\"id\": \"vm \\\"\"}");
}

/* Many times what a pipe holds, and nobody reads it, or not all. */
static void test_large_state(void)
{
    static const char *const scripts[] = {"true", "head -c 100000 >/dev/null", "exec 0<&-",
                                          "test $(wc -c) -eq 4000000"};
    g_autofree char *state = g_strnfill(4000000, 'x');
    for (gsize i = 0; i < G_N_ELEMENTS(scripts); i++) {
        const struct hook hook = shell(scripts[i]);
        expect(scripts[i], run_with(&hook, state, NULL));
    }
}

static void test_whole_argv(void)
{
    const char *argv[] = {"another name", "-c", "printf '%s|' \"$0\" \"$@\" >argv", "", "a b",
                          "\"",           NULL};
    const struct hook hook = {.path = "/bin/sh", .argv = argv};
    g_assert_true(run_with(&hook, "{}", NULL));
    g_autofree char *seen = contents("argv");
    g_assert_cmpstr(seen, ==, "|a b|\"|"); /* sh's $0 is the first after its script */
    argv[2] = "tr '\\0' '|' </proc/$$/cmdline >argv; true";
    g_assert_true(run_with(&hook, "{}", NULL));
    g_autofree char *all = contents("argv");
    g_assert_true(g_str_has_prefix(all, "another name|-c|"));
}

static void write_program(const char *name, const char *text)
{
    g_autofree char *path = in_scratch(name);
    g_assert_true(g_file_set_contents(path, text, -1, NULL));
    g_assert_cmpint(g_chmod(path, 0755), ==, 0);
}

/* config.md: args has "the same semantics as execv's argv", so without it there is the path alone.
 */
static void test_no_argv(void)
{
    const char *none[] = {NULL};
    write_program("program", "#!/bin/sh\necho $# >count\n");
    g_autofree char *path = in_scratch("program");
    for (int i = 0; i < 2; i++) {
        const struct hook hook = {.path = path, .argv = i == 0 ? NULL : none};
        g_autofree char *name = in_scratch("count");
        g_unlink(name);
        g_assert_true(run_with(&hook, "{}", NULL));
        g_autofree char *count = contents("count");
        g_assert_cmpstr(count, ==, "0");
    }
}

/* Exactly what was asked for: nothing of ours, in its order, and what is no NAME=VALUE too. */
static void test_environment(void)
{
    const char *env[] = {"B=2", "A=1 \"x\"", "PATH=/bin", NULL};
    struct hook hook = shell("tr '\\0' '|' </proc/$$/environ >env; true");
    g_setenv("OCIVIRT_TEST", "ours", TRUE);
    hook.env = env;
    const char *argv[] = {"sh", "-c", "/bin/tr '\\0' '|' </proc/$$/environ >env; true", NULL};
    hook.argv = argv;
    g_assert_true(run_with(&hook, "{}", NULL));
    g_autofree char *some = contents("env");
    g_assert_cmpstr(some, ==, "B=2|A=1 \"x\"|PATH=/bin|");
    hook.env = NULL;
    g_assert_true(run_with(&hook, "{}", NULL));
    g_autofree char *none = contents("env");
    g_assert_cmpstr(none, ==, "");
    g_unsetenv("OCIVIRT_TEST");
}

static void test_directory(void)
{
    expect_success("test \"$(pwd -P)\" = \"$(cd \"$PWD\" && pwd -P)\" && pwd >here");
    g_autofree char *here = contents("here");
    g_assert_cmpstr(here, ==, scratch);

    const struct hook hook = shell("true");
    const struct hook_context context = {"{}", "/nonexistent", -1};
    g_autoptr(GError) error = NULL;
    g_assert_false(hook_run(&hook, HOOK_POSTSTOP, 0, &context, &error));
    g_assert_cmpstr(error->message, ==,
                    "hook poststop[0] (/bin/sh) cannot run in /nonexistent: No such file or "
                    "directory");
}

/* The engine blocks most signals, PID 1 all, nohup(1) ignores one. */
static void test_signals_are_default(void)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    signal(SIGHUP, SIG_IGN);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGUSR1, SIG_IGN);
    expect_success("exec grep -E '^Sig(Blk|Ign)' /proc/self/status >signals");
    signal(SIGHUP, SIG_DFL);
    signal(SIGPIPE, SIG_DFL);
    signal(SIGUSR1, SIG_DFL);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    g_autofree char *text = contents("signals");
    guint64 blocked = 1, ignored = 1;
    g_assert_cmpint(sscanf(text, "SigBlk: %" G_GINT64_MODIFIER "x SigIgn: %" G_GINT64_MODIFIER "x",
                           &blocked, &ignored),
                    ==, 2);
    guint64 libc_own = (guint64)3 << 31; /* 32 and 33, which no program can use */
    g_assert_cmpuint(blocked, ==, 0);
    g_assert_cmpuint(ignored & ~libc_own, ==, 0);
}

static void test_no_other_descriptors(void)
{
    int inherited = open("/dev/null", O_RDONLY); /* not close-on-exec: a parent's, for example */
    int far = fcntl(inherited, F_DUPFD, 200);
    expect_success("for f in /proc/$$/fd/*; do test ! -e $f || fds=\"$fds ${f##*/}\"; done; "
                   "echo $fds >fds");
    close(inherited);
    close(far);
    g_autofree char *fds = contents("fds");
    g_assert_cmpstr(fds, ==, "0 1 2");
}

static void test_session_of_its_own(void)
{
    expect_success(
        "test $(cut -d' ' -f6 /proc/$$/stat) = $$ && test $(cut -d' ' -f5 /proc/$$/stat) "
        "= $$");
}

/* --- how it ends --- */

static void test_exit_status(void)
{
    struct hook hook = shell("exit 3");
    expect_failure(&hook, "exited with status 3");
    hook = shell("echo one; echo the reason >&2; echo; exit 255");
    expect_failure(&hook, "exited with status 255; its last words: the reason");
    hook = shell("printf 'no newline'; exit 1");
    expect_failure(&hook, "exited with status 1; its last words: no newline");
}

static void test_signal(void)
{
    struct hook hook = shell("echo ouch; kill -SEGV $$");
    expect_failure(&hook, "died of signal 11 (Segmentation fault); its last words: ouch");
    hook = shell("kill -KILL $$");
    expect_failure(&hook, "died of signal 9 (Killed)");
}

static void test_cannot_be_executed(void)
{
    struct hook hook = {.path = "/nonexistent/hook"};
    expect_failure(&hook, "cannot be executed: No such file or directory");
    hook.path = scratch;
    expect_failure(&hook, "cannot be executed: Permission denied");
    write_program("rubbish", "no program");
    g_autofree char *rubbish = in_scratch("rubbish");
    hook.path = rubbish;
    expect_failure(&hook, "cannot be executed: Exec format error");
    write_program("lost", "#!/nonexistent/interpreter\n");
    g_autofree char *lost = in_scratch("lost");
    hook.path = lost;
    expect_failure(&hook, "cannot be executed: No such file or directory");
}

/* A process that has written its pid into the file NAME. */
static bool is_alive(const char *name)
{
    g_autofree char *text = contents(name);
    pid_t pid = atoi(text);
    g_assert_cmpint(pid, >, 0);
    g_autofree char *path = g_strdup_printf("/proc/%d/stat", pid);
    for (int i = 0; i < 100; i++) {
        g_autofree char *stat = NULL;
        if (!g_file_get_contents(path, &stat, NULL, NULL) || strstr(stat, ") Z ") != NULL) {
            return false;
        }
        g_usleep(10000);
    }
    return true;
}

static void test_timeout_kills_the_group(void)
{
    struct hook hook = shell("trap '' TERM; sleep 100 & echo $! >child; echo waiting; wait");
    hook.timeout_ms = 3000;
    gint64 start = g_get_monotonic_time();
    expect_failure(&hook, "was killed: it has a timeout of 3 s; its last words: waiting");
    g_assert_cmpfloat(seconds_since(start), >=, 3);
    g_assert_cmpfloat(seconds_since(start), <, 30);
    g_assert_false(is_alive("child"));
}

static void test_in_time(void)
{
    struct hook hook = shell("sleep 0.1");
    hook.timeout_ms = 20000;
    gint64 start = g_get_monotonic_time();
    g_assert_true(run_with(&hook, "{}", NULL));
    g_assert_cmpfloat(seconds_since(start), <, 30);
}

/* A daemon keeps what it inherited; whoever waited for the end of its output would wait for ever.
 */
static void test_daemon_is_not_waited_for(void)
{
    gint64 start = g_get_monotonic_time();
    expect_success("sleep 60 & echo $! >child; echo done");
    g_assert_cmpfloat(seconds_since(start), <, 30);
    g_assert_true(is_alive("child"));
    g_autofree char *pid = contents("child");
    kill(atoi(pid), SIGKILL);

    start = g_get_monotonic_time();
    expect_success("(while :; do echo more; done) & echo $! >child");
    g_assert_cmpfloat(seconds_since(start), <, 30);
    g_assert_false(is_alive("child")); /* of SIGPIPE, once nobody reads */
}

/* Once the hook has written its pid. */
static gpointer cancel_soon(gpointer data)
{
    (void)data;
    for (int i = 0; i < 1000; i++) {
        g_autofree char *pid = contents("child");
        if (*pid != '\0') {
            break;
        }
        g_usleep(10000);
    }
    eventfd_write(cancel, 1);
    return NULL;
}

static void forget_cancel(void)
{
    eventfd_t value;
    eventfd_read(cancel, &value);
}

static void test_cancel(void)
{
    struct hook hook = shell("echo waiting; echo $$ >child; while :; do sleep 1; done");
    g_autofree char *child = in_scratch("child");
    g_unlink(child);
    GThread *thread = g_thread_new("cancel", cancel_soon, NULL);
    gint64 start = g_get_monotonic_time();
    expect_failure(&hook, "was killed before its end; its last words: waiting");
    g_assert_cmpfloat(seconds_since(start), <, 30);
    g_thread_join(thread);
    g_assert_false(is_alive("child"));

    /* and what has not begun does not */
    hook = shell("echo begun >begun");
    expect_failure(&hook, "was not run any more");
    g_autofree char *begun = contents("begun");
    g_assert_cmpstr(begun, ==, "");
    forget_cancel();
}

/* --- what it says --- */

static void test_lines_are_logged(void)
{
    log_setup(LOG_INFO, LOG_FORMAT_TEXT);
    const struct hook hook =
        shell("echo one; echo two >&2; printf '\\n\\033[2Jthree\\r\\n'; printf 'a\\0b'");
    g_autofree char *text = logged(&hook);
    g_assert_cmpstr(text, ==,
                    "ocivirt: hook createRuntime[2] (/bin/sh): one\n"
                    "ocivirt: hook createRuntime[2] (/bin/sh): two\n"
                    "ocivirt: hook createRuntime[2] (/bin/sh): ?[2Jthree\n"
                    "ocivirt: hook createRuntime[2] (/bin/sh): a?b");
}

static void test_much_output_is_cut(void)
{
    static const char *const scripts[] = {
        "yes | head -c 1000000; echo last; exit 1",
        "head -c 1000000 /dev/zero | tr '\\0' x; echo; echo last; exit 1",
        "i=0; while [ $i -lt 3000 ]; do echo line $i; i=$((i + 1)); done; echo last; exit 1",
    };
    for (gsize i = 0; i < G_N_ELEMENTS(scripts); i++) {
        const struct hook hook = shell(scripts[i]);
        g_autofree char *text = logged(&hook);
        expect(scripts[i], strlen(text) > 32 * 1024 && strlen(text) < 96 * 1024);
        expect(scripts[i], g_str_has_suffix(text, "ocivirt: warning: hook createRuntime[2] "
                                                  "(/bin/sh) has said so much that the rest is "
                                                  "left out"));
        log_setup(LOG_ERROR, LOG_FORMAT_TEXT);
        expect_failure(&hook, "exited with status 1; its last words: last");
        log_setup(LOG_INFO, LOG_FORMAT_TEXT);
    }
}

/* All that is in the pipe when it ends belongs to it. */
static void test_last_output_is_not_lost(void)
{
    for (int i = 0; i < 20; i++) {
        struct hook hook = shell("yes words | head -c 6000; echo end; exit 1");
        log_setup(LOG_ERROR, LOG_FORMAT_TEXT);
        expect_failure(&hook, "exited with status 1; its last words: end");
    }
    log_setup(LOG_INFO, LOG_FORMAT_TEXT);
}

/* --- lists --- */

static void test_order(void)
{
    const char *argv[3][4] = {{"sh", "-c", "echo one >>order", NULL},
                              {"sh", "-c", "echo two >>order; test ! -e fail", NULL},
                              {"sh", "-c", "echo three >>order", NULL}};
    struct hook items[] = {{"/bin/sh", argv[0]}, {"/bin/sh", argv[1]}, {"/bin/sh", argv[2]}};
    const struct hook_list list = {items, 3};
    const struct hook_context context = {"{}", scratch, -1};
    g_autoptr(GError) error = NULL;
    g_assert_true(hook_run_list(&list, HOOK_PRESTART, &context, &error));
    g_autofree char *whole = contents("order");
    g_assert_cmpstr(whole, ==, "one\ntwo\nthree");

    write_program("fail", "");
    g_assert_false(hook_run_list(&list, HOOK_PRESTART, &context, &error));
    g_assert_cmpstr(error->message, ==, "hook prestart[1] (/bin/sh) exited with status 1");
    g_autofree char *cut = contents("order");
    g_assert_cmpstr(cut, ==, "one\ntwo\nthree\none\ntwo");
}

static void test_names(void)
{
    static const char *const names[] = {"prestart", "createRuntime", "createContainer", "poststart",
                                        "poststop"};
    for (int i = 0; i < HOOK_KINDS; i++) {
        g_assert_cmpstr(hook_kind_name(i), ==, names[i]);
    }
}

/* A hundred hooks leave nothing open. */
static void test_descriptors_are_closed(void)
{
    struct rlimit saved;
    getrlimit(RLIMIT_NOFILE, &saved);
    const struct rlimit tight = {40, saved.rlim_max};
    setrlimit(RLIMIT_NOFILE, &tight);
    const struct hook missing = {.path = "/nonexistent"};
    for (int i = 0; i < 100; i++) {
        expect_success("true");
        expect_failure(&missing, "cannot be executed: No such file or directory");
    }
    setrlimit(RLIMIT_NOFILE, &saved);
}

static void remove_scratch(void)
{
    g_autoptr(GDir) dir = g_dir_open(scratch, 0, NULL);
    const char *name;
    while (dir != NULL && (name = g_dir_read_name(dir)) != NULL) {
        g_autofree char *path = in_scratch(name);
        g_unlink(path);
    }
    g_rmdir(scratch);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_set_nonfatal_assertions();
    scratch = g_dir_make_tmp("ocivirt-test-XXXXXX", NULL);
    cancel = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    log_setup(LOG_ERROR, LOG_FORMAT_TEXT);
    g_test_add_func("/hook/state-on-stdin", test_state_on_stdin);
    g_test_add_func("/hook/large-state", test_large_state);
    g_test_add_func("/hook/whole-argv", test_whole_argv);
    g_test_add_func("/hook/no-argv", test_no_argv);
    g_test_add_func("/hook/environment", test_environment);
    g_test_add_func("/hook/directory", test_directory);
    g_test_add_func("/hook/signals-are-default", test_signals_are_default);
    g_test_add_func("/hook/no-other-descriptors", test_no_other_descriptors);
    g_test_add_func("/hook/session-of-its-own", test_session_of_its_own);
    g_test_add_func("/hook/exit-status", test_exit_status);
    g_test_add_func("/hook/signal", test_signal);
    g_test_add_func("/hook/cannot-be-executed", test_cannot_be_executed);
    g_test_add_func("/hook/timeout-kills-the-group", test_timeout_kills_the_group);
    g_test_add_func("/hook/in-time", test_in_time);
    g_test_add_func("/hook/daemon-is-not-waited-for", test_daemon_is_not_waited_for);
    g_test_add_func("/hook/cancel", test_cancel);
    g_test_add_func("/hook/lines-are-logged", test_lines_are_logged);
    g_test_add_func("/hook/much-output-is-cut", test_much_output_is_cut);
    g_test_add_func("/hook/last-output-is-not-lost", test_last_output_is_not_lost);
    g_test_add_func("/hook/order", test_order);
    g_test_add_func("/hook/names", test_names);
    g_test_add_func("/hook/descriptors-are-closed", test_descriptors_are_closed);
    int status = g_test_run();
    remove_scratch();
    g_free(scratch);
    close(cancel);
    return status;
}
