// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/*
 * What a VM is: everything that domain_xml() needs to know, and nothing about where it was asked
 * for. oci/translate fills it in, src/host and src/engine read it.
 *
 * A vm_spec owns all it points to; NULL means "not there" for every pointer.
 */

#include <glib.h>
#include <stdbool.h>

enum vm_arch { VM_ARCH_X86_64, VM_ARCH_AARCH64, VM_ARCH_COUNT };
enum vm_accel { VM_ACCEL_TCG, VM_ACCEL_KVM };

struct vm_disk {
    char *target;  /* "vda" */
    char *image;   /* absolute path */
    char *format;  /* QEMU's name: raw, qcow2, vmdk, vdi, vpc */
    char *overlay; /* qcow2 file that takes the writes; NULL: they go to the image itself */
};

/* A key and its value, kept for whoever reads the domain's metadata. */
struct vm_metadata {
    char *key;
    char *value;
};

struct vm_spec {
    char *name; /* the domain's; no '/', not empty */
    char *uuid; /* stable for a name */
    enum vm_arch arch;
    enum vm_accel accel;
    char *machine;   /* QEMU's machine type; NULL: the architecture's usual one */
    char *cpu_model; /* QEMU's name, or "host", "max"; NULL: the best the accelerator has */
    char *emulator;  /* absolute path of QEMU */
    char **emulator_args;

    unsigned vcpus;
    char *cpuset;           /* host CPUs that vCPUs may run on, "0-3,5" */
    guint64 memory_kib;     /* a multiple of 1024 */
    unsigned tcg_cache_mib; /* bound on TCG's translated code; 0: QEMU's own default */

    char *kernel;
    char *initrd;
    char *cmdline;
    char *device_tree;

    GPtrArray *disks;    /* of struct vm_disk, in boot order */
    GPtrArray *metadata; /* of struct vm_metadata */

    bool exit_on_reboot;
    char *console_socket; /* UNIX sockets that QEMU makes: for the serial console, */
    char *agent_socket;   /* and for the guest agent */
};

struct vm_spec *vm_spec_new(void);
void vm_spec_free(struct vm_spec *spec);
typedef struct vm_spec vm_spec; /* for g_autoptr alone */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(vm_spec, vm_spec_free)

/* The new disk belongs to @spec; its target is the next free "vdX". */
struct vm_disk *vm_spec_add_disk(struct vm_spec *spec, const char *image, const char *format);
void vm_spec_add_metadata(struct vm_spec *spec, const char *key, const char *value);

/* Names that follow from the architecture alone. */
const char *vm_arch_name(enum vm_arch arch);    /* libvirt's and QEMU's: "x86_64" */
const char *vm_arch_machine(enum vm_arch arch); /* "q35", "virt" */
const char *vm_arch_console(enum vm_arch arch); /* Linux's name of the serial port: "ttyS0" */
enum vm_arch vm_arch_native(void);
