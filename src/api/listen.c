// SPDX-License-Identifier: LGPL-2.1-or-later
#include "src/api/api.h"
#include "src/util/endpoint.h"
#include "src/util/error.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define BACKLOG 128

/* Never wider than 0600, not for a moment. */
static bool bind_privately(int fd, const struct sockaddr_un *address)
{
    mode_t before = umask(0177);
    bool ok = bind(fd, (const struct sockaddr *)address, sizeof(*address)) == 0;
    umask(before);
    return ok;
}

int api_listen(const char *path, GError **error)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (g_strlcpy(address.sun_path, path, sizeof(address.sun_path)) >= sizeof(address.sun_path)) {
        g_set_error(error, ERROR_DOMAIN, ERROR_UNAVAILABLE,
                    "the path %s is too long for a UNIX socket; name a shorter root directory with "
                    "--root",
                    path);
        return -1;
    }
    /* The root directory is locked: what is there is nobody's. */
    int fd = -1;
    if ((unlink(path) == 0 || errno == ENOENT) &&
        (fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)) >= 0 &&
        bind_privately(fd, &address) && listen(fd, BACKLOG) == 0) {
        return fd;
    }
    error_set_errno(error, ERROR_UNAVAILABLE, errno, "cannot make the control socket %s", path);
    if (fd >= 0) {
        close(fd);
    }
    return -1;
}

/* --- on TCP --- */

/* What the kernel keeps for a peer that does not read is the container's memory; by itself it grows
 * to some MiB. Metrics fit in. */
#define SEND_BUFFER (64 * 1024)

/* -1 and errno. */
static int listen_at(const struct sockaddr *address, socklen_t length)
{
    static const int yes = 1, no = 0, buffer = SEND_BUFFER;
    int fd = socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) {
        return -1;
    }
    /* What an ocivirt before this one has served may not be all over yet. */
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
    setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &buffer, sizeof(buffer)); /* of each that is accepted */
    /* An IPv6 socket for all addresses takes IPv4 as well, whatever this machine's default is. */
    if (address->sa_family == AF_INET6) {
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &no, sizeof(no));
    }
    if (bind(fd, address, length) == 0 && listen(fd, BACKLOG) == 0) {
        return fd;
    }
    int saved_errno = errno;
    close(fd);
    errno = saved_errno;
    return -1;
}

/* Both IPs where there are both. */
static int listen_everywhere(const struct endpoint *endpoint)
{
    int fd = listen_at((const struct sockaddr *)&endpoint->address, endpoint->length);
    if (fd >= 0 || (errno != EAFNOSUPPORT && errno != EADDRNOTAVAIL)) {
        return fd;
    }
    const struct sockaddr_in6 *ipv6 = (const struct sockaddr_in6 *)&endpoint->address;
    const struct sockaddr_in ipv4 = {.sin_family = AF_INET, .sin_port = ipv6->sin6_port};
    return listen_at((const struct sockaddr *)&ipv4, sizeof(ipv4));
}

static const char *advice(int saved_errno)
{
    switch (saved_errno) {
    case EADDRINUSE:
        return "; something else listens there: choose another port";
    case EACCES:
        return "; choose a port from 1024 on";
    case EADDRNOTAVAIL:
    case EAFNOSUPPORT:
        return "; this container has no such address: choose one that it has, or leave it out to "
               "listen on all";
    default:
        return "";
    }
}

int api_listen_http(const char *address, GError **error)
{
    struct endpoint endpoint;
    int fd = -1;
    if (!endpoint_parse(address, &endpoint)) {
        errno = EINVAL;
    } else if (endpoint.any) {
        fd = listen_everywhere(&endpoint);
    } else {
        fd = listen_at((const struct sockaddr *)&endpoint.address, endpoint.length);
    }
    int saved_errno = errno;
    if (fd < 0) {
        g_set_error(error, ERROR_DOMAIN, ERROR_UNAVAILABLE,
                    "the setting http: cannot listen on %s: %s%s", address, g_strerror(saved_errno),
                    advice(saved_errno));
    }
    return fd;
}
