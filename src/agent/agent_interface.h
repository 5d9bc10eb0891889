// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/* A network interface of the guest, as the guest agent tells of it. */

#include <glib.h>

/* The guest says what it likes; of more there are no more. */
#define AGENT_INTERFACES_MAX 256
#define AGENT_ADDRESSES_MAX 256 /* of an interface */

struct agent_address {
    char *address; /* "192.0.2.7", "fe80::1" */
    unsigned prefix;
};

struct agent_interface {
    char *name;
    char *hardware_address; /* NULL: none */
    GPtrArray *addresses;   /* of struct agent_address */
};

/* Strings are copied: as text without control characters, and no more than a name or an address can
 * have of it. */
struct agent_interface *agent_interface_new(const char *name, const char *hardware_address);
void agent_interface_add_address(struct agent_interface *interface, const char *address,
                                 unsigned prefix);
void agent_interface_free(gpointer interface);
