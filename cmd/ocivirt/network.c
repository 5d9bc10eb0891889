// SPDX-License-Identifier: LGPL-2.1-or-later
#include "cmd/ocivirt/commands.h"
#include "cmd/ocivirt/facts.h"
#include "src/host/interfaces.h"

#include <string.h>

/* A list of ports has many ranges where many are in use. */
#define LONGEST_LIST 160

bool machine_check_ports(const struct machine *machine, GError **error)
{
    const struct vm_spec *spec = machine->spec;
    /* What nobody has named was looked at; another network namespace is passt's to look at. */
    if (machine->settings.publish != OCI_PUBLISH_LIST || spec->nics->len == 0 ||
        spec->network_namespace != NULL) {
        return true;
    }
    const struct vm_nic *nic = g_ptr_array_index(spec->nics, 0);
    return interfaces_check_ports(nic->ports, error);
}

static void add_list(GString *line, const char *protocol, const GArray *ports, bool udp)
{
    g_autofree char *list = ports_format(ports, udp);
    if (strlen(list) > LONGEST_LIST) {
        strcpy(list + LONGEST_LIST - 4, "…");
    }
    if (*list != '\0') {
        g_string_append_printf(line, " %s %s", protocol, list);
    }
}

static void log_ports(const struct machine *machine, const GArray *ports)
{
    bool unasked = machine->settings.publish == OCI_PUBLISH_AUTO;
    g_autoptr(GString) line = g_string_new(NULL);
    add_list(line, "TCP", ports, false);
    add_list(line, "UDP", ports, true);
    if (ports->len == 0 && unasked) {
        log_info("no ports are published, for the network is the host's own; name those that are "
                 "to be with publish");
    } else if (ports->len == 0) {
        log_info("no ports are published");
    } else {
        log_info("ports that are published:%s%s", line->str,
                 unasked ? "; others, and fewer, with publish" : "");
    }
}

void machine_report_network(const struct machine *machine)
{
    const struct vm_spec *spec = machine->spec;
    if (spec->nics->len == 0) {
        log_info("the guest has no network%s", machine->settings.network == OCI_NETWORK_NONE
                                                   ? ""
                                                   : ", for the container has none but loopback");
        return;
    }
    const struct vm_nic *nic = g_ptr_array_index(spec->nics, 0);
    log_ports(machine, nic->ports);
}
