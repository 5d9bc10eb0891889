// SPDX-License-Identifier: LGPL-2.1-or-later

/*
 * What can be said of limits without making a cgroup: the container tests do that.
 */

#include "src/host/limits.h"

#include <sched.h>
#include <sys/wait.h>
#include <unistd.h>

/* In a child, so that the affinity of the tests stays what it is. @cpus: how many to keep. */
static unsigned cpus_with_affinity(int cpus)
{
    int ends[2];
    unsigned answer = 0;
    g_assert_cmpint(pipe(ends), ==, 0);
    pid_t pid = fork();
    if (pid == 0) {
        cpu_set_t all, some;
        CPU_ZERO(&some);
        sched_getaffinity(0, sizeof(all), &all);
        for (int cpu = 0; cpu < CPU_SETSIZE && CPU_COUNT(&some) < cpus; cpu++) {
            if (CPU_ISSET(cpu, &all)) {
                CPU_SET(cpu, &some);
            }
        }
        sched_setaffinity(0, sizeof(some), &some);
        answer = limits_cpus();
        _exit(write(ends[1], &answer, sizeof(answer)) != sizeof(answer));
    }
    g_assert_cmpint(read(ends[0], &answer, sizeof(answer)), ==, sizeof(answer));
    waitpid(pid, NULL, 0);
    close(ends[0]);
    close(ends[1]);
    return answer;
}

static void test_cpus(void)
{
    cpu_set_t set;
    g_assert_cmpint(sched_getaffinity(0, sizeof(set), &set), ==, 0);
    g_assert_cmpuint(limits_cpus(), >=, 1);
    g_assert_cmpuint(limits_cpus(), <=, CPU_COUNT(&set));
    g_assert_cmpuint(cpus_with_affinity(1), ==, 1);
    g_assert_cmpuint(cpus_with_affinity(CPU_COUNT(&set)), ==, limits_cpus());
}

static void test_memory(void)
{
    guint64 limit = limits_memory();
    g_assert_cmpuint(limit, ==, limits_memory());
    /* cgroup v1 writes "none" as a number that no machine has; it must not come through */
    g_assert_cmpuint(limit, <, (guint64)1 << 60);
    if (limit > 0) { /* something runs in there: this */
        g_assert_cmpuint(limit, >, 1 << 20);
    }
}

static void test_oom_kills(void)
{
    guint64 kills = limits_oom_kills();
    g_assert_cmpuint(limits_oom_kills(), >=, kills);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_set_nonfatal_assertions();
    g_test_add_func("/limits/cpus", test_cpus);
    g_test_add_func("/limits/memory", test_memory);
    g_test_add_func("/limits/oom-kills", test_oom_kills);
    return g_test_run();
}
