// SPDX-License-Identifier: LGPL-2.1-or-later
#include "src/host/passt.h"
#include "src/util/ports.h"
#include "tests/unit/expect.h"

#include <arpa/inet.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static const struct vm_nic plain = {
    .interface = (char *)"eth0", .routed = true, .address = (char *)"10.0.0.2"};

/* What passt is called with for @nic and @ports, but for its path and the resolver of this machine.
 */
static char *command(struct vm_nic nic, const char *ports)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GStrvBuilder) builder = g_strv_builder_new();
    nic.ports = ports != NULL ? ports_parse(ports, NULL)
                              : g_array_new(FALSE, FALSE, sizeof(struct port_range));
    g_auto(GStrv) argv = passt_command(&nic, &error);
    g_assert_no_error(error);
    g_array_unref(nic.ports);
    for (char **arg = argv + 1; *arg != NULL; arg++) {
        if (g_str_equal(*arg, "--dns-forward") || g_str_equal(*arg, "--dns")) {
            arg++;
        } else {
            g_strv_builder_add(builder, *arg);
        }
    }
    g_auto(GStrv) left = g_strv_builder_end(builder);
    return g_strjoinv(" ", left);
}

static void test_commands(void)
{
    struct vm_nic with_mtu = plain, second = plain, only6 = {.interface = (char *)"eth1"};
    with_mtu.mtu = 1400;
    second.routed = false;
    second.only_own = true;
    second.prefix = 24;
    second.router = (char *)"10.0.0.1";
    second.address6 = (char *)"fd00::2";
    only6.only_own = true;
    only6.address6 = (char *)"fd00::2";
    const struct {
        struct vm_nic nic;
        const char *ports, *expected;
    } cases[] = {
        {plain, NULL,
         "--foreground --quiet --fd 3 --interface eth0 --no-map-gw --tcp-ports none --udp-ports "
         "none"},
        {with_mtu, "8080:80 53/udp",
         "--foreground --quiet --fd 3 --interface eth0 --mtu 1400 --no-map-gw --tcp-ports 8080:80 "
         "--udp-ports 53"},
        {second, "8080:80 22",
         "--foreground --quiet --fd 3 --interface eth0 --address 10.0.0.2 --netmask 24 --gateway "
         "10.0.0.1 --address fd00::2 --gateway fe80::1 --no-map-gw --tcp-ports "
         "10.0.0.2/8080:80,22 --udp-ports none"},
        {only6, "22/udp",
         "--foreground --quiet --fd 3 --interface eth1 --address fd00::2 --gateway fe80::1 "
         "--ipv6-only --no-map-gw --tcp-ports none --udp-ports fd00::2/22"},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *actual = command(cases[i].nic, cases[i].ports);
        expect_str(cases[i].expected, actual, cases[i].expected);
    }
}

/* A port that is in use is left out, unless somebody has named it. */
static void test_ports_in_use(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t length = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    g_assert_cmpint(bind(fd, (struct sockaddr *)&address, sizeof(address)), ==, 0);
    g_assert_cmpint(listen(fd, 1), ==, 0);
    g_assert_cmpint(getsockname(fd, (struct sockaddr *)&address, &length), ==, 0);
    g_autofree char *port = g_strdup_printf("%u", ntohs(address.sin_port));
    g_autofree char *expected = g_strdup_printf("--tcp-ports %s ", port);
    struct vm_nic nic = plain;
    g_autofree char *named = command(nic, port);
    g_assert_nonnull(strstr(named, expected));
    nic.unasked = true;
    g_autofree char *unasked = command(nic, port);
    g_assert_nonnull(strstr(unasked, "--tcp-ports none "));
    close(fd);
}

static void test_no_passt(void)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *path = g_strdup(g_getenv("PATH"));
    g_setenv("PATH", "/nonexistent", TRUE);
    g_assert_null(passt_command(&plain, &error));
    g_setenv("PATH", path, TRUE);
    g_assert_cmpint(error->code, ==, 69);
    g_assert_nonnull(strstr(error->message, "is not in $PATH; install it (Debian: passt)"));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/passt/commands", test_commands);
    g_test_add_func("/passt/ports-in-use", test_ports_in_use);
    g_test_add_func("/passt/no-passt", test_no_passt);
    return g_test_run();
}
