// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/* The network of this container, as far as a guest is to have it. */

#include "src/util/ports.h"

#include <glib.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdbool.h>

struct interface {
    char name[IFNAMSIZ];
    guint mtu;
    bool is_default;               /* a default route goes through it */
    char address[INET_ADDRSTRLEN]; /* ""; there is none, as of the others */
    char router[INET_ADDRSTRLEN];  /* another one of its network */
    guint prefix;                  /* its length */
    char address6[INET6_ADDRSTRLEN];
    bool is_device; /* hardware, or the host's own: no engine gives that to a container */
};

/* Those that are up and have an address, without loopback and link-local ones; first the one of the
 * default route. Of the calling thread's network namespace. The caller owns it. */
GArray *interfaces_find(void);

/* The local ports that somebody listens on, as struct port_range with one port each. */
GArray *interfaces_ports_in_use(void);

/* Whether a socket can be bound to each of @ports (struct port_range), or what is in the way of the
 * first that cannot: ERROR_UNAVAILABLE. */
bool interfaces_check_ports(const GArray *ports, GError **error);

/* Ports below this need a privilege that we do not have. */
guint interfaces_first_free_port(void);

/* Those that the kernel takes for connections of its own. */
struct port_range interfaces_ephemeral_ports(void);
