// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/*
 * libvirt's embedded QEMU driver: the only room that talks to it. Its errors become ours here.
 *
 * Functions marked "blocks" are for a thread beside the main loop, which must be running: libvirt
 * answers itself through it. Events arrive on the main loop's thread.
 */

#include "src/agent/agent_interface.h"
#include "src/vm/vm_spec.h"

#include <glib.h>
#include <stdbool.h>
#include <sys/types.h>

struct hypervisor;

enum hypervisor_event {
    HYPERVISOR_POWERED_OFF,   /* by the guest itself */
    HYPERVISOR_HOST_SHUTDOWN, /* QEMU got a signal to end */
    HYPERVISOR_CRASHED,       /* panic device */
    HYPERVISOR_REBOOTED,
    HYPERVISOR_PAUSED,   /* the guest's CPUs halted, for whatever reason */
    HYPERVISOR_IO_ERROR, /* the same, since a disk could not be written to */
    HYPERVISOR_AGENT_UP,
    HYPERVISOR_AGENT_DOWN,
    HYPERVISOR_STOPPED, /* libvirt has seen QEMU's end */
};

typedef void hypervisor_handler(enum hypervisor_event event, void *data);

/* Before any other use of libvirt in this process, on the main loop's thread. */
void hypervisor_prepare(void);

/* Opens the driver rooted in @root. Blocks. ERROR_INTERNAL, ERROR_UNAVAILABLE. */
struct hypervisor *hypervisor_open(const char *root, hypervisor_handler *handler, void *data,
                                   GError **error);
/* Not after a VM was made: the process ends instead, libvirt may still be busy with its end. */
void hypervisor_close(struct hypervisor *hypervisor);

/* Probes the emulator of @spec, so that the capability cache is warm. Blocks. */
bool hypervisor_probe(struct hypervisor *hypervisor, const struct vm_spec *spec, GError **error);

/* Makes the VM of @spec, whose XML is @xml, paused, and gives QEMU's pid. Blocks. ERROR_CONFIG
 * where it asks for what this QEMU cannot do. */
bool hypervisor_create(struct hypervisor *hypervisor, const struct vm_spec *spec, const char *xml,
                       pid_t *qemu, GError **error);

/* What becomes of a VM whose libvirt died. */
enum hypervisor_found {
    HYPERVISOR_FOUND_NONE, /* there is none, or not any more */
    HYPERVISOR_FOUND_RUNNING,
    HYPERVISOR_FOUND_PAUSED,
    HYPERVISOR_FOUND_HALTED,  /* since a disk could not be written to */
    HYPERVISOR_FOUND_OFF,     /* the guest has powered off, and QEMU waits to be ended */
    HYPERVISOR_FOUND_CRASHED, /* the guest panicked, or the accelerator cannot go on */
};

/* Finds the VM that an earlier libvirt made in the same root. Blocks, until QEMU itself answers. */
enum hypervisor_found hypervisor_find(struct hypervisor *hypervisor, const char *name);

/* Requests on the VM. All block. */
bool hypervisor_resume(struct hypervisor *hypervisor, GError **error);
bool hypervisor_suspend(struct hypervisor *hypervisor, GError **error);
bool hypervisor_press_power_button(struct hypervisor *hypervisor, GError **error);
bool hypervisor_ask_agent_to_power_off(struct hypervisor *hypervisor, GError **error);
bool hypervisor_ask_acpi_to_reboot(struct hypervisor *hypervisor, GError **error);
bool hypervisor_ask_agent_to_reboot(struct hypervisor *hypervisor, GError **error);
/*
 * The guest agent, in at most @seconds. Block. ERROR_UNAVAILABLE: it is not there or does not
 * answer; ERROR_USAGE: it says that it cannot do it. What it says is the guest's, and not trusted.
 */
/* Whether, after an error, an agent may be there that answers when it is asked again. */
enum hypervisor_later {
    HYPERVISOR_NEVER,
    HYPERVISOR_LATER,   /* the VM is halted, or file systems are frozen: once that is over */
    HYPERVISOR_PERHAPS, /* it has not answered in time */
};
/* Sends @command, which is JSON. The caller owns the reply, which is JSON too. */
char *hypervisor_ask_agent(struct hypervisor *hypervisor, const char *command, int seconds,
                           enum hypervisor_later *later, GError **error);
/* @count: of file systems. */
bool hypervisor_freeze(struct hypervisor *hypervisor, int seconds, guint *count, GError **error);
bool hypervisor_thaw(struct hypervisor *hypervisor, int seconds, guint *count, GError **error);
/* Of struct agent_interface. The caller owns the array. */
GPtrArray *hypervisor_interfaces(struct hypervisor *hypervisor, int seconds, GError **error);

/* Has the guest's network devices show themselves to the network, which a new passt needs. */
bool hypervisor_announce(struct hypervisor *h, GError **error);
bool hypervisor_reset(struct hypervisor *hypervisor, GError **error);

/* The targets ("vda") of those of @count disks that could not be written to, or read: of char *.
 * The caller owns the array. Blocks. */
GPtrArray *hypervisor_disks_with_errors(struct hypervisor *hypervisor, guint count);

/* All that libvirt counts, by its names: a{sv}. What would have to wait for another call is left
 * out. @qemu: the VM's process. Blocks. */
GVariant *hypervisor_statistics(struct hypervisor *hypervisor, pid_t qemu, GError **error);
/* The domain's XML as it is now: s. Blocks. */
GVariant *hypervisor_xml(struct hypervisor *hypervisor, GError **error);

/* Whether the CPUs halted because the accelerator cannot go on ("internal-error"). Blocks. */
bool hypervisor_has_internal_error(struct hypervisor *hypervisor);
