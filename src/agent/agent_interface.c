// SPDX-License-Identifier: LGPL-2.1-or-later
#include "src/agent/agent_interface.h"

#include <string.h>

/* Windows' names are longer than Linux'. */
#define TEXT_MAX 256

/* Whoever prints it does so to a terminal, perhaps: nothing in it controls that. */
static char *copy_text(const char *text)
{
    g_autofree char *valid = g_utf8_make_valid(text, strnlen(text, TEXT_MAX));
    GString *copy = g_string_sized_new(strlen(valid));
    for (const char *p = valid; *p != '\0'; p = g_utf8_next_char(p)) {
        gunichar c = g_utf8_get_char(p);
        g_string_append_unichar(copy, g_unichar_iscntrl(c) ? '?' : c);
    }
    return g_string_free(copy, FALSE);
}

static void address_free(gpointer data)
{
    struct agent_address *address = data;
    g_free(address->address);
    g_free(address);
}

struct agent_interface *agent_interface_new(const char *name, const char *hardware_address)
{
    struct agent_interface *interface = g_new0(struct agent_interface, 1);
    interface->name = copy_text(name);
    interface->hardware_address = hardware_address != NULL ? copy_text(hardware_address) : NULL;
    interface->addresses = g_ptr_array_new_with_free_func(address_free);
    return interface;
}

void agent_interface_add_address(struct agent_interface *interface, const char *address,
                                 unsigned prefix)
{
    if (interface->addresses->len < AGENT_ADDRESSES_MAX) {
        struct agent_address *added = g_new0(struct agent_address, 1);
        added->address = copy_text(address);
        added->prefix = prefix;
        g_ptr_array_add(interface->addresses, added);
    }
}

void agent_interface_free(gpointer data)
{
    struct agent_interface *interface = data;
    if (interface != NULL) {
        g_free(interface->name);
        g_free(interface->hardware_address);
        g_ptr_array_unref(interface->addresses);
        g_free(interface);
    }
}
