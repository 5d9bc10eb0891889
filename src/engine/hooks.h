// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/*
 * The hooks that run while there is a VM, on a thread beside the main loop, which all of this is to
 * be called on.
 */

#include "src/host/hook.h"
#include "src/host/instance.h"

/* Plain data of whoever knows the config. */
struct hooks_config {
    struct hook_list lists[HOOK_KINDS];
    const char *directory; /* to run in */
    /* What they are told of the VM; the caller owns it. @qemu: 0: none. */
    char *(*state)(enum instance_status status, pid_t qemu, void *data);
    void *data;
};

struct hooks;

/* @error: what has failed, or NULL. */
typedef void hooks_done(void *data, GError *error);

/* @config stays the caller's, and must live as long. */
struct hooks *hooks_create(const struct hooks_config *config, hooks_done *done, void *data);

/* Whether there are any of kinds @first to @last. */
bool hooks_any(const struct hooks *hooks, enum hook_kind first, enum hook_kind last);

/*
 * Before this process joins the VM's network namespace: hooks are to run in the one that it has
 * now, but for createContainer hooks (config.md, "Summary").
 */
bool hooks_keep_network(struct hooks *hooks, GError **error);

/* Runs them, in order, until one fails; then comes hooks_done(). Not while some are running. */
void hooks_start(struct hooks *hooks, enum hook_kind first, enum hook_kind last,
                 enum instance_status status, pid_t qemu);
bool hooks_running(const struct hooks *hooks);

/* What runs is killed, and hooks_done() tells its failure as any other. */
void hooks_cancel(struct hooks *hooks);
