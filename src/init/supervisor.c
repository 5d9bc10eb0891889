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
 * All signals are blocked and read from a signalfd, in one loop that ends when an engine has ended
 * with an exit status. An engine that dies of a signal, or leaves PINGS_MISSED pings without an
 * answer and is killed for that, is followed by another one, forked from here like the first. Both
 * ends of the link stay open here, so what one engine has not read is there for the next.
 *
 * Afterwards everything that is still there is a leftover: SIGTERM (on which QEMU flushes its
 * disks), and SIGKILL when that did not help. Children cannot be mistaken for other processes:
 * their pids are not used again before they are reaped here.
 */

/* QEMU writes back what its disk caches hold on SIGTERM; more than this is a dead disk. */
#define LEFTOVER_GRACE_MS 3000
/* Who has not gone so long after SIGKILL hangs in the kernel, or cannot be found. */
#define LEFTOVER_GIVE_UP_MS 5000

#define PING_EVERY_MS 1000
/* Counted, not timed: a container that was frozen, and its clock not, is no engine that hangs. */
#define PINGS_MISSED 5

/* Engines that die so often in so short a time die of the VM, or of what it runs on. */
#define LOSSES_MOST 5
#define LOSSES_WITHIN_MS 60000
#define BACKOFF_FIRST_MS 100 /* doubled each time; the first new engine comes at once */

/* Where there are too many processes, or there is too little memory, for another engine: a minute.
 */
#define FORK_AGAIN_MS 1000
#define FORKS_IN_VAIN_MOST 60

/* Reaped, and not yet told to an engine whose link is full. */
#define UNTOLD_MOST 64

struct supervisor {
    const struct supervisor_config *config;
    struct supervisor_report *report;
    pid_t engine;    /* 0: there is none */
    int link;        /* our end */
    int engine_link; /* the engines' */
    int kept;
    int signals;
    bool engine_gone;
    int engine_status; /* as of waitpid(2) */
    bool begins_anew;  /* what a start has left is being ended, for another one */
    bool hung;
    bool pinged; /* and not answered yet */
    int missed;
    long long next_ping; /* ms, as now_ms() */
    long long restart_at;
    int forks_in_vain;             /* since there was an engine */
    bool is_to_stop;               /* instead of waiting for one */
    long long losses[LOSSES_MOST]; /* when; the oldest is overwritten */
    struct link_message untold[UNTOLD_MOST];
    int untold_count;
    bool ignores_hangup; /* as nohup(1) leaves it */
    bool has_terminal;
    struct termios terminal;
};

static long long now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000LL + t.tv_nsec / 1000000;
}

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

static bool start_engine(struct supervisor *s, int lost_signal)
{
    const struct supervisor_start start = {
        .link = s->engine_link,
        .kept = s->kept,
        .lost_signal = lost_signal,
        .lost_hung = s->hung,
    };
    pid_t pid = fork();
    if (pid < 0) {
        return false;
    }
    if (pid == 0) {
        close(s->link);
        close(s->signals);
        prctl(PR_SET_NAME, "ocivirt-engine");
        unblock_own_signals();
        /* Not exit(): nothing that the parent registered is the child's to run. */
        _exit(s->config->run(&start, s->config->data));
    }
    s->engine = pid;
    s->engine_gone = s->hung = s->pinged = false;
    s->missed = s->forks_in_vain = 0;
    s->next_ping = now_ms() + PING_EVERY_MS;
    return true;
}

/* --- the link --- */

/* False: the engine does not read, and its socket is full. */
static bool tell_engine(struct supervisor *s, struct link_message message)
{
    return s->link < 0 ||
           send(s->link, &message, sizeof(message), MSG_DONTWAIT | MSG_NOSIGNAL) >= 0;
}

/* What has ended must not be lost, or nobody would know QEMU's status. But of a start that is given
 * up the next engine is not to know: it would take the end for one of its own QEMU's. */
static void tell_exit(struct supervisor *s, pid_t pid, int status)
{
    if (s->begins_anew) {
        return;
    }
    struct link_message message = {LINK_EXITED, pid, status};
    if ((s->untold_count > 0 || !tell_engine(s, message)) && s->untold_count < UNTOLD_MOST) {
        s->untold[s->untold_count++] = message;
    }
}

static void tell_untold(struct supervisor *s)
{
    int told = 0;
    while (told < s->untold_count && tell_engine(s, s->untold[told])) {
        told++;
    }
    s->untold_count -= told;
    memmove(s->untold, s->untold + told, s->untold_count * sizeof(s->untold[0]));
}

static int received_descriptor(struct msghdr *header)
{
    int fd = -1;
    struct cmsghdr *control = CMSG_FIRSTHDR(header);
    if (control != NULL && control->cmsg_level == SOL_SOCKET && control->cmsg_type == SCM_RIGHTS &&
        control->cmsg_len == CMSG_LEN(sizeof(fd))) {
        memcpy(&fd, CMSG_DATA(control), sizeof(fd));
    }
    return fd;
}

/* False: it has said nothing more. */
static bool hear_engine(struct supervisor *s)
{
    struct link_message message;
    struct iovec bytes = {&message, sizeof(message)};
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(sizeof(int))];
    } control;
    struct msghdr header = {.msg_iov = &bytes,
                            .msg_iovlen = 1,
                            .msg_control = &control,
                            .msg_controllen = sizeof(control)};
    if (recvmsg(s->link, &header, MSG_DONTWAIT | MSG_CMSG_CLOEXEC) != sizeof(message)) {
        return false;
    }
    int fd = received_descriptor(&header);
    if (message.kind == LINK_PONG) {
        s->pinged = false;
        s->missed = 0;
    }
    if (message.kind == LINK_KEEP && fd >= 0) {
        if (s->kept >= 0) {
            close(s->kept);
        }
        s->kept = fd;
    } else if (fd >= 0) {
        close(fd);
    }
    return true;
}

/* One that leaves its socket full does not answer either. */
static void look_after_engine(struct supervisor *s)
{
    bool waiting = s->pinged;
    s->next_ping = now_ms() + PING_EVERY_MS;
    s->pinged = waiting || tell_engine(s, (struct link_message){LINK_PING, 0, 0});
    s->missed += waiting || !s->pinged;
    if (s->missed >= PINGS_MISSED) {
        s->hung = true;
        kill(s->engine, SIGKILL);
    }
}

/* --- what has ended --- */

/* Returns whether there are children left. */
static bool reap(struct supervisor *s)
{
    for (;;) {
        int status = 0;
        pid_t pid = waitpid(-1, &status, WNOHANG);
        if (pid == 0) {
            return true;
        }
        if (pid < 0) {
            return errno != ECHILD;
        }
        if (pid == s->engine) {
            s->engine = 0;
            s->engine_gone = true;
            s->engine_status = status;
        } else {
            tell_exit(s, pid, status);
        }
    }
}

static void handle_signal(struct supervisor *s, const struct signalfd_siginfo *info)
{
    bool ignored = info->ssi_signo == SIGHUP && s->ignores_hangup;
    /* There may never be an engine that hears of it. */
    s->is_to_stop |=
        s->forks_in_vain > 0 &&
        (info->ssi_signo == SIGTERM || info->ssi_signo == SIGINT || info->ssi_signo == SIGQUIT);
    if (info->ssi_signo != SIGCHLD && !ignored) {
        tell_engine(s, (struct link_message){LINK_SIGNAL, 0, info->ssi_signo, now_ms()});
    }
}

/* Waits for a signal, or a word from the engine, at most @ms; -1: for ever. */
static void wait_and_handle(struct supervisor *s, int ms)
{
    struct pollfd wakes[] = {
        {.fd = s->signals, .events = POLLIN},
        {.fd = s->link, .events = POLLIN | (s->untold_count > 0 ? POLLOUT : 0)},
    };
    if (poll(wakes, 2, ms) <= 0) {
        return;
    }
    struct signalfd_siginfo info;
    if ((wakes[0].revents & POLLIN) && read(s->signals, &info, sizeof(info)) == sizeof(info)) {
        handle_signal(s, &info);
    }
    if (wakes[1].revents & POLLIN) {
        hear_engine(s);
    }
    if (wakes[1].revents & POLLOUT) {
        tell_untold(s);
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
    if (length == sizeof(list) - 1) {
        while (length > 0 && list[length - 1] != ' ') {
            length--; /* of the last number there may be more; its turn comes when others have ended
                       */
        }
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

/* Ends whatever the engine has left. Children of leftovers become ours as those end. */
static int end_leftovers(struct supervisor *s)
{
    if (!reap(s)) {
        return 0;
    }
    int leftovers = 0;
    long long deadline = now_ms() + LEFTOVER_GRACE_MS;
    while (reap(s)) {
        long long left = deadline - now_ms();
        if (left <= -LEFTOVER_GIVE_UP_MS) {
            s->report->survivors = true;
            break;
        }
        /* Each time: what a leftover leaves behind comes to us when that ends. */
        int count = signal_children(left > 0 ? SIGTERM : SIGKILL);
        leftovers = count > leftovers ? count : leftovers;
        wait_and_handle(s, left > 0 ? (int)left : 50);
    }
    return leftovers;
}

/* --- one engine after the other --- */

/* Notes the loss of an engine; false: there were too many. */
static bool may_start_again(struct supervisor *s)
{
    long long now = now_ms();
    int recent = 1;
    for (int i = 0; i < LOSSES_MOST; i++) {
        recent += s->losses[i] != 0 && now - s->losses[i] < LOSSES_WITHIN_MS;
    }
    s->losses[s->report->engines_lost++ % LOSSES_MOST] = now;
    s->restart_at = recent > 1 ? now + (BACKOFF_FIRST_MS << (recent - 2)) : now;
    return recent < LOSSES_MOST;
}

/* False: there will be no other one. A short want of processes is no reason to end a VM. */
static bool start_again(struct supervisor *s)
{
    bool started = start_engine(s, s->report->engine_signal);
    s->report->fork_errno = started ? 0 : errno;
    s->forks_in_vain += !started;
    s->restart_at = now_ms() + FORK_AGAIN_MS;
    return s->forks_in_vain < FORKS_IN_VAIN_MOST;
}

/* False: there will be no other one. */
static bool replace_engine(struct supervisor *s)
{
    s->engine_gone = false;
    s->report->engine_signal = WTERMSIG(s->engine_status);
    while (hear_engine(s)) {
        /* What it gave us to keep is the next one's. */
    }
    if (s->config->can_take_over == NULL || !may_start_again(s)) {
        return false;
    }
    if (!s->config->can_take_over(s->config->data)) {
        s->begins_anew = true;
        end_leftovers(s);
        s->begins_anew = false;
    }
    return true;
}

/* Signals are merged while they wait, SIGCHLD more than others: each wake-up reaps all there is. */
static bool run_engines(struct supervisor *s)
{
    for (;;) {
        long long now = now_ms();
        if (s->engine == 0 && now >= s->restart_at && !start_again(s)) {
            return false;
        }
        if (s->engine != 0 && now >= s->next_ping) {
            look_after_engine(s);
        }
        long long next = s->engine != 0 ? s->next_ping : s->restart_at;
        wait_and_handle(s, next > now ? (int)(next - now) : 0);
        reap(s);
        if (s->engine_gone && WIFEXITED(s->engine_status)) {
            return true;
        }
        if ((s->engine_gone && !replace_engine(s)) || s->is_to_stop) {
            return false;
        }
    }
}

static bool init(struct supervisor *s)
{
    sigset_t set;
    struct sigaction hangup;
    int ends[2];
    handled_signals(&set);
    s->ignores_hangup = sigaction(SIGHUP, NULL, &hangup) == 0 && hangup.sa_handler == SIG_IGN;
    s->has_terminal = tcgetattr(STDIN_FILENO, &s->terminal) == 0;
    s->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (s->signals < 0 || prctl(PR_SET_CHILD_SUBREAPER, 1) != 0 ||
        socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0) {
        return false;
    }
    s->link = ends[0];
    s->engine_link = ends[1];
    return true;
}

static void finish(struct supervisor *s)
{
    close(s->link);
    close(s->engine_link);
    s->link = -1; /* there is nobody to tell */
    s->untold_count = 0;
    s->report->leftovers = end_leftovers(s);
    if (s->kept >= 0) {
        close(s->kept);
    }
    close(s->signals);
    if (s->has_terminal && tcgetpgrp(STDIN_FILENO) == getpgrp()) {
        /* From the background this would stop us, were SIGTTOU not blocked. */
        tcsetattr(STDIN_FILENO, TCSANOW, &s->terminal);
    }
}

int supervisor_run(const struct supervisor_config *config, struct supervisor_report *report)
{
    struct supervisor s = {
        .config = config, .report = report, .link = -1, .engine_link = -1, .kept = -1};
    *report = (struct supervisor_report){0};
    if (!init(&s) || !start_engine(&s, 0)) {
        report->saved_errno = errno;
        return -1;
    }
    bool ended = run_engines(&s);
    finish(&s);
    return ended ? WEXITSTATUS(s.engine_status) : -1;
}
