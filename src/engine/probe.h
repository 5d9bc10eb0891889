// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/*
 * Whether something in the guest accepts connections to a port, asked again and again. passt
 * accepts for the guest, whatever that does, and closes the connection soon if the guest refuses
 * it. One that stays open may be the guest's, or wait for a guest whose network is not up. So its
 * sending half is closed then: who has accepted it in the guest says something, or closes it too,
 * within PROBE_PATIENCE_S.
 */

#include <glib.h>
#include <stdbool.h>

/* A guest whose network is not up yet answers nothing at all. */
#define PROBE_PATIENCE_S 5

struct probe;

/* @address (NULL: loopback) and @port are those on this side. @changed is called on the main loop's
 * thread whenever the answer is another than before; at first it is that nobody accepts. */
struct probe *probe_create(const char *address, guint16 port,
                           void (*changed)(bool accepts, void *data), void *data);
