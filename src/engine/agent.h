// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/*
 * The QEMU guest agent in the guest, asked through libvirt: ping, commands, addresses, freezing of
 * file systems.
 *
 * All functions are for the main loop's thread, and none blocks: each starts a call whose callback
 * comes later on that thread, exactly once, unless the call is forgotten before. The calls to
 * libvirt are made one after the other on a thread of their own, since the agent takes one at a
 * time. Each waits AGENT_PATIENCE_S at most, or AGENT_LONG_PATIENCE_S where the guest may have much
 * to do; a guest that does not answer at all is known by libvirt after 5 s.
 *
 * Errors that callbacks and functions give:
 *     ERROR_UNAVAILABLE  no agent is connected, it does not answer, or what it answers makes no
 *                        sense; or the VM has ended
 *     ERROR_USAGE        what was asked for is beyond a limit, or the agent says that it cannot do
 *                        it: there is no such command, file systems are frozen already, …
 *     ERROR_BUSY         too many calls are under way
 */

#include "src/agent/agent_exec.h"
#include "src/agent/agent_interface.h"
#include "src/engine/hypervisor.h"

#define AGENT_PATIENCE_S 10
/* To write back what is dirty, or to send a command's output, takes its time. */
#define AGENT_LONG_PATIENCE_S 60
/* Under way at the same time. */
#define AGENT_CALLS_MAX 32

struct agent;
struct agent_call;

/* @hypervisor has a VM, and stays the caller's. */
struct agent *agent_create(struct hypervisor *hypervisor);
/* Takes NULL. Callbacks that are due come now, with ERROR_UNAVAILABLE. */
void agent_destroy(struct agent *agent);

/* @error is NULL when it has answered. @count: how many file systems were frozen or thawed; else 0.
 */
typedef void agent_done(guint count, const GError *error, void *data);
/* Either is NULL. */
typedef void agent_exec_done(const struct agent_exec_result *result, const GError *error,
                             void *data);
/* Either is NULL. @interfaces: of struct agent_interface, at most AGENT_INTERFACES_MAX. */
typedef void agent_addresses_done(const GPtrArray *interfaces, const GError *error, void *data);

/* What these return is for agent_forget(); NULL and @error: nothing was started, and no callback
 * comes. */
struct agent_call *agent_ping(struct agent *agent, agent_done *done, void *data, GError **error);
/* Afterwards what is written to the guest's disks waits, until they are thawed. */
struct agent_call *agent_freeze(struct agent *agent, agent_done *done, void *data, GError **error);
struct agent_call *agent_thaw(struct agent *agent, agent_done *done, void *data, GError **error);
struct agent_call *agent_addresses(struct agent *agent, agent_addresses_done *done, void *data,
                                   GError **error);

/*
 * Runs a command in the guest. @request is copied. A command that could not be started is an error;
 * whatever it does then is a result. The agent gives no output before the end; libvirt takes no
 * reply of more than 10 MiB, which is about 7 MiB of output, and is slow with long ones (clock(3)
 * of this process, libvirt 9.0: 0.1 s for 1 MiB, 0.9 s for 4, 3.1 s for 6). With more the call
 * fails, and the connection is lost until the agent in the guest is started anew.
 *
 * While the VM is halted, or the guest's file systems are frozen, a command that was started goes
 * on being asked for; so it does for a minute where the guest does not answer in time. It fails
 * when its agent is gone, or knows nothing of it: that also if an end was told when libvirt had
 * given up waiting for it.
 */
struct agent_call *agent_exec(struct agent *agent, const struct agent_exec_request *request,
                              agent_exec_done *done, void *data, GError **error);

/* The callback does not come any more; a command in the guest runs on. Not after the callback. */
void agent_forget(struct agent_call *call);
