// SPDX-License-Identifier: LGPL-2.1-or-later
#include "src/host/passt.h"
#include "src/host/helper.h"
#include "src/host/interfaces.h"
#include "src/util/error.h"

#include <string.h>

/* The guest asks this address where the container's own resolver is on loopback, which is another
 * one in the guest. Of a block that nobody else may use (RFC 6890, "IETF protocol assignments"). */
#define RESOLVER "192.0.0.53"

static char *find(GError **error)
{
    static const char *const candidates[] = {"passt", NULL};
    char *path = helper_find(candidates);
    if (path == NULL) {
        g_set_error(error, ERROR_DOMAIN, ERROR_UNAVAILABLE,
                    "passt, which gives the guest its network, is not in $PATH; install it "
                    "(Debian: passt), or set network to none");
    }
    return path;
}

static bool resolver_is_local(void)
{
    g_autofree char *text = NULL;
    if (!g_file_get_contents("/etc/resolv.conf", &text, NULL, NULL)) {
        return false;
    }
    g_auto(GStrv) lines = g_strsplit(text, "\n", 0);
    for (char **line = lines; *line != NULL; line++) {
        if (g_str_has_prefix(*line, "nameserver")) {
            const char *address = *line + strlen("nameserver");
            address += strspn(address, " \t");
            return g_str_has_prefix(address, "127.") || g_str_has_prefix(address, "::1");
        }
    }
    return false;
}

static void add(GStrvBuilder *arguments, const char *option, const char *value)
{
    g_strv_builder_add_many(arguments, option, value, NULL);
}

/* What else is bound changes while a VM runs, and passt may be started again. */
static GArray *ports_of(const struct vm_nic *nic)
{
    if (!nic->unasked) {
        return g_array_ref(nic->ports);
    }
    g_autoptr(GArray) in_use = interfaces_ports_in_use();
    GArray *left = g_array_new(FALSE, FALSE, sizeof(struct port_range));
    for (guint i = 0; i < nic->ports->len; i++) {
        const struct port_range *range = &g_array_index(nic->ports, struct port_range, i);
        ports_add(left, range->first, range->last, range->udp, in_use);
    }
    return left;
}

/* Where the ports are to be bound at one interface alone, that is at one address: the passt of
 * Debian 12 knows a port once, and no interface without an address. */
static void add_ports(GStrvBuilder *arguments, const char *option, const struct vm_nic *nic,
                      bool udp)
{
    g_autoptr(GArray) ports = ports_of(nic);
    g_autofree char *list = ports_format(ports, udp);
    const char *address = nic->address != NULL ? nic->address : nic->address6;
    g_autofree char *at_address = g_strdup_printf("%s/%s", address, list);
    if (*list == '\0') {
        add(arguments, option, "none");
    } else {
        add(arguments, option, nic->only_own ? at_address : list);
    }
}

/* Where there is no default route, passt wants to be told all that it would find out with one. The
 * guest's packets come here whatever router they are for, and leave by the container's own routes.
 */
static void add_addresses(GStrvBuilder *arguments, const struct vm_nic *nic)
{
    if (nic->routed) {
        return;
    }
    if (nic->address != NULL) {
        g_autofree char *prefix = g_strdup_printf("%u", nic->prefix);
        add(arguments, "--address", nic->address);
        add(arguments, "--netmask", prefix);
        add(arguments, "--gateway", nic->router);
    }
    if (nic->address6 != NULL) {
        add(arguments, "--address", nic->address6);
        add(arguments, "--gateway", "fe80::1");
    }
    if (nic->address != NULL && nic->address6 == NULL) {
        g_strv_builder_add(arguments, "--ipv4-only");
    } else if (nic->address == NULL && nic->address6 != NULL) {
        g_strv_builder_add(arguments, "--ipv6-only");
    }
}

char **passt_command(const struct vm_nic *nic, GError **error)
{
    g_autoptr(GStrvBuilder) arguments = g_strv_builder_new();
    g_autofree char *path = find(error);
    if (path == NULL) {
        return NULL;
    }
    g_strv_builder_add_many(arguments, path, "--foreground", NULL);
    g_strv_builder_add(arguments, "--quiet");
    add(arguments, "--fd", HELPER_FD_TEXT);
    add(arguments, "--interface", nic->interface);
    add_addresses(arguments, nic);
    if (nic->mtu > 0) {
        g_autofree char *mtu = g_strdup_printf("%u", nic->mtu);
        add(arguments, "--mtu", mtu);
    }
    /* Or else the gateway's address would lead a guest to what listens on loopback here. */
    g_strv_builder_add(arguments, "--no-map-gw");
    if (resolver_is_local()) {
        add(arguments, "--dns-forward", RESOLVER);
        add(arguments, "--dns", RESOLVER);
    }
    add_ports(arguments, "--tcp-ports", nic, false);
    add_ports(arguments, "--udp-ports", nic, true);
    return g_strv_builder_end(arguments);
}
