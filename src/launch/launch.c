// SPDX-License-Identifier: LGPL-2.1-or-later
#include "src/launch/plan.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/ioprio.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/*
 * Theory of operation.
 *
 * libvirt executes this in place of QEMU, by a symbolic link in a folder of the root directory. The
 * file `plan` beside the link says what to do to the process, and which program then to become.
 * libvirt's own children, and libvirt itself, are left alone that way: a seccomp filter or a limit
 * that is right for QEMU would be wrong for them.
 *
 * The order matters: limits first, since they may allow what follows (RLIMIT_NICE); the filter
 * last, since it may forbid everything else. What cannot be done without a privilege is noted, and
 * QEMU starts without it; a filter that cannot be put in force is the end, for it is there to
 * protect.
 *
 * Words go to standard error, which libvirt keeps in QEMU's log and quotes, and to the file `notes`
 * beside the plan, which the engine reads.
 */

enum { CANNOT_PREPARE = 126, CANNOT_EXECUTE = 127 }; /* as shells have it */

static int home = -1; /* the folder of the link, */
static bool is_ours;  /* once there is a plan in it */
static struct launch_plan plan;
static struct sock_filter filter[LAUNCH_FILTER_MAX];

/* --- words --- */

__attribute__((format(printf, 2, 0))) static void say(char kind, const char *format,
                                                      va_list arguments)
{
    char line[PATH_MAX + 512] = {kind, ' '};
    int length = vsnprintf(line + 2, sizeof(line) - 3, format, arguments);
    length = length < (int)sizeof(line) - 4 ? length : (int)sizeof(line) - 4;
    line[length + 2] = '\n';
    dprintf(STDERR_FILENO, "ocivirt-launch: %.*s", length + 1, line + 2);

    int flags = O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_CLOEXEC;
    int notes = is_ours ? openat(home, LAUNCH_NOTES, flags, 0600) : -1;
    if (notes >= 0) {
        (void)!write(notes, line, length + 3);
        close(notes);
    }
}

__attribute__((format(printf, 1, 2))) static void warn(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    say(LAUNCH_WARNING, format, arguments);
    va_end(arguments);
}

__attribute__((format(printf, 2, 3), noreturn)) static void die(int status, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    say(LAUNCH_FAILURE, format, arguments);
    va_end(arguments);
    _exit(status);
}

/* --- the plan --- */

static void find_home(const char *self)
{
    char path[PATH_MAX];
    const char *slash = self != NULL ? strrchr(self, '/') : NULL;
    if (slash == NULL || slash - self >= PATH_MAX - 1) {
        die(CANNOT_PREPARE, "only ocivirt can use this program");
    }
    snprintf(path, sizeof(path), "%.*s/", (int)(slash - self), self);
    home = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
}

static int open_plan(off_t *size)
{
    struct stat status;
    int fd = openat(home, LAUNCH_PLAN, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &status) < 0) {
        die(CANNOT_PREPARE,
            "cannot open the plan for QEMU's process (only ocivirt can use this program): %s",
            strerror(errno));
    }
    if ((status.st_uid != geteuid() && status.st_uid != 0) || (status.st_mode & 022)) {
        die(CANNOT_PREPARE, "the plan for QEMU's process belongs to uid %u, or others can write it",
            status.st_uid);
    }
    is_ours = true;
    *size = status.st_size;
    return fd;
}

static bool is_sound(off_t size)
{
    if (memcmp(plan.magic, LAUNCH_MAGIC, sizeof(plan.magic)) != 0 ||
        plan.limit_count > LAUNCH_LIMITS_MAX || plan.filter_length > LAUNCH_FILTER_MAX ||
        size != (off_t)(sizeof(plan) + plan.filter_length * sizeof(*filter)) ||
        plan.program[0] != '/' || memchr(plan.program, '\0', sizeof(plan.program)) == NULL) {
        return false;
    }
    for (unsigned i = 0; i < plan.limit_count; i++) {
        if (plan.limits[i].resource < 0 || plan.limits[i].resource >= RLIM_NLIMITS) {
            return false;
        }
    }
    return true;
}

static void read_plan(void)
{
    off_t size;
    int fd = open_plan(&size);
    if (read(fd, &plan, sizeof(plan)) != sizeof(plan) || !is_sound(size) ||
        read(fd, filter, plan.filter_length * sizeof(*filter)) !=
            (ssize_t)(plan.filter_length * sizeof(*filter))) {
        die(CANNOT_PREPARE, "the plan for QEMU's process is damaged, or another version's");
    }
    close(fd);
}

/* --- limits and priorities --- */

static const char *limit_name(int resource)
{
    static const char *const names[RLIM_NLIMITS] = {
        [RLIMIT_AS] = "RLIMIT_AS",
        [RLIMIT_CORE] = "RLIMIT_CORE",
        [RLIMIT_CPU] = "RLIMIT_CPU",
        [RLIMIT_DATA] = "RLIMIT_DATA",
        [RLIMIT_FSIZE] = "RLIMIT_FSIZE",
        [RLIMIT_LOCKS] = "RLIMIT_LOCKS",
        [RLIMIT_MEMLOCK] = "RLIMIT_MEMLOCK",
        [RLIMIT_MSGQUEUE] = "RLIMIT_MSGQUEUE",
        [RLIMIT_NICE] = "RLIMIT_NICE",
        [RLIMIT_NOFILE] = "RLIMIT_NOFILE",
        [RLIMIT_NPROC] = "RLIMIT_NPROC",
        [RLIMIT_RSS] = "RLIMIT_RSS",
        [RLIMIT_RTPRIO] = "RLIMIT_RTPRIO",
        [RLIMIT_RTTIME] = "RLIMIT_RTTIME",
        [RLIMIT_SIGPENDING] = "RLIMIT_SIGPENDING",
        [RLIMIT_STACK] = "RLIMIT_STACK",
    };
    return names[resource] != NULL ? names[resource] : "a limit";
}

static rlim_t limit_value(unsigned long long value)
{
    return value >= RLIM_INFINITY ? RLIM_INFINITY : (rlim_t)value;
}

static rlim_t smaller(rlim_t a, rlim_t b)
{
    return a < b ? a : b; /* RLIM_INFINITY is the largest there is */
}

/* What a privilege would be needed for is done as far as it goes without. */
static void set_limit(const struct launch_limit *wanted)
{
    const char *name = limit_name(wanted->resource);
    struct rlimit present, limit = {limit_value(wanted->soft), limit_value(wanted->hard)};
    if (setrlimit(wanted->resource, &limit) == 0) {
        return;
    }
    int why = errno;
    if (why != EPERM || getrlimit(wanted->resource, &present) < 0) {
        warn("process.rlimits: cannot set %s: %s", name, strerror(why));
        return;
    }
    limit.rlim_max = smaller(limit.rlim_max, present.rlim_max);
    limit.rlim_cur = smaller(limit.rlim_cur, limit.rlim_max);
    if (setrlimit(wanted->resource, &limit) < 0) {
        warn("process.rlimits: cannot set %s: %s", name, strerror(errno));
        return;
    }
    warn("process.rlimits: %s cannot be raised beyond %llu, the hard limit that is there: that "
         "needs "
         "CAP_SYS_RESOURCE%s",
         name, (unsigned long long)limit.rlim_max,
         wanted->resource == RLIMIT_NOFILE ? ", and has its end at sysctl fs.nr_open" : "");
}

static void set_oom_score_adj(void)
{
    int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
    if (fd < 0 || dprintf(fd, "%d", plan.oom_score_adj) < 0) {
        warn("process.oomScoreAdj: cannot be set to %d: %s%s", plan.oom_score_adj, strerror(errno),
             errno == EACCES || errno == EPERM ? "; lowering it needs CAP_SYS_RESOURCE" : "");
    }
    if (fd >= 0) {
        close(fd);
    }
}

static void set_io_priority(void)
{
    int value = IOPRIO_PRIO_VALUE(plan.io_class, plan.io_priority);
    if (syscall(SYS_ioprio_set, IOPRIO_WHO_PROCESS, 0, value) < 0) {
        warn("process.ioPriority: cannot use class %d, priority %d: %s%s", plan.io_class,
             plan.io_priority, strerror(errno),
             errno == EPERM ? "; the real-time class needs CAP_SYS_NICE" : "");
    }
}

static void set_scheduler(void)
{
    struct sched_param parameters = {.sched_priority = plan.scheduler_priority};
    if (sched_setscheduler(0, plan.scheduler_policy, &parameters) < 0) {
        warn("process.scheduler: cannot use policy %d, priority %d: %s%s", plan.scheduler_policy,
             plan.scheduler_priority, strerror(errno),
             errno == EPERM ? "; it needs CAP_SYS_NICE" : "");
    }
    if (plan.nice != LAUNCH_NICE_INHERITED && setpriority(PRIO_PROCESS, 0, plan.nice) < 0) {
        warn("process.scheduler: cannot set nice to %d: %s%s", plan.nice, strerror(errno),
             errno == EACCES || errno == EPERM ? "; lowering it needs CAP_SYS_NICE" : "");
    }
}

/* --- rights --- */

static void install_filter(void)
{
    struct sock_fprog program = {.len = plan.filter_length, .filter = filter};
    if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, plan.filter_flags, &program) < 0) {
        die(CANNOT_PREPARE, "linux.seccomp: the kernel refuses the filter: %s", strerror(errno));
    }
}

static void limit_rights(void)
{
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0) {
        die(CANNOT_PREPARE, "cannot set no_new_privs: %s", strerror(errno));
    }
    /* The filter may not let us say so later. */
    if (access(plan.program, X_OK) < 0) {
        die(CANNOT_EXECUTE, "cannot execute %s: %s", plan.program, strerror(errno));
    }
    if (plan.filter_length > 0) {
        install_filter();
    }
}

int main(int argc, char **argv)
{
    find_home(argc > 0 ? argv[0] : NULL);
    read_plan();
    for (unsigned i = 0; i < plan.limit_count; i++) {
        set_limit(&plan.limits[i]);
    }
    if (plan.set_oom_score_adj) {
        set_oom_score_adj();
    }
    if (plan.set_io_priority) {
        set_io_priority();
    }
    if (plan.set_scheduler) {
        set_scheduler();
    }
    limit_rights();
    argv[0] = plan.program;
    execv(plan.program, argv);
    die(CANNOT_EXECUTE, "cannot execute %s: %s", plan.program, strerror(errno));
}
