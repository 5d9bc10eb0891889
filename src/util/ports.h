// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/* Ports that are forwarded, as people write them: "8080:80/tcp 53/udp 9000-9010". Pure. */

#include <glib.h>
#include <stdbool.h>

/* Ports @first … @last here are @to … in the guest. */
struct port_range {
    guint first, last; /* 1 … 65535 */
    guint to;
    bool udp; /* else TCP */
};

/*
 * A list, separated by spaces or commas, of HERE[-LAST][:GUEST[-LAST]][/tcp|/udp]; HERE is also
 * the guest's port where that is left out. NULL, and @error (ERROR_CONFIG) says what is wrong with
 * which word. No port is in two ranges, and the list is not empty. Else a GArray of struct
 * port_range; the caller owns it.
 */
GArray *ports_parse(const char *text, GError **error);

/* "1-1023,8080:80,9000-9010" of one protocol; "" if there are none. The caller owns it. */
char *ports_format(const GArray *ports, bool udp);

/* How many ports those are. */
guint ports_count(const GArray *ports, bool udp);

/* Adds @first … @last, each of them to its own number, without those that @skip (NULL: none) holds
 * as struct port_range. */
void ports_add(GArray *ports, guint first, guint last, bool udp, const GArray *skip);

/* The port here that goes to @guest_port of the guest, TCP; 0: there is none. */
guint ports_find(const GArray *ports, guint guest_port);
