// SPDX-License-Identifier: LGPL-2.1-or-later
#include "src/host/process.h"
#include "src/util/error.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/pidfd.h>
#include <unistd.h>

/* More than that is a dead disk. */
#define GRACE_MS 3000

/* Of proc(5)'s stat, counted as there. */
enum { FIELD_STATE = 3, FIELD_UTIME = 14, FIELD_STIME = 15, FIELD_STARTTIME = 22 };

/* The fields from FIELD_STATE on, or NULL: there is no such process, or it has ended. */
static char **read_stat(pid_t pid)
{
    g_autofree char *path = g_strdup_printf("/proc/%d/stat", pid);
    g_autofree char *text = NULL;
    if (!g_file_get_contents(path, &text, NULL, NULL)) {
        return NULL;
    }
    /* The name, in parentheses, may hold anything. */
    char *after_name = strrchr(text, ')');
    if (after_name == NULL) {
        return NULL;
    }
    g_auto(GStrv) fields = g_strsplit(g_strstrip(after_name + 1), " ", 0);
    if (g_strv_length(fields) <= FIELD_STARTTIME - FIELD_STATE || *fields[0] == 'Z') {
        return NULL;
    }
    return g_steal_pointer(&fields);
}

static guint64 number_in(char **stat, int field)
{
    return g_ascii_strtoull(stat[field - FIELD_STATE], NULL, 10);
}

guint64 process_start_time(pid_t pid)
{
    g_auto(GStrv) stat = read_stat(pid);
    return stat != NULL ? number_in(stat, FIELD_STARTTIME) : 0;
}

bool process_times(pid_t pid, guint64 *user, guint64 *system)
{
    g_auto(GStrv) stat = read_stat(pid);
    if (stat == NULL) {
        return false;
    }
    guint64 tick_ns = G_TIME_SPAN_SECOND * 1000 / sysconf(_SC_CLK_TCK);
    *user = number_in(stat, FIELD_UTIME) * tick_ns;
    *system = number_in(stat, FIELD_STIME) * tick_ns;
    return true;
}

static pid_t parent_of(pid_t pid)
{
    g_autofree char *path = g_strdup_printf("/proc/%d/status", pid);
    g_autofree char *text = NULL;
    if (!g_file_get_contents(path, &text, NULL, NULL)) {
        return -1;
    }
    const char *line = strstr(text, "\nPPid:");
    return line != NULL ? (pid_t)g_ascii_strtoll(line + strlen("\nPPid:"), NULL, 10) : -1;
}

int process_open_sibling(pid_t pid, GError **error)
{
    int fd = pidfd_open(pid, 0);
    /* Whom no signal reaches cannot be ended. */
    if (fd < 0 || (pidfd_send_signal(fd, 0, NULL, 0) < 0 && errno != ESRCH)) {
        bool is_refused = errno == ENOSYS || errno == EPERM;
        error_set_errno(error, is_refused ? ERROR_UNAVAILABLE : ERROR_INTERNAL, errno,
                        "cannot watch QEMU (pid %d)%s", pid,
                        is_refused ? "; the container engine's seccomp profile must allow "
                                     "pidfd_open and pidfd_send_signal"
                                   : "");
        if (fd >= 0) {
            close(fd);
        }
        return -1;
    }
    /* Looked at after the pidfd is there: the pid cannot have passed to another process since. */
    if (parent_of(pid) != getppid()) {
        g_set_error(error, ERROR_DOMAIN, ERROR_INTERNAL, "pid %d is not QEMU's", pid);
        close(fd);
        return -1;
    }
    return fd;
}

int process_reopen(pid_t pid, guint64 started)
{
    int fd = pid > 0 && started > 0 ? pidfd_open(pid, 0) : -1;
    if (fd >= 0 && process_start_time(pid) != started) {
        close(fd);
        fd = -1;
    }
    return fd;
}

void process_signal(int pidfd, int signal)
{
    pidfd_send_signal(pidfd, signal, NULL, 0);
}

bool process_end(pid_t pid, guint64 started)
{
    int pidfd = process_reopen(pid, started);
    bool ended = pidfd < 0;
    for (int rung = 0; rung < 2 && !ended; rung++) {
        struct pollfd end = {.fd = pidfd, .events = POLLIN};
        process_signal(pidfd, rung == 0 ? SIGTERM : SIGKILL);
        ended = poll(&end, 1, GRACE_MS) == 1;
    }
    if (pidfd >= 0) {
        close(pidfd);
    }
    return ended;
}
