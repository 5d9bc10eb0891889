// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/* The hooks of a config.json, as plain data for those who run them. */

#include "cmd/ocivirt/commands.h"
#include "src/engine/hooks.h"

/* What hooks are told that does not change. */
struct told {
    const char *id;
    const char *bundle;
    char **annotations; /* key, value, …, NULL */
};

/* @machine must live as long as @hooks and @told. */
void hooks_from_machine(const struct machine *machine, struct hooks_config *hooks,
                        struct told *told);
void hooks_clear(struct hooks_config *hooks, struct told *told);

/*
 * Runs the poststop hooks, if the VM has been there: in PID 1, after everything else has ended.
 * What fails is a warning. Whenever @signals (signalfd) has one, the hook that runs is killed.
 */
void hooks_run_poststop(const struct hooks_config *hooks, const struct root *root, int signals);
