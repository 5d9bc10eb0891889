// SPDX-License-Identifier: LGPL-2.1-or-later
#include "src/host/interfaces.h"
#include "src/host/capability.h"
#include "src/util/error.h"
#include "src/util/ports.h"

#include <arpa/inet.h>
#include <errno.h>
#include <ifaddrs.h>
#include <linux/capability.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

/* include/net/tcp_states.h */
#define TCP_LISTEN 0x0a

/* A file of the calling thread's network namespace: /proc/net is the main thread's. */
static char *read_net(const char *name)
{
    g_autofree char *path = g_strdup_printf("/proc/thread-self/net/%s", name);
    char *text = NULL;
    return g_file_get_contents(path, &text, NULL, NULL) ? text : g_strdup("");
}

static bool is_global(const struct sockaddr *address)
{
    if (address == NULL) {
        return false;
    }
    if (address->sa_family == AF_INET6) {
        const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)(const void *)address;
        return !IN6_IS_ADDR_LINKLOCAL(&in6->sin6_addr) && !IN6_IS_ADDR_LOOPBACK(&in6->sin6_addr);
    }
    return address->sa_family == AF_INET;
}

static guint get_mtu(const char *name)
{
    struct ifreq request = {0};
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    g_strlcpy(request.ifr_name, name, sizeof(request.ifr_name));
    bool ok = fd >= 0 && ioctl(fd, SIOCGIFMTU, &request) == 0;
    if (fd >= 0) {
        close(fd);
    }
    return ok ? request.ifr_mtu : 0;
}

/* Whether a line of @routes, as /proc/net/route has them, is @name's default. */
static bool is_default(const char *routes, const char *name)
{
    g_auto(GStrv) lines = g_strsplit(routes, "\n", 0);
    for (char **line = lines; *line != NULL; line++) {
        char interface[IFNAMSIZ + 1];
        unsigned destination, gateway, flags, use[4], mask = 1;
        if (sscanf(*line, "%16s %x %x %x %u %u %u %x", interface, &destination, &gateway, &flags,
                   &use[0], &use[1], &use[2], &mask) == 8 &&
            destination == 0 && mask == 0 && g_str_equal(interface, name)) {
            return true;
        }
    }
    return false;
}

/* The same of /proc/net/ipv6_route. */
static bool is_default6(const char *routes, const char *name)
{
    static const char anything[] = "00000000000000000000000000000000 00 ";
    g_auto(GStrv) lines = g_strsplit(routes, "\n", 0);
    for (char **line = lines; *line != NULL; line++) {
        const char *interface = strrchr(*line, ' ');
        if (g_str_has_prefix(*line, anything) && g_str_equal(interface + 1, name)) {
            return true;
        }
    }
    return false;
}

static struct interface *find(const GArray *found, const char *name)
{
    for (guint i = 0; i < found->len; i++) {
        struct interface *interface = &g_array_index(found, struct interface, i);
        if (g_str_equal(interface->name, name)) {
            return interface;
        }
    }
    return NULL;
}

static struct interface *add(GArray *found, const char *name, const char *routes,
                             const char *routes6)
{
    struct interface interface = {
        .mtu = get_mtu(name),
        .is_default = is_default(routes, name) || is_default6(routes6, name),
    };
    g_autofree char *device = g_strdup_printf("/sys/class/net/%s/device", name);
    interface.is_device = access(device, F_OK) == 0;
    g_strlcpy(interface.name, name, sizeof(interface.name));
    guint at = 0;
    while (at < found->len &&
           (!interface.is_default || g_array_index(found, struct interface, at).is_default)) {
        at++;
    }
    g_array_insert_val(found, at, interface);
    return &g_array_index(found, struct interface, at);
}

/* The first that there are: others are reached by way of these. */
static void note_address(struct interface *interface, const struct ifaddrs *entry)
{
    if (entry->ifa_addr->sa_family == AF_INET6) {
        const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)(const void *)entry->ifa_addr;
        if (*interface->address6 == '\0') {
            inet_ntop(AF_INET6, &in6->sin6_addr, interface->address6, sizeof(interface->address6));
        }
        return;
    }
    const struct sockaddr_in *in = (const struct sockaddr_in *)(const void *)entry->ifa_addr;
    const struct sockaddr_in *mask = (const struct sockaddr_in *)(const void *)entry->ifa_netmask;
    if (*interface->address != '\0' || mask == NULL) {
        return;
    }
    guint32 own = ntohl(in->sin_addr.s_addr), network = own & ntohl(mask->sin_addr.s_addr);
    const struct in_addr router = {htonl(network + 1 == own ? network + 2 : network + 1)};
    interface->prefix = __builtin_popcount(mask->sin_addr.s_addr);
    inet_ntop(AF_INET, &in->sin_addr, interface->address, sizeof(interface->address));
    inet_ntop(AF_INET, &router, interface->router, sizeof(interface->router));
}

GArray *interfaces_find(void)
{
    GArray *found = g_array_new(FALSE, FALSE, sizeof(struct interface));
    g_autofree char *routes = read_net("route"), *routes6 = read_net("ipv6_route");
    struct ifaddrs *list = NULL;
    if (getifaddrs(&list) < 0) {
        return found;
    }
    for (const struct ifaddrs *entry = list; entry != NULL; entry = entry->ifa_next) {
        bool usable = (entry->ifa_flags & IFF_UP) && !(entry->ifa_flags & IFF_LOOPBACK);
        if (!usable || !is_global(entry->ifa_addr)) {
            continue;
        }
        struct interface *interface = find(found, entry->ifa_name);
        if (interface == NULL) {
            interface = add(found, entry->ifa_name, routes, routes6);
        }
        note_address(interface, entry);
    }
    freeifaddrs(list);
    return found;
}

static void add_in_use(GArray *ports, const char *file, bool udp)
{
    g_autofree char *text = read_net(file);
    g_auto(GStrv) lines = g_strsplit(text, "\n", 0);
    for (char **line = lines; *line != NULL; line++) {
        unsigned port, remote_port, state;
        char local[33], remote[33];
        if (sscanf(*line, " %*u: %32[0-9A-F]:%x %32[0-9A-F]:%x %x", local, &port, remote,
                   &remote_port, &state) == 5 &&
            port > 0 && (udp ? remote_port == 0 : state == TCP_LISTEN)) {
            struct port_range range = {port, port, port, udp};
            g_array_append_val(ports, range);
        }
    }
}

GArray *interfaces_ports_in_use(void)
{
    GArray *ports = g_array_new(FALSE, FALSE, sizeof(struct port_range));
    add_in_use(ports, "tcp", false);
    add_in_use(ports, "tcp6", false);
    add_in_use(ports, "udp", true);
    add_in_use(ports, "udp6", true);
    return ports;
}

static bool can_bind(guint port, bool udp)
{
    /* Of both IPs at once; where there is no IPv6, of the other. */
    const struct sockaddr_in6 both = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
    const struct sockaddr_in one = {.sin_family = AF_INET, .sin_port = htons(port)};
    int type = (udp ? SOCK_DGRAM : SOCK_STREAM) | SOCK_CLOEXEC, on = 1, off = 0;
    int fd = socket(AF_INET6, type, 0);
    bool ok = fd >= 0 && setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off)) == 0 &&
              (udp || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) == 0) &&
              bind(fd, (const struct sockaddr *)&both, sizeof(both)) == 0;
    if (!ok && (fd < 0 || errno == EADDRNOTAVAIL)) {
        if (fd >= 0) {
            close(fd);
        }
        fd = socket(AF_INET, type, 0);
        ok = fd >= 0 && (udp || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) == 0) &&
             bind(fd, (const struct sockaddr *)&one, sizeof(one)) == 0;
    }
    ok = ok && (udp || listen(fd, 1) == 0);
    int saved_errno = errno;
    if (fd >= 0) {
        close(fd);
    }
    errno = saved_errno;
    return ok;
}

static void explain(guint port, bool udp, GError **error)
{
    const char *protocol = udp ? "udp" : "tcp";
    switch (errno) {
    case EACCES:
        g_set_error(error, ERROR_DOMAIN, ERROR_UNAVAILABLE,
                    "port %u/%s cannot be published: uid %u may bind ports from %u on; publish a "
                    "higher one, as in %u:%u, or allow it (podman: --sysctl "
                    "net.ipv4.ip_unprivileged_port_start=%u)",
                    port, protocol, geteuid(), interfaces_first_free_port(), port + 8000, port,
                    port);
        break;
    case EADDRINUSE:
        g_set_error(error, ERROR_DOMAIN, ERROR_UNAVAILABLE,
                    "port %u/%s cannot be published: somebody here has it already; "
                    "end that, or publish another one, as in %u:%u",
                    port, protocol, port < 57000 ? port + 8000 : port - 8000, port);
        break;
    default:
        error_set_errno(error, ERROR_UNAVAILABLE, errno, "port %u/%s cannot be published", port,
                        protocol);
    }
}

bool interfaces_check_ports(const GArray *ports, GError **error)
{
    for (guint i = 0; i < ports->len; i++) {
        const struct port_range *range = &g_array_index(ports, struct port_range, i);
        for (guint port = range->first; port <= range->last; port++) {
            if (!can_bind(port, range->udp)) {
                explain(port, range->udp, error);
                return false;
            }
        }
    }
    return true;
}

guint interfaces_first_free_port(void)
{
    g_autofree char *text = NULL;
    if (capability_is_effective(CAP_NET_BIND_SERVICE) ||
        !g_file_get_contents("/proc/sys/net/ipv4/ip_unprivileged_port_start", &text, NULL, NULL)) {
        return 1;
    }
    return MAX(1, g_ascii_strtoull(text, NULL, 10));
}

struct port_range interfaces_ephemeral_ports(void)
{
    struct port_range range = {32768, 60999, 32768, false}; /* Linux's default */
    g_autofree char *text = NULL;
    unsigned first, last;
    if (g_file_get_contents("/proc/sys/net/ipv4/ip_local_port_range", &text, NULL, NULL) &&
        sscanf(text, "%u %u", &first, &last) == 2) {
        range = (struct port_range){first, last, first, false};
    }
    return range;
}
