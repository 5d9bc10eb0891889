// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/* ADDR:PORT as people write it: 127.0.0.1:9100, [::1]:9100, :9100. Pure. */

#include <glib.h>
#include <stdbool.h>
#include <sys/socket.h>

struct endpoint {
    struct sockaddr_storage address; /* of IPv6's any address where @any */
    socklen_t length;
    bool any; /* all addresses that there are: nothing stood before the colon */
};

/* Literal addresses alone, and a port from 1 to 65535. False: it is none. */
bool endpoint_parse(const char *text, struct endpoint *endpoint);
guint endpoint_port(const struct endpoint *endpoint);
