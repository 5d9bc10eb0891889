// SPDX-License-Identifier: LGPL-2.1-or-later
#include "src/util/endpoint.h"
#include "tests/unit/expect.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

/* ADDR:PORT. */

static const struct {
    const char *text;
    int family; /* 0: refused */
    const char *host;
    guint16 port;
} cases[] = {
    {"127.0.0.1:9100", AF_INET, "127.0.0.1", 9100},
    {"0.0.0.0:1", AF_INET, "0.0.0.0", 1},
    {"[::1]:9100", AF_INET6, "::1", 9100},
    {"[::]:65535", AF_INET6, "::", 65535},
    {":9100", AF_INET6, "::", 9100},
    {"", 0, NULL, 0},
    {":", 0, NULL, 0},
    {"9100", 0, NULL, 0},
    {":0", 0, NULL, 0},
    {":65536", 0, NULL, 0},
    {":-1", 0, NULL, 0},
    {": 9100", 0, NULL, 0},
    {":9100 ", 0, NULL, 0},
    {":http", 0, NULL, 0},
    {"::1:9100", 0, NULL, 0},
    {"[::1]", 0, NULL, 0},
    {"[::1]9100", 0, NULL, 0},
    {"[]:9100", 0, NULL, 0},
    {"[:9100", 0, NULL, 0},
    {"]:9100", 0, NULL, 0},
    {"[127.0.0.1]:9100", 0, NULL, 0},
    {"127.1:9100", 0, NULL, 0},
    {"localhost:9100", 0, NULL, 0},
    {"http://127.0.0.1:9100", 0, NULL, 0},
};

static void test_parse(void)
{
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        struct endpoint endpoint;
        bool ok = endpoint_parse(cases[i].text, &endpoint);
        expect(cases[i].text, ok == (cases[i].family != 0));
        if (!ok) {
            continue;
        }
        const struct sockaddr_in *ipv4 = (const struct sockaddr_in *)&endpoint.address;
        const struct sockaddr_in6 *ipv6 = (const struct sockaddr_in6 *)&endpoint.address;
        bool six = cases[i].family == AF_INET6;
        char host[INET6_ADDRSTRLEN];
        inet_ntop(cases[i].family, six ? (const void *)&ipv6->sin6_addr : &ipv4->sin_addr, host,
                  sizeof(host));
        expect(cases[i].text, endpoint.address.ss_family == cases[i].family);
        expect(cases[i].text, endpoint.length == (six ? sizeof(*ipv6) : sizeof(*ipv4)));
        expect(cases[i].text, strcmp(host, cases[i].host) == 0);
        expect(cases[i].text, ntohs(six ? ipv6->sin6_port : ipv4->sin_port) == cases[i].port);
        expect(cases[i].text, endpoint.any == (cases[i].text[0] == ':'));
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/endpoint/parse", test_parse);
    return g_test_run();
}
