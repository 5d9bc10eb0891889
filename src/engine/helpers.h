// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/*
 * The programs beside QEMU that serve its devices: one virtiofsd for each shared folder, one passt
 * for each network device, swtpm for a TPM. They are the VM's as QEMU is: they outlive an engine,
 * and the next one goes on to watch them.
 */

#include "src/engine/root.h"
#include "src/host/instance.h"
#include "src/vm/vm_spec.h"

/* Things that happen; from the main loop's thread. */
struct helpers_events {
    /* Whether the VM lives, and is to live on: else the end of a helper means nothing. */
    bool (*needed)(void *data);
    /* Passt was started again: the guest is to show itself to it. */
    void (*restarted)(void *data);
    /* One has ended that cannot be replaced; what it was has been logged. */
    void (*lost)(void *data);
    void *data;
};

struct helpers;

/* Nothing is started or watched yet. @known, INSTANCE_HELPERS_MAX of them, holds the
 * processes that an earlier engine has started, and will hold all. All must outlive the result. */
struct helpers *helpers_create(const struct vm_spec *spec, const struct root *root,
                               struct instance_process *known, const struct helpers_events *events);

/* Those that must be there before QEMU starts; and those that it is given when it has. Both block,
 * on any thread. What is started is noted among the known. */
bool helpers_start_first(struct helpers *helpers, GError **error);
bool helpers_start_last(struct helpers *helpers, GError **error);

/* Why QEMU could not be started: since one of the first has ended, perhaps; then @error says so. */
void helpers_explain(const struct helpers *helpers, GError **error);

/* Has the ends of all that were started noticed, also of those that have ended by now. */
void helpers_watch(struct helpers *helpers);

/* Whether @pid is one. */
bool helpers_own(const struct helpers *helpers, pid_t pid);

/* Sends those that still run SIGTERM: QEMU is gone. */
void helpers_end(struct helpers *helpers);
