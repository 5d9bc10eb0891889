// SPDX-License-Identifier: LGPL-2.1-or-later
#include "src/init/supervisor.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

/*
 * Theory of operation.
 *
 * libvirt forks helpers and QEMU's probes and waits for them by pid, so the process that hosts it
 * must not reap with -1; and QEMU itself is daemonised. Somebody else has to reap orphans, or
 * libvirt waits out its kill timeout on each zombie: 40 s for one start. That is this process: as
 * PID 1 orphans come here by themselves, elsewhere PR_SET_CHILD_SUBREAPER sends them.
 *
 * All signals are blocked and read from a signalfd, in one loop that ends when the engine has
 * ended. Afterwards everything that is still there is a leftover: SIGTERM (on which QEMU flushes
 * its disks), and SIGKILL when that did not help. Children cannot be mistaken for other processes:
 * their pids are not used again before they are reaped here.
 */

/* QEMU writes back what its disk caches hold on SIGTERM; more than this is a dead disk. */
#define LEFTOVER_GRACE_MS 3000
/* Who has not gone so long after SIGKILL hangs in the kernel, or cannot be found. */
#define LEFTOVER_GIVE_UP_MS 5000

struct supervisor {
    pid_t engine;
    int link; /* -1: closed */
    int signals;
    bool engine_gone;
    int engine_status;   /* as of waitpid(2) */
    bool ignores_hangup; /* as nohup(1) leaves it */
    bool has_terminal;
    struct termios terminal;
};

/* All but those that tell of a fault of our own, or that cannot be blocked. */
static void handled_signals(sigset_t *set)
{
    static const int faults[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT, SIGSYS};
    sigfillset(set);
    for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
        sigdelset(set, faults[i]);
    }
}

void supervisor_block_signals(void)
{
    sigset_t set;
    signal(SIGCHLD, SIG_DFL); /* ignored, as a parent can leave it, nobody is told of children */
    handled_signals(&set);
    sigprocmask(SIG_SETMASK, &set, NULL);
}

/*
 * In the child: signals that the supervisor forwards stay blocked, since a terminal sends them to
 * the whole process group; the others get their default back. libvirt and GLib want SIGCHLD.
 */
static void unblock_own_signals(void)
{
    static const int own[] = {SIGCHLD, SIGALRM, SIGPROF, SIGVTALRM, SIGURG, SIGIO};
    sigset_t set;
    sigemptyset(&set);
    for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++) {
        sigaddset(&set, own[i]);
    }
    sigprocmask(SIG_UNBLOCK, &set, NULL);
}

static bool start_engine(struct supervisor *s, supervisor_child *child, void *data)
{
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0) {
        return false;
    }
    s->engine = fork();
    if (s->engine < 0) {
        close(ends[0]);
        close(ends[1]);
        return false;
    }
    if (s->engine == 0) {
        close(ends[0]);
        close(s->signals);
        prctl(PR_SET_NAME, "ocivirt-engine");
        unblock_own_signals();
        /* Not exit(): nothing that the parent registered is the child's to run. */
        _exit(child(ends[1], data));
    }
    close(ends[1]);
    s->link = ends[0];
    return true;
}

static void tell_engine(struct supervisor *s, struct link_message message)
{
    /* An engine that does not read has its socket full; waiting for it would stop the reaping. */
    if (s->link >= 0 && send(s->link, &message, sizeof(message), MSG_DONTWAIT | MSG_NOSIGNAL) < 0 &&
        errno == EPIPE) {
        close(s->link);
        s->link = -1;
    }
}

/* Returns whether there are children left. */
static bool reap(struct supervisor *s)
{
    for (;;) {
        int status;
        pid_t pid = waitpid(-1, &status, WNOHANG);
        if (pid == 0) {
            return true;
        }
        if (pid < 0) {
            return errno != ECHILD;
        }
        if (pid == s->engine) {
            s->engine_gone = true;
            s->engine_status = status;
        } else {
            tell_engine(s, (struct link_message){LINK_EXITED, pid, status});
        }
    }
}

static void handle_signal(struct supervisor *s, const struct signalfd_siginfo *info)
{
    bool ignored = info->ssi_signo == SIGHUP && s->ignores_hangup;
    if (info->ssi_signo != SIGCHLD && !ignored) {
        tell_engine(s, (struct link_message){LINK_SIGNAL, 0, info->ssi_signo});
    }
}

/* Signals are merged while they wait, SIGCHLD more than others: each wake-up reaps all there is. */
static void run_until_engine_gone(struct supervisor *s)
{
    while (!s->engine_gone) {
        struct signalfd_siginfo info;
        if (read(s->signals, &info, sizeof(info)) == sizeof(info)) {
            handle_signal(s, &info);
        }
        reap(s);
    }
}

/* Sends @signal to every child; returns how many there are. */
static int signal_children(int signal)
{
    char path[64], list[4096];
    snprintf(path, sizeof(path), "/proc/self/task/%d/children", getpid());
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t length = fd >= 0 ? read(fd, list, sizeof(list) - 1) : -1;
    if (fd >= 0) {
        close(fd);
    }
    if (length < 0) {
        /* A kernel without that file; as PID 1 "all" is the same thing. */
        return getpid() == 1 && kill(-1, signal) == 0 ? 1 : 0;
    }
    list[length] = '\0';
    int count = 0;
    for (char *end, *p = list;; p = end) {
        long pid = strtol(p, &end, 10);
        if (pid <= 0) {
            return count;
        }
        count += kill(pid, signal) == 0;
    }
}

static long long now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000LL + t.tv_nsec / 1000000;
}

/* Ends whatever the engine has left. Children of leftovers become ours as those end. */
static int end_leftovers(struct supervisor *s)
{
    if (!reap(s)) {
        return 0;
    }
    int leftovers = signal_children(SIGTERM);
    long long deadline = now_ms() + LEFTOVER_GRACE_MS;
    while (reap(s)) {
        long long left = deadline - now_ms();
        if (left <= -LEFTOVER_GIVE_UP_MS) {
            break;
        }
        if (left <= 0) {
            signal_children(SIGKILL);
        }
        struct pollfd wake = {.fd = s->signals, .events = POLLIN};
        if (poll(&wake, 1, left > 0 ? (int)left : 50) > 0) {
            struct signalfd_siginfo info;
            (void)!read(s->signals, &info, sizeof(info));
        }
    }
    return leftovers;
}

static bool init(struct supervisor *s)
{
    sigset_t set;
    struct sigaction hangup;
    handled_signals(&set);
    s->ignores_hangup = sigaction(SIGHUP, NULL, &hangup) == 0 && hangup.sa_handler == SIG_IGN;
    s->has_terminal = tcgetattr(STDIN_FILENO, &s->terminal) == 0;
    s->signals = signalfd(-1, &set, SFD_CLOEXEC);
    return s->signals >= 0 && prctl(PR_SET_CHILD_SUBREAPER, 1) == 0;
}

int supervisor_run(supervisor_child *child, void *data, struct supervisor_report *report)
{
    struct supervisor s = {.link = -1};
    *report = (struct supervisor_report){0};
    if (!init(&s) || !start_engine(&s, child, data)) {
        report->saved_errno = errno;
        return -1;
    }
    run_until_engine_gone(&s);
    close(s.link);
    s.link = -1;
    report->leftovers = end_leftovers(&s);
    if (s.has_terminal && tcgetpgrp(STDIN_FILENO) == getpgrp()) {
        /* From the background this would stop us, were SIGTTOU not blocked. */
        tcsetattr(STDIN_FILENO, TCSANOW, &s.terminal);
    }
    if (WIFSIGNALED(s.engine_status)) {
        report->engine_signal = WTERMSIG(s.engine_status);
        return -1;
    }
    return WEXITSTATUS(s.engine_status);
}
