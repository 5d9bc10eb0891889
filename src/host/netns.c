// SPDX-License-Identifier: LGPL-2.1-or-later
#include "src/host/netns.h"
#include "src/util/error.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <unistd.h>

static void explain(const char *path, int why, GError **error)
{
    if (why == EINVAL) {
        g_set_error(error, ERROR_DOMAIN, ERROR_CONFIG,
                    "linux.namespaces: %s is no network namespace", path);
    } else if (why == EPERM) {
        g_set_error(error, ERROR_DOMAIN, ERROR_UNAVAILABLE,
                    "linux.namespaces: to join the network namespace %s needs capability "
                    "CAP_SYS_ADMIN, which is not there; start the container in it instead (podman: "
                    "--network ns:PATH) and leave the path out",
                    path);
    } else {
        error_set_errno(error, ERROR_UNAVAILABLE, why,
                        "linux.namespaces: cannot join the network namespace %s", path);
    }
}

int netns_open_file(const char *path, GError **error)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        explain(path, errno, error);
    }
    return fd;
}

bool netns_join(int fd, const char *path, GError **error)
{
    bool joined = setns(fd, CLONE_NEWNET) == 0;
    if (!joined) {
        explain(path, errno, error);
    }
    return joined;
}

int netns_open(GError **error)
{
    int fd = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        error_set_errno(error, ERROR_UNAVAILABLE, errno, "cannot open our own network namespace");
    }
    return fd;
}

bool netns_enter(int fd, GError **error)
{
    if (setns(fd, CLONE_NEWNET) < 0) {
        error_set_errno(error, ERROR_UNAVAILABLE, errno, "cannot change the network namespace");
        return false;
    }
    return true;
}
