// SPDX-License-Identifier: LGPL-2.1-or-later
#include "oci/translation.h"
#include "src/util/endpoint.h"

#include <string.h>

#define LAST_PORT 65535

/*
 * What `auto` publishes is bounded, because each port is a socket in the kernel, about 4 KiB that
 * the container pays for, whether it is used or not: all ports there are would be 300 MiB.
 */
#define AUTO_SOCKETS 12288
#define AUTO_TCP_SOCKETS 10240

/* An IPv4 and an IPv6 socket; one TCP socket can be both. */
#define UDP_SOCKETS 2
/* Connections have descriptors, too. */
#define FILES_FOR_CONNECTIONS 2048

guint64 oci_translate_port_files(const GArray *ports)
{
    return ports_count(ports, false) + UDP_SOCKETS * ports_count(ports, true) +
           FILES_FOR_CONNECTIONS;
}

/* Locally administered, and the prefix that QEMU's and libvirt's are known by. */
static char *mac_of(const char *uuid, const char *interface)
{
    guint8 digest[32];
    gsize length = sizeof(digest);
    g_autoptr(GChecksum) sum = g_checksum_new(G_CHECKSUM_SHA256);
    g_autofree char *key = g_strdup_printf("%s/nic/%s", uuid, interface);
    g_checksum_update(sum, (const guchar *)key, strlen(key));
    g_checksum_get_digest(sum, digest, &length);
    return g_strdup_printf("52:54:00:%02x:%02x:%02x", digest[0], digest[1], digest[2]);
}

/* That of the setting http; 0: it is not set. */
static guint own_port(const struct oci_settings *settings)
{
    struct endpoint http;
    return settings->http != NULL && endpoint_parse(settings->http, &http) ? endpoint_port(&http)
                                                                           : 0;
}

/* What cannot be bound, and what ocivirt itself is going to. */
static GArray *find_unusable(const struct translation *t)
{
    const GArray *known = t->host->network.unusable;
    GArray *unusable = g_array_new(FALSE, FALSE, sizeof(struct port_range));
    guint port = own_port(t->settings);
    if (known != NULL) {
        g_array_append_vals(unusable, known->data, known->len);
    }
    if (port > 0) {
        const struct port_range own = {port, port, port, false};
        g_array_append_val(unusable, own);
    }
    return unusable;
}

/* From 1 up, as many as @most that can be bound. */
static void add_free(struct translation *t, GArray *ports, bool udp, guint most)
{
    g_autoptr(GArray) all = g_array_new(FALSE, FALSE, sizeof(struct port_range));
    g_autoptr(GArray) unusable = find_unusable(t);
    ports_add(all, 1, LAST_PORT, udp, unusable);
    for (guint i = 0; i < all->len && most > 0; i++) {
        struct port_range range = g_array_index(all, struct port_range, i);
        range.last = MIN(range.last, range.first + (most - 1));
        most -= range.last - range.first + 1;
        g_array_append_val(ports, range);
    }
}

static void publish_unasked(struct translation *t, GArray *ports)
{
    guint64 files = t->host->network.files;
    guint64 left = files > FILES_FOR_CONNECTIONS ? files - FILES_FOR_CONNECTIONS : 0;
    guint64 sockets = files > 0 ? MIN(left, AUTO_SOCKETS) : AUTO_SOCKETS;
    sockets /= t->spec->nics->len;
    guint64 tcp = sockets * AUTO_TCP_SOCKETS / AUTO_SOCKETS;
    if (!t->host->network.is_hosts) {
        add_free(t, ports, false, tcp);
        add_free(t, ports, true, (sockets - tcp) / UDP_SOCKETS);
    }
}

static void check_own_port(struct translation *t)
{
    const GArray *published = t->settings->published;
    guint port = own_port(t->settings);
    for (guint i = 0; port > 0 && i < published->len; i++) {
        const struct port_range *range = &g_array_index(published, struct port_range, i);
        if (!range->udp && range->first <= port && port <= range->last) {
            g_autofree char *message = g_strdup_printf(
                "port %u is the one that the setting http has; one of them must be another", port);
            oci_settings_problem(t->settings, OCI_SETTING_PUBLISH, t->problems, message);
        }
    }
}

static void publish(struct translation *t, GArray *ports)
{
    switch (t->settings->publish) {
    case OCI_PUBLISH_NONE:
        break;
    case OCI_PUBLISH_AUTO:
        publish_unasked(t, ports);
        break;
    case OCI_PUBLISH_ALL:
        add_free(t, ports, false, LAST_PORT);
        add_free(t, ports, true, LAST_PORT);
        break;
    case OCI_PUBLISH_LIST:
        check_own_port(t);
        g_array_append_vals(ports, t->settings->published->data, t->settings->published->len);
        break;
    }
}

static void check_files(struct translation *t, const GArray *ports)
{
    guint64 needed = oci_translate_port_files(ports), files = t->host->network.files;
    if (files > 0 && needed > files && ports->len > 0) {
        g_autofree char *message = g_strdup_printf(
            "the published ports take %" G_GUINT64_FORMAT " open files, and a process may have "
            "%" G_GUINT64_FORMAT
            " here; raise that limit (podman: --ulimit nofile=%" G_GUINT64_FORMAT
            "), or name the ports that you need, as in \"8080:80 53/udp\"",
            needed, files, needed);
        oci_settings_problem(t->settings, OCI_SETTING_PUBLISH, t->problems, message);
    }
}

static void refuse_without_network(struct translation *t, enum oci_setting_id id, const char *what)
{
    g_autofree char *message =
        g_strdup_printf("%s, and the container has no network but loopback; start it with one "
                        "(podman: --network podman), or leave the setting out",
                        what);
    oci_settings_problem(t->settings, id, t->problems, message);
}

static void add_nics(struct translation *t)
{
    const struct oci_network_facts *network = &t->host->network;
    for (gsize i = 0; i < MIN(network->interface_count, VM_NICS_MAX); i++) {
        const struct oci_interface *interface = &network->interfaces[i];
        struct vm_nic *nic = vm_spec_add_nic(t->spec, interface->name, interface->mtu);
        nic->routed = interface->routed;
        nic->address = g_strdup(interface->address);
        nic->router = g_strdup(interface->router);
        nic->prefix = interface->prefix;
        nic->address6 = g_strdup(interface->address6);
        nic->mac = mac_of(t->spec->uuid, interface->name);
        nic->socket = g_strdup_printf("%s/run/net%" G_GSIZE_FORMAT ".sock", t->host->root, i);
    }
}

/* By the passt of a VM to adopt, perhaps, which would publish it. */
static bool is_in_use(const struct translation *t, guint port)
{
    return port != own_port(t->settings) && ports_find(t->host->network.in_use, port) != 0;
}

static void set_ready_port(struct translation *t)
{
    if (t->settings->ready.kind != OCI_READY_PORT) {
        return;
    }
    guint port = t->settings->ready.port;
    const struct vm_nic *nic = t->spec->nics->len > 0 ? t->spec->nics->pdata[0] : NULL;
    t->spec->ready_port = nic != NULL ? ports_find(nic->ports, port) : 0;
    if (nic != NULL && nic->unasked && nic->ports->len > 0 && is_in_use(t, port)) {
        t->spec->ready_port = port;
    }
    if (nic != NULL && nic->only_own) {
        t->spec->ready_address = g_strdup(nic->address != NULL ? nic->address : nic->address6);
    }
    if (t->spec->ready_port == 0) {
        g_autofree char *message = g_strdup_printf(
            "the guest's TCP port %u cannot be asked, since it is not published%s; publish it, as "
            "in 8080:%u",
            port, nic != NULL ? "" : ": the VM has no network", port);
        oci_settings_problem(t->settings, OCI_SETTING_READY, t->problems, message);
    }
}

static void connect_network(struct translation *t)
{
    const struct oci_settings *settings = t->settings;
    if (settings->network == OCI_NETWORK_NONE) {
        if (settings->publish == OCI_PUBLISH_ALL || settings->publish == OCI_PUBLISH_LIST) {
            oci_settings_problem(settings, OCI_SETTING_PUBLISH, t->problems,
                                 "there is nothing to publish: the setting network is none");
        }
        return;
    }
    if (t->host->network.interface_count == 0) {
        if (settings->network == OCI_NETWORK_PASST) {
            refuse_without_network(t, OCI_SETTING_NETWORK, "this asks for passt");
        } else if (settings->publish == OCI_PUBLISH_LIST) {
            refuse_without_network(t, OCI_SETTING_PUBLISH, "ports are to be published");
        }
        return;
    }
    add_nics(t);
    const struct vm_nic *first = g_ptr_array_index(t->spec->nics, 0);
    publish(t, first->ports);
    /* The answer to what comes by one of them goes out by that one. */
    for (guint i = 0; i < t->spec->nics->len; i++) {
        struct vm_nic *nic = g_ptr_array_index(t->spec->nics, i);
        nic->only_own = t->spec->nics->len > 1;
        nic->unasked =
            settings->publish == OCI_PUBLISH_AUTO || settings->publish == OCI_PUBLISH_ALL;
        if (i > 0) {
            g_array_append_vals(nic->ports, first->ports->data, first->ports->len);
        }
    }
    if (settings->publish == OCI_PUBLISH_ALL || settings->publish == OCI_PUBLISH_LIST) {
        check_files(t, first->ports);
    }
}

void translate_network(struct translation *t)
{
    connect_network(t);
    set_ready_port(t);
}
