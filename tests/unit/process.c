// SPDX-License-Identifier: LGPL-2.1-or-later
#include "src/host/process.h"
#include "tests/unit/child.h"
#include "tests/unit/expect.h"

#include <signal.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static void test_start_time(void)
{
    g_assert_cmpuint(process_start_time(getpid()), >, 0);
    g_assert_cmpuint(process_start_time(getpid()), ==, process_start_time(getpid()));
    g_assert_cmpuint(process_start_time(0), ==, 0);
    g_assert_cmpuint(process_start_time(-1), ==, 0);

    /* It is the time at which the child has begun: now, as far as ticks and scheduling go. */
    pid_t child = start_child("child");
    struct timespec now;
    clock_gettime(CLOCK_BOOTTIME, &now);
    double seconds = (double)process_start_time(child) / sysconf(_SC_CLK_TCK);
    g_assert_cmpfloat(seconds, <=, now.tv_sec + 2);
    g_assert_cmpfloat(seconds, >=, now.tv_sec - 60);
    end_child(child);
    g_assert_cmpuint(process_start_time(child), ==, 0);
}

/* proc(5): the name is the process's own choice, and may look like the rest of the line. */
static void test_start_time_behind_any_name(void)
{
    static const char *const names[] = {"plain", "two words", ") S 1 2 3",       "((((",
                                        "))))",  "a) Z 0 (b", "1 2 3 4 5 6 7 8", "\n"};
    guint64 before = process_start_time(getpid());
    for (gsize i = 0; i < G_N_ELEMENTS(names); i++) {
        pid_t child = start_child(names[i]);
        guint64 started = process_start_time(child);
        expect(names[i], started >= before && started < before + 600 * 1000);
        end_child(child);
    }
}

/* One that nobody has reaped yet is dead all the same. */
static void test_zombie(void)
{
    pid_t child = start_child("child");
    kill(child, SIGKILL);
    siginfo_t info;
    g_assert_cmpint(waitid(P_PID, child, &info, WEXITED | WNOWAIT), ==, 0);
    g_assert_cmpuint(process_start_time(child), ==, 0);
    waitpid(child, NULL, 0);
}

/* The process that burns is told apart from one that sleeps, and agrees with times(2)'s clock. */
static void test_times(void)
{
    guint64 user, system, later_user, later_system;
    g_assert_true(process_times(getpid(), &user, &system));
    clock_t until = clock() + CLOCKS_PER_SEC / 5;
    while (clock() < until) {
    }
    g_assert_true(process_times(getpid(), &later_user, &later_system));
    guint64 passed = later_user + later_system - user - system;
    g_assert_cmpuint(passed, >=, 150 * 1000 * 1000);
    g_assert_cmpuint(passed, <, 10 * G_GUINT64_CONSTANT(1000000000));
    g_assert_cmpuint(later_user, <=, (guint64)clock() * 1000 + 20 * 1000 * 1000);
    g_assert_false(process_times(-1, &user, &system));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_set_nonfatal_assertions();
    g_test_add_func("/process/start-time", test_start_time);
    g_test_add_func("/process/start-time-behind-any-name", test_start_time_behind_any_name);
    g_test_add_func("/process/zombie", test_zombie);
    g_test_add_func("/process/times", test_times);
    return g_test_run();
}
