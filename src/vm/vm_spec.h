// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/*
 * What a VM is: everything that domain_xml() needs to know, and nothing about where it was asked
 * for. oci/translate fills it in, src/host and src/engine read it.
 *
 * A vm_spec owns all it points to; NULL means "not there" for every pointer.
 */

#include "src/util/ports.h"

#include <glib.h>
#include <stdbool.h>

enum vm_arch { VM_ARCH_X86_64, VM_ARCH_AARCH64, VM_ARCH_COUNT };
enum vm_accel { VM_ACCEL_TCG, VM_ACCEL_KVM };

/* QEMU's own throttling, per second; 0: none. */
struct vm_throttle {
    guint64 read_bytes, write_bytes;
    guint64 read_ops, write_ops;
};

/* QEMU takes no more, in bytes or operations. */
#define VM_THROTTLE_MAX 1000000000000000

/* "vda" to "vdcb". 88 were seen to work in a guest with one CPU, whose interrupt vectors they take.
 */
#define VM_DISKS_MAX 80

struct vm_location {
    guint64 major, minor;
};

/* How a disk's data gets to and from its file. */
enum vm_disk_io {
    VM_DISK_CACHED,        /* through the page cache, by threads of QEMU's */
    VM_DISK_DIRECT,        /* past it, by threads */
    VM_DISK_DIRECT_NATIVE, /* past it, by the kernel's asynchronous I/O */
};

struct vm_disk {
    char *target; /* "vda" */
    char *origin; /* what of the config asks for it: "vm.image", "mounts[2]"; for messages */
    char *image;  /* absolute path */
    bool block;   /* it is a block device, not a file */
    bool readonly;
    struct vm_location location; /* the block device that it is, or that its data is on, */
    struct vm_location whole;    /* and the disk that this is a partition of; else the same */
    guint64 device, inode;       /* st_dev and st_ino of a file; 0: not known */
    char *serial;                /* what the guest finds in /dev/disk/by-id; NULL: none */
    struct vm_throttle throttle;
    enum vm_disk_io io;
    char *format;  /* QEMU's name: raw, qcow2, vmdk, vdi, vpc */
    char *overlay; /* qcow2 file that takes the writes; NULL: they go to the image itself */
    guint64 size;  /* bytes that the disk is to have at least; 0: as many as it has */
};

/* For messages: what of the config asks for it, or, where nobody has said that, its target. */
const char *vm_disk_origin(const struct vm_disk *disk);

/* The file that takes the disk's writes. */
const char *vm_disk_written(const struct vm_disk *disk);

/*
 * A network device of the guest. passt, on the other end of it, is to the guest the network that
 * the container has, and to the container a program with sockets.
 */
struct vm_nic {
    char *interface; /* of the container: its addresses and routes are the guest's */
    char *mac;
    unsigned mtu;    /* 0: not known */
    bool routed;     /* it has a default route: passt finds out all by itself */
    char *address;   /* the interface's, as text, IPv4; NULL: it has none */
    unsigned prefix; /* its length */
    char *router;    /* another address of that network, for the guest to take for a router */
    char *address6;  /* IPv6 */
    char *socket;    /* a UNIX socket, to which QEMU connects */
    GArray *ports;   /* of struct port_range: what comes to these goes to the guest, */
    bool unasked;    /* nobody has named them: those that are in use by then are left out */
    bool only_own;   /* if it comes to the address of this interface, IPv4 before IPv6 */
};

#define VM_NICS_MAX 8

/* QEMU's versions in libvirt's way of counting: 7002022 is 7.2.22. */
#define VM_QEMU_VERSION(major, minor) ((major)*1000000u + (minor)*1000u)

struct vm_spec;
/* Whether its QEMU connects to a passt again that has been replaced. */
bool vm_nics_reconnect(const struct vm_spec *spec);

/* A folder of the host that the guest shares, by virtiofs. */
struct vm_folder {
    char *tag;         /* by which the guest mounts it, unique, at most 35 bytes */
    char *source;      /* absolute path on the host */
    char *destination; /* absolute path in the guest */
    bool readonly;
    char *origin; /* JSON path of its mount; NULL: it is ocivirt's own */
    char *socket; /* that its virtiofsd listens on */
};

#define VM_FOLDERS_MAX 64

/* A file of the host of which the guest gets a copy, in a shared folder of such copies. */
struct vm_file {
    char *name;        /* in that folder */
    char *source;      /* absolute path on the host */
    char *destination; /* absolute path in the guest */
};

#define VM_FILES_MAX 256
/* Where the guest mounts the folder of copies, and its tag. */
#define VM_FILES_TAG "ocivirt-files"
#define VM_FILES_DESTINATION "/run/ocivirt/files"

/* What cloud-init finds on the disk of its "NoCloud" data source; NULL: there is no such file. */
struct vm_seed {
    char *path;   /* of the disk's image, which is written before QEMU starts */
    char *target; /* "vdb": behind all other disks */
    GBytes *user_data, *meta_data, *vendor_data, *network_config;
};

/* A file of QEMU's fw_cfg device. It is handed over in a file, not on the command line: that is
 * short, and anybody may read it. */
struct vm_fw_cfg {
    char *name; /* "opt/…" */
    char *path; /* of the file, which is written before QEMU starts */
    GBytes *bytes;
};

/* QEMU: FW_CFG_MAX_FILE_PATH, less the final NUL. */
#define VM_FW_CFG_NAME_MAX 55
/* Of the 32 files that the device has room for QEMU takes some itself. */
#define VM_FW_CFG_MAX 10

/* A resource limit of the QEMU process; G_MAXUINT64 is RLIM_INFINITY. */
struct vm_limit {
    int resource; /* RLIMIT_… of getrlimit(2) */
    guint64 soft, hard;
};

#define VM_LIMITS_MAX 16 /* there are as many kinds */

/* The scheduler is set, and nice stays what it is. */
#define VM_NICE_INHERITED G_MAXINT

/* What is done to the QEMU process just before it is executed. All zero: nothing. */
struct vm_process {
    struct vm_limit limits[VM_LIMITS_MAX];
    unsigned limit_count;
    bool set_oom_score_adj;
    int oom_score_adj; /* -1000 … 1000 */
    bool set_io_priority;
    int io_class, io_priority; /* ioprio_set(2): class 1 … 3, priority 0 … 7 */
    bool set_scheduler;
    int scheduler_policy, scheduler_priority; /* sched_setscheduler(2): SCHED_… */
    int nice;                                 /* -20 … 19, or VM_NICE_INHERITED */
    GBytes *filter;        /* seccomp: an array of struct sock_filter; NULL: none */
    unsigned filter_flags; /* SECCOMP_FILTER_FLAG_… of seccomp(2) */
};

/* A key and its value, kept for whoever reads the domain's metadata. */
struct vm_metadata {
    char *key;
    char *value;
};

/* Where the guest's memory comes from on a host with NUMA nodes. */
enum vm_numa_mode { VM_NUMA_STRICT, VM_NUMA_INTERLEAVE, VM_NUMA_PREFERRED };

/* A PCI device of the host that becomes the guest's, by VFIO. */
struct vm_pci_device {
    unsigned domain, bus, slot, function;
};

/* The virtio-serial port on which the guest reports its exit status. */
#define VM_EXIT_PORT "org.ocivirt.exit"

struct vm_spec {
    char *name; /* the domain's; no '/', not empty */
    char *uuid; /* stable for a name */
    enum vm_arch arch;
    enum vm_accel accel;
    char *machine;   /* QEMU's machine type; NULL: the architecture's usual one */
    char *cpu_model; /* QEMU's name, or "host", "max"; NULL: the best the accelerator has */
    char *emulator;  /* absolute path of QEMU */
    unsigned emulator_version; /* see VM_QEMU_VERSION; 0: not known */
    char *launcher; /* what libvirt executes in its place, which then becomes it; NULL: itself */
    char **emulator_args;
    struct vm_process process;

    unsigned vcpus;
    char *cpuset;       /* host CPUs that vCPUs may run on, "0-3,5" */
    guint64 memory_kib; /* a multiple of 1024 */
    char *numa_nodes;   /* "0-1"; NULL: any */
    enum vm_numa_mode numa_mode;
    guint64 hugepage_kib;   /* size of one; 0: ordinary pages */
    unsigned tcg_cache_mib; /* bound on TCG's translated code; 0: QEMU's own default */

    bool uefi;   /* UEFI firmware; else the architecture's other one, or none */
    char *nvram; /* the file with UEFI's variables, made from the firmware's template */

    char *kernel;
    char *initrd;
    char *cmdline;
    char *device_tree;

    GPtrArray *disks;    /* of struct vm_disk, in boot order */
    GPtrArray *folders;  /* of struct vm_folder */
    GPtrArray *files;    /* of struct vm_file; where there are any, one folder is theirs */
    GPtrArray *nics;     /* of struct vm_nic */
    GArray *pci_devices; /* of struct vm_pci_device */
    char *tpm_socket;    /* on which a TPM 2.0 waits for QEMU; NULL: there is none */
    char *tpm_state;     /* the folder that keeps what it knows */
    char *ready_address; /* where to ask ready_port; NULL: at loopback */
    unsigned ready_port; /* TCP, of this side: whether the guest accepts says that it is ready; 0 */
    GPtrArray *metadata; /* of struct vm_metadata */

    struct vm_seed *seed;
    GPtrArray *fw_cfg;      /* of struct vm_fw_cfg */
    GPtrArray *oem_strings; /* of char *: of SMBIOS, type 11 */

    char *network_namespace; /* a file to join before QEMU starts; NULL: stay in this one */
    char *security_model;    /* "selinux" or "apparmor"; NULL: QEMU keeps our own confinement */
    char *security_label;

    bool exit_on_reboot;
    char *console_socket; /* UNIX sockets that QEMU makes: for the serial console, */
    char *agent_socket;   /* and for the guest agent */
    char *exit_pipe; /* FIFOs PATH.in and PATH.out, on which the guest reports its exit status */
};

struct vm_seed *vm_seed_new(void);
void vm_seed_free(struct vm_seed *seed);

struct vm_spec *vm_spec_new(void);
void vm_spec_free(struct vm_spec *spec);
typedef struct vm_spec vm_spec; /* for g_autoptr alone */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(vm_spec, vm_spec_free)

/* The new disk belongs to @spec; its target is the next free "vdX". */
struct vm_disk *vm_spec_add_disk(struct vm_spec *spec, const char *image, const char *format);
/* With no ports yet. */
struct vm_nic *vm_spec_add_nic(struct vm_spec *spec, const char *interface, unsigned mtu);
/* Linux's name of the disk with that number: "vda", "vdz", "vdaa". The caller owns it. */
char *vm_disk_name(unsigned number);
/* Takes @bytes over. The new entry belongs to @spec; its path is FOLDER/fw_cfg-N. */
struct vm_fw_cfg *vm_spec_add_fw_cfg(struct vm_spec *spec, const char *name, GBytes *bytes,
                                     const char *folder);
void vm_spec_add_metadata(struct vm_spec *spec, const char *key, const char *value);

/* Names that follow from the architecture alone. */
const char *vm_arch_name(enum vm_arch arch);    /* libvirt's and QEMU's: "x86_64" */
const char *vm_arch_machine(enum vm_arch arch); /* "q35", "virt" */
const char *vm_arch_console(enum vm_arch arch); /* Linux's name of the serial port: "ttyS0" */
enum vm_arch vm_arch_native(void);

/* libvirt's: "strict" */
const char *vm_numa_mode_name(enum vm_numa_mode mode);
