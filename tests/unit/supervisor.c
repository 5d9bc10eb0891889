// SPDX-License-Identifier: LGPL-2.1-or-later
#include "src/init/supervisor.h"

#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

/*
 * Each supervisor runs in a process of its own, since it takes signals and orphans over. What its
 * engines see they write into memory that all share.
 */
struct seen {
    int engines; /* begun */
    int lost_signal;
    bool lost_hung;
    char kept[8];
    gint64 asked_ms, died_ms; /* an engine, monotonic */
    int signals[8];
    int signal_count;
    pid_t orphan;
    int orphan_status;
    int status; /* of the supervisor */
    struct supervisor_report report;
    bool can_take_over;
    int exits_told;
    bool stranger_lives; /* what the first engine left, when the second began */
};

static struct seen *seen;

static bool can_take_over(void *data)
{
    (void)data;
    return seen->can_take_over;
}

/* Root is not limited. */
static void become_unprivileged(void)
{
    if (getuid() == 0) {
        g_assert_cmpint(setresuid(65534, 65534, 65534), ==, 0);
    }
}

static bool unprivileged; /* the next supervisor */

/* Runs a supervisor over @run, which gets @data; @meanwhile in the test, with its pid. */
static void supervise(int (*run)(const struct supervisor_start *, void *),
                      void (*meanwhile)(pid_t supervisor))
{
    pid_t pid = fork();
    g_assert_cmpint(pid, >=, 0);
    if (pid == 0) {
        const struct supervisor_config config = {run, can_take_over, NULL};
        if (unprivileged) {
            become_unprivileged();
        }
        supervisor_block_signals();
        seen->status = supervisor_run(&config, &seen->report);
        _exit(0);
    }
    if (meanwhile != NULL) {
        meanwhile(pid);
    }
    int status;
    g_assert_cmpint(waitpid(pid, &status, 0), ==, pid);
    g_assert_cmpint(status, ==, 0);
}

static void set_up(void)
{
    seen = mmap(NULL, sizeof(*seen), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    g_assert_true(seen != MAP_FAILED);
}

/* The next message that is none of @but. */
static struct link_message receive(int link)
{
    struct link_message message = {0};
    do {
        g_assert_cmpint(recv(link, &message, sizeof(message), 0), ==, sizeof(message));
        if (message.kind == LINK_PING) {
            link_answer(link);
        }
    } while (message.kind == LINK_PING);
    return message;
}

static void begin(const struct supervisor_start *start)
{
    seen->engines++;
    seen->lost_signal = start->lost_signal;
    seen->lost_hung = start->lost_hung;
}

/* --- */

static int end_with_status(const struct supervisor_start *start, void *data)
{
    (void)data;
    begin(start);
    return 42;
}

static void test_status(void)
{
    set_up();
    supervise(end_with_status, NULL);
    g_assert_cmpint(seen->status, ==, 42);
    g_assert_cmpint(seen->engines, ==, 1);
    g_assert_cmpint(seen->report.engines_lost, ==, 0);
    g_assert_cmpint(seen->report.leftovers, ==, 0);
}

/* What is kept, and what was not read, is there for the next. */
static int die_once(const struct supervisor_start *start, void *data)
{
    (void)data;
    begin(start);
    if (seen->engines == 1) {
        int ends[2];
        g_assert_cmpint(pipe(ends), ==, 0);
        g_assert_cmpint(write(ends[1], "kept", 5), ==, 5);
        link_keep(start->link, ends[0]);
        seen->asked_ms = g_get_monotonic_time() / 1000;
        kill(getppid(), SIGTERM);
        g_usleep(300 * 1000);
        seen->died_ms = g_get_monotonic_time() / 1000;
        raise(SIGKILL);
    }
    g_assert_cmpint(read(start->kept, seen->kept, sizeof(seen->kept)), ==, 5);
    struct link_message message = receive(start->link);
    g_assert_cmpint(message.kind, ==, LINK_SIGNAL);
    g_assert_cmpint(message.came_at, >=, seen->asked_ms);
    g_assert_cmpint(message.came_at, <=, seen->died_ms);
    seen->signals[0] = message.value;
    return 7;
}

static void test_next_engine(void)
{
    set_up();
    seen->can_take_over = true;
    supervise(die_once, NULL);
    g_assert_cmpint(seen->status, ==, 7);
    g_assert_cmpint(seen->engines, ==, 2);
    g_assert_cmpint(seen->lost_signal, ==, SIGKILL);
    g_assert_false(seen->lost_hung);
    g_assert_cmpstr(seen->kept, ==, "kept");
    g_assert_cmpint(seen->signals[0], ==, SIGTERM);
    g_assert_cmpint(seen->report.engines_lost, ==, 1);
}

static int hang_once(const struct supervisor_start *start, void *data)
{
    (void)data;
    begin(start);
    if (seen->engines == 1) {
        raise(SIGSTOP);
    }
    return 7;
}

static void test_hung_engine(void)
{
    set_up();
    seen->can_take_over = true;
    supervise(hang_once, NULL);
    g_assert_cmpint(seen->status, ==, 7);
    g_assert_true(seen->lost_hung);
    g_assert_cmpint(seen->lost_signal, ==, SIGKILL);
}

static int always_die(const struct supervisor_start *start, void *data)
{
    (void)data;
    begin(start);
    signal(SIGSEGV, SIG_DFL); /* a sanitizer has a handler for it */
    raise(SIGSEGV);
    return 0;
}

static void test_too_many_losses(void)
{
    set_up();
    seen->can_take_over = true;
    supervise(always_die, NULL);
    g_assert_cmpint(seen->status, ==, -1);
    g_assert_cmpint(seen->engines, ==, 5);
    g_assert_cmpint(seen->report.engines_lost, ==, 5);
    g_assert_cmpint(seen->report.engine_signal, ==, SIGSEGV);
}

/* In the background of the engine: a process that is orphaned at once. */
static pid_t orphan(void (*live)(void))
{
    int ends[2];
    pid_t pid = 0;
    g_assert_cmpint(pipe2(ends, O_CLOEXEC), ==, 0);
    pid_t parent = fork();
    if (parent == 0) {
        pid = fork();
        if (pid == 0) {
            live();
            _exit(3);
        }
        g_assert_cmpint(write(ends[1], &pid, sizeof(pid)), ==, sizeof(pid));
        _exit(0);
    }
    g_assert_cmpint(waitpid(parent, NULL, 0), ==, parent);
    g_assert_cmpint(read(ends[0], &pid, sizeof(pid)), ==, sizeof(pid));
    return pid;
}

static void limit_processes(pid_t pid, rlim_t most)
{
    struct rlimit limit;
    g_assert_cmpint(prlimit(pid, RLIMIT_NPROC, NULL, &limit), ==, 0);
    limit.rlim_cur = MIN(most, limit.rlim_max);
    g_assert_cmpint(prlimit(pid, RLIMIT_NPROC, &limit, NULL), ==, 0);
}

/* After longer than it takes until five engines are lost; by who may, as the supervisor's like. */
static void make_room_later(void)
{
    g_usleep(2500 * 1000);
    limit_processes(getppid(), RLIM_INFINITY);
}

static int die_without_successor(const struct supervisor_start *start, void *data)
{
    (void)data;
    begin(start);
    if (seen->engines == 1) {
        orphan(make_room_later);
        limit_processes(getppid(), 1);
        raise(SIGKILL);
    }
    return 7;
}

static void test_no_process(void)
{
    set_up();
    seen->can_take_over = true;
    unprivileged = true;
    supervise(die_without_successor, NULL);
    unprivileged = false;
    g_assert_cmpint(seen->status, ==, 7);
    g_assert_cmpint(seen->engines, ==, 2);
    g_assert_cmpint(seen->report.engines_lost, ==, 1);
}

static int die_without_hope(const struct supervisor_start *start, void *data)
{
    (void)data;
    begin(start);
    limit_processes(getppid(), 1);
    raise(SIGKILL);
    return 7;
}

static void ask_to_stop(pid_t supervisor)
{
    while (seen->engines == 0) {
        g_usleep(1000);
    }
    g_usleep(500 * 1000);
    kill(supervisor, SIGTERM);
}

/* Nobody but the supervisor could hear that. */
static void test_stop_without_engine(void)
{
    set_up();
    seen->can_take_over = true;
    unprivileged = true;
    gint64 began = g_get_monotonic_time();
    supervise(die_without_hope, ask_to_stop);
    unprivileged = false;
    g_assert_cmpint(g_get_monotonic_time() - began, <, 30 * G_USEC_PER_SEC);
    g_assert_cmpint(seen->status, ==, -1);
    g_assert_cmpint(seen->engines, ==, 1);
    g_assert_cmpint(seen->report.fork_errno, ==, EAGAIN);
}

static void end_at_once(void)
{
    g_usleep(50 * 1000);
}

static int await_orphan(const struct supervisor_start *start, void *data)
{
    (void)data;
    begin(start);
    seen->orphan = orphan(end_at_once);
    struct link_message message = receive(start->link);
    g_assert_cmpint(message.kind, ==, LINK_EXITED);
    g_assert_cmpint(message.pid, ==, seen->orphan);
    seen->orphan_status = message.value;
    return 0;
}

static void test_orphan_is_told(void)
{
    set_up();
    supervise(await_orphan, NULL);
    g_assert_true(WIFEXITED(seen->orphan_status));
    g_assert_cmpint(WEXITSTATUS(seen->orphan_status), ==, 3);
}

static void live_on(void)
{
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    for (;;) {
        pause();
    }
}

static void live_on_deaf(void)
{
    signal(SIGTERM, SIG_IGN);
    live_on();
}

static int leave_two(const struct supervisor_start *start, void *data)
{
    (void)data;
    begin(start);
    orphan(live_on);
    seen->orphan = orphan(live_on_deaf);
    return 0;
}

static void test_leftovers_end(void)
{
    set_up();
    supervise(leave_two, NULL);
    g_assert_cmpint(seen->report.leftovers, ==, 2);
    g_assert_false(seen->report.survivors);
    g_assert_cmpint(kill(seen->orphan, 0), ==, -1);
}

/* A leftover of a leftover comes to the supervisor late, and gets its SIGTERM too. */
static void leave_another(void)
{
    if (fork() == 0) {
        live_on();
    }
    live_on();
}

static int leave_late(const struct supervisor_start *start, void *data)
{
    (void)data;
    begin(start);
    orphan(leave_another);
    return 0;
}

static void test_late_leftover(void)
{
    set_up();
    gint64 began = g_get_monotonic_time();
    supervise(leave_late, NULL);
    /* not the 3 s after which SIGKILL comes */
    g_assert_cmpint(g_get_monotonic_time() - began, <, 2500 * 1000);
}

/* A VM that cannot be taken over is gone when the next engine begins. */
static int leave_and_die(const struct supervisor_start *start, void *data)
{
    (void)data;
    begin(start);
    if (seen->engines == 1) {
        seen->orphan = orphan(live_on);
        raise(SIGKILL);
    }
    seen->stranger_lives = kill(seen->orphan, 0) == 0;
    struct link_message message;
    while (recv(start->link, &message, sizeof(message), MSG_DONTWAIT) == sizeof(message)) {
        seen->exits_told += message.kind == LINK_EXITED && message.pid == seen->orphan;
    }
    return 0;
}

static void test_what_is_taken_over(void)
{
    for (int can = 0; can <= 1; can++) {
        set_up();
        seen->can_take_over = can;
        supervise(leave_and_die, NULL);
        g_assert_cmpint(seen->engines, ==, 2);
        g_assert_cmpint(seen->stranger_lives, ==, can);
        g_assert_cmpint(seen->exits_told, ==, 0); /* or it would be taken for its own QEMU's */
    }
}

/* Real-time signals are queued, each of them. */
static void fill_link(void)
{
    for (int i = 0; i < 1000; i++) {
        g_assert_cmpint(kill(getppid(), SIGRTMIN + 1), ==, 0);
    }
    g_usleep(200 * 1000);
}

/* The engine does not read for a while: no exit is lost, however many there are. */
static int read_late(const struct supervisor_start *start, void *data)
{
    (void)data;
    begin(start);
    fill_link();
    seen->orphan = orphan(end_at_once);
    g_usleep(200 * 1000);
    struct link_message message;
    do {
        message = receive(start->link);
    } while (message.kind != LINK_EXITED);
    seen->orphan_status = message.value;
    return message.pid == seen->orphan ? 0 : 1;
}

static void test_full_link(void)
{
    set_up();
    supervise(read_late, NULL);
    g_assert_cmpint(seen->status, ==, 0);
    g_assert_cmpint(WEXITSTATUS(seen->orphan_status), ==, 3);
}

/* There is no room for so much as a ping. */
static int hang_with_full_link(const struct supervisor_start *start, void *data)
{
    (void)data;
    begin(start);
    if (seen->engines == 1) {
        fill_link();
        raise(SIGSTOP);
    }
    return 7;
}

static void test_hung_full_link(void)
{
    set_up();
    seen->can_take_over = true;
    supervise(hang_with_full_link, NULL);
    g_assert_cmpint(seen->status, ==, 7);
    g_assert_true(seen->lost_hung);
}

static int count_signals(const struct supervisor_start *start, void *data)
{
    (void)data;
    begin(start);
    for (;;) {
        struct link_message message = receive(start->link);
        if (message.kind == LINK_SIGNAL) {
            seen->signals[seen->signal_count++] = message.value;
            if (message.value == SIGUSR2) {
                return 0;
            }
        }
    }
}

/* One after the other: of those that wait together the lowest is first. */
static void send_signals(pid_t supervisor)
{
    struct sigaction hangup;
    sigaction(SIGHUP, NULL, &hangup);
    while (seen->engines == 0) {
        g_usleep(1000);
    }
    static const int signals[] = {SIGHUP, SIGTERM, SIGWINCH, SIGUSR2};
    for (gsize i = 0; i < G_N_ELEMENTS(signals); i++) {
        int before = seen->signal_count;
        bool ignored = signals[i] == SIGHUP && hangup.sa_handler == SIG_IGN;
        kill(supervisor, signals[i]);
        for (int ms = 0; ms < 10000 && seen->signal_count == before && !ignored; ms++) {
            g_usleep(1000);
        }
    }
}

static void test_signals_are_forwarded(void)
{
    set_up();
    supervise(count_signals, send_signals);
    g_assert_cmpint(seen->signal_count, ==, 4);
    g_assert_cmpint(seen->signals[0], ==, SIGHUP);
    g_assert_cmpint(seen->signals[1], ==, SIGTERM);
    g_assert_cmpint(seen->signals[2], ==, SIGWINCH);
}

static void test_nohup(void)
{
    set_up();
    signal(SIGHUP, SIG_IGN);
    supervise(count_signals, send_signals);
    signal(SIGHUP, SIG_DFL);
    g_assert_cmpint(seen->signal_count, ==, 3);
    g_assert_cmpint(seen->signals[0], ==, SIGTERM);
}

static int read_end(const struct supervisor_start *start, void *data)
{
    (void)data;
    begin(start);
    char byte;
    while (recv(start->link, &byte, 1, 0) > 0) {
    }
    seen->orphan_status = 1; /* the engine has seen the end */
    return 0;
}

/* Alone, since nobody waits for the engine of a supervisor that was killed. */
static void test_end_of_supervisor(void)
{
    set_up();
    pid_t pid = fork();
    if (pid == 0) {
        const struct supervisor_config config = {read_end, can_take_over, NULL};
        supervisor_block_signals();
        supervisor_run(&config, &seen->report);
        _exit(0);
    }
    while (seen->engines == 0) {
        g_usleep(1000);
    }
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    for (int i = 0; i < 5000 && seen->orphan_status == 0; i++) {
        g_usleep(1000);
    }
    g_assert_cmpint(seen->orphan_status, ==, 1);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/supervisor/status", test_status);
    g_test_add_func("/supervisor/next-engine", test_next_engine);
    g_test_add_func("/supervisor/hung-engine", test_hung_engine);
    g_test_add_func("/supervisor/no-process-for-the-next", test_no_process);
    g_test_add_func("/supervisor/stop-without-engine", test_stop_without_engine);
    g_test_add_func("/supervisor/too-many-losses", test_too_many_losses);
    g_test_add_func("/supervisor/orphan-is-told", test_orphan_is_told);
    g_test_add_func("/supervisor/leftovers-end", test_leftovers_end);
    g_test_add_func("/supervisor/late-leftover", test_late_leftover);
    g_test_add_func("/supervisor/what-is-taken-over", test_what_is_taken_over);
    g_test_add_func("/supervisor/full-link", test_full_link);
    g_test_add_func("/supervisor/hung-engine-with-full-link", test_hung_full_link);
    g_test_add_func("/supervisor/signals-are-forwarded", test_signals_are_forwarded);
    g_test_add_func("/supervisor/nohup", test_nohup);
    g_test_add_func("/supervisor/end-of-supervisor", test_end_of_supervisor);
    return g_test_run();
}
