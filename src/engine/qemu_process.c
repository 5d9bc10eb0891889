// SPDX-License-Identifier: LGPL-2.1-or-later
#include "src/engine/qemu_process.h"
#include "src/host/instance.h"
#include "src/util/error.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* More than that is a dead disk. */
#define GRACE_MS 3000

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

int qemu_process_open(pid_t pid, GError **error)
{
    int fd = syscall(SYS_pidfd_open, pid, 0);
    if (fd < 0) {
        error_set_errno(error, ERROR_INTERNAL, errno, "cannot watch QEMU (pid %d)", pid);
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

int qemu_process_reopen(pid_t pid, guint64 started)
{
    int fd = pid > 0 && started > 0 ? syscall(SYS_pidfd_open, pid, 0) : -1;
    if (fd >= 0 && instance_start_time(pid) != started) {
        close(fd);
        fd = -1;
    }
    return fd;
}

void qemu_process_signal(int pidfd, int signal)
{
    syscall(SYS_pidfd_send_signal, pidfd, signal, NULL, 0);
}

bool qemu_process_end(pid_t pid, guint64 started)
{
    int pidfd = qemu_process_reopen(pid, started);
    bool ended = pidfd < 0;
    for (int rung = 0; rung < 2 && !ended; rung++) {
        struct pollfd end = {.fd = pidfd, .events = POLLIN};
        qemu_process_signal(pidfd, rung == 0 ? SIGTERM : SIGKILL);
        ended = poll(&end, 1, GRACE_MS) == 1;
    }
    if (pidfd >= 0) {
        close(pidfd);
    }
    return ended;
}
