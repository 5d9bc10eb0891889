// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/* Which accelerator this machine really has. */

#include <glib.h>
#include <stdbool.h>

/*
 * Whether KVM is there and runs guest code: /dev/kvm opens, a VM can be made, and, where the
 * architecture has a test for it, the processor itself executes the guest. On false the error says
 * what is missing and how to get it (ERROR_UNAVAILABLE).
 */
bool accel_kvm_usable(GError **error);

/* Internal: runs a few instructions in the VM @vm. False: they were not executed. */
bool accel_arch_runs_guest_code(int kvm, int vm);
