// SPDX-License-Identifier: LGPL-2.1-or-later
#include "src/util/ports.h"
#include "tests/unit/expect.h"

#include <string.h>

static void test_lists(void)
{
    static const struct {
        const char *text, *tcp, *udp;
    } cases[] = {
        {"80", "80", ""},
        {"80/tcp", "80", ""},
        {"53/udp", "", "53"},
        {"8080:80", "8080:80", ""},
        {"8080:80/tcp 53/udp 9000-9010/tcp", "8080:80,9000-9010", "53"},
        {"80,443", "80,443", ""},
        {" 80 ,\t443\n", "80,443", ""},
        {"9000-9010:100-110", "9000-9010:100-110", ""},
        {"53/tcp 53/udp", "53", "53"},
        {"1-65535", "1-65535", ""},
        {"80-80", "80", ""},
        {"80:80", "80", ""},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GArray) ports = ports_parse(cases[i].text, NULL);
        g_assert_nonnull(ports);
        g_autofree char *tcp = ports_format(ports, false), *udp = ports_format(ports, true);
        expect_str(cases[i].text, tcp, cases[i].tcp);
        expect_str(cases[i].text, udp, cases[i].udp);
    }
}

static void test_mistakes(void)
{
    static const struct {
        const char *text, *message;
    } cases[] = {
        {"", "names no port"},
        {" , ", "names no port"},
        {"0", "\"0\" is no port"},
        {"65536", "\"65536\" is no port"},
        {"-1", "\"-1\" is no port"},
        {"http", "\"http\" is no port"},
        {"80/", "\"80/\" is no port"},
        {"80/sctp", "\"80/sctp\" is no port"},
        {"80/TCP", "is no port"},
        {"80:", "is no port"},
        {":80", "is no port"},
        {"80:0", "is no port"},
        {"90-80", "is no port"},
        {"80-90-100", "is no port"},
        {"80-90:100", "is no port"},
        {"80-90:100-111", "is no port"},
        {"127.0.0.1:80:80", "is no port"},
        {"80 443 80", "\"80\" names a port that is named before"},
        {"1-100 50:60/tcp", "\"50:60/tcp\" names a port that is named before"},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GError) error = NULL;
        g_assert_null(ports_parse(cases[i].text, &error));
        expect(cases[i].text, strstr(error->message, cases[i].message) != NULL);
    }
}

static void test_add(void)
{
    g_autoptr(GArray) skip = ports_parse("1-1023 8080 32768-60999 70/udp 8079", NULL);
    g_autoptr(GArray) ports = g_array_new(FALSE, FALSE, sizeof(struct port_range));
    ports_add(ports, 1, 65535, false, skip);
    g_autofree char *tcp = ports_format(ports, false);
    g_assert_cmpstr(tcp, ==, "1024-8078,8081-32767,61000-65535");
    g_assert_cmpuint(ports_count(ports, false), ==, 7055 + 24687 + 4536);
    ports_add(ports, 60, 80, true, skip);
    g_autofree char *udp = ports_format(ports, true);
    g_assert_cmpstr(udp, ==, "60-69,71-80");
    g_assert_cmpuint(ports_count(ports, true), ==, 20);

    g_autoptr(GArray) none = g_array_new(FALSE, FALSE, sizeof(struct port_range));
    ports_add(none, 1, 1023, false, skip);
    g_assert_cmpuint(none->len, ==, 0);
    ports_add(none, 65535, 65535, false, NULL);
    g_assert_cmpuint(ports_count(none, false), ==, 1);
}

static void test_find(void)
{
    g_autoptr(GArray) ports = ports_parse("8080:80 9000-9010:100-110 53/udp 22", NULL);
    g_assert_cmpuint(ports_find(ports, 80), ==, 8080);
    g_assert_cmpuint(ports_find(ports, 105), ==, 9005);
    g_assert_cmpuint(ports_find(ports, 22), ==, 22);
    g_assert_cmpuint(ports_find(ports, 53), ==, 0);
    g_assert_cmpuint(ports_find(ports, 8080), ==, 0);
    g_assert_cmpuint(ports_find(ports, 111), ==, 0);
    g_assert_cmpuint(ports_find(NULL, 80), ==, 0);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/ports/lists", test_lists);
    g_test_add_func("/ports/mistakes", test_mistakes);
    g_test_add_func("/ports/add", test_add);
    g_test_add_func("/ports/find", test_find);
    return g_test_run();
}
