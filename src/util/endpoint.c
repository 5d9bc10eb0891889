// SPDX-License-Identifier: LGPL-2.1-or-later
#include "src/util/endpoint.h"
#include "src/util/quantity.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

static bool set_ipv6(struct endpoint *endpoint, const char *host, guint16 port)
{
    struct sockaddr_in6 *address = (struct sockaddr_in6 *)&endpoint->address;
    address->sin6_family = AF_INET6;
    address->sin6_port = htons(port);
    endpoint->length = sizeof(*address);
    return inet_pton(AF_INET6, host, &address->sin6_addr) == 1;
}

static bool set_ipv4(struct endpoint *endpoint, const char *host, guint16 port)
{
    struct sockaddr_in *address = (struct sockaddr_in *)&endpoint->address;
    address->sin_family = AF_INET;
    address->sin_port = htons(port);
    endpoint->length = sizeof(*address);
    return inet_pton(AF_INET, host, &address->sin_addr) == 1;
}

bool endpoint_parse(const char *text, struct endpoint *endpoint)
{
    guint64 port;
    const char *colon = strrchr(text, ':');
    *endpoint = (struct endpoint){0};
    if (colon == NULL || !quantity_parse_count(colon + 1, 1, G_MAXUINT16, &port)) {
        return false;
    }
    gsize length = colon - text;
    if (length == 0) {
        endpoint->any = true;
        return set_ipv6(endpoint, "::", port);
    }
    if (text[0] == '[' && text[length - 1] == ']') {
        g_autofree char *host = g_strndup(text + 1, length - 2);
        return set_ipv6(endpoint, host, port);
    }
    g_autofree char *host = g_strndup(text, length);
    return set_ipv4(endpoint, host, port);
}

guint endpoint_port(const struct endpoint *endpoint)
{
    const void *address = &endpoint->address;
    const struct sockaddr_in *in = address;
    const struct sockaddr_in6 *in6 = address;
    return g_ntohs(endpoint->address.ss_family == AF_INET6 ? in6->sin6_port : in->sin_port);
}
