// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/*
 * oci_config and settings → vm_spec. Pure: what the machine is like comes in as struct oci_host.
 */

#include "oci/config.h"
#include "oci/mounts.h"
#include "oci/problems.h"
#include "oci/settings.h"
#include "src/util/cpulist.h"
#include "src/vm/vm_spec.h"

/* The block device that a file's data is on, and, where that is a partition, the whole disk. */
struct oci_location {
    bool known;
    struct vm_location device, disk;
};

/* An IOMMU group and the devices in it that can be passed through. */
struct oci_vfio_group {
    guint64 number;
    const struct vm_pci_device *devices;
    gsize length;
};

/* What is behind the source of a mount, or is vm.image. */
struct oci_source {
    enum oci_source_kind kind;
    int error; /* errno of a missing one */

    /* Of what can be a disk (src/host/image_file.h): */
    const char *image;        /* the file or device, in a folder the one in it; NULL: there is none,
                                 or nobody has looked */
    const char *const *names; /* of the files in a folder that has not exactly one; else NULL */
    bool block;               /* it is a block device */
    int read_error, write_error; /* errno of who wants to; 0: one can */
    bool volume;                 /* mounted into the container: no part of its image */
    bool direct_io;              /* its file system takes O_DIRECT */
    bool allocated;              /* no hole in it */
    bool in_use;                 /* a block device that somebody holds */
    guint64 device, inode;       /* which file it is; 0: not known */
    struct oci_location location;
};

/* An interface of the container that has an address. */
struct oci_interface {
    const char *name;
    unsigned mtu;
    /* As in struct vm_nic. */
    bool routed;
    const char *address;
    unsigned prefix;
    const char *router;
    const char *address6;
};

/* The container's network. */
struct oci_network_facts {
    const struct oci_interface *interfaces; /* first the one with the default route */
    gsize interface_count;
    bool is_hosts;          /* it is the host's own: nothing is published there unasked */
    const GArray *unusable; /* struct port_range that nothing can be bound to; NULL: none */
    const GArray *in_use;   /* those of them that somebody has bound; NULL: none */
    guint64 files;          /* that a process may open; 0: not known */
};

/* What the translation must know of its surroundings. Owns nothing. */
struct oci_host {
    enum vm_arch arch;
    enum vm_accel accel;          /* already chosen: src/host/accel */
    unsigned cpus;                /* that the container may use, at least 1 */
    guint64 memory;               /* of the machine, bytes; 0: not known */
    guint64 memory_limit;         /* of the container, bytes; 0: none */
    const char *emulator;         /* the QEMU of the system; NULL: there is none */
    const char *const *libraries; /* files of ours, NULL-terminated; NULL: not known */
    const char *launcher;         /* stands for QEMU (vm_spec.h); NULL: there is none */
    const char *id;               /* of the instance; becomes the domain's name */
    const char *root;             /* the root directory, absolute */
    const char *file;             /* config.json, absolute; NULL: it is no file */
    /* Of each path that is used: char ** as of links_follow(). NULL, or without the path: nobody
     * has looked. */
    GHashTable *ways;

    const struct cpulist *allowed_cpus; /* NULL: not known */
    const struct cpulist *nodes;        /* NUMA nodes with memory; NULL: not known */
    bool may_set_memory_policy;         /* set_mempolicy(2) is not forbidden */
    const char *security_model;   /* "selinux", "apparmor", if libvirt may set labels; else NULL */
    struct oci_source image;      /* vm.image.path */
    struct oci_location overlays; /* of the root directory */
    const struct oci_location *block_devices; /* where those of linux.devices are */
    gsize block_device_count;
    struct oci_network_facts network;
    const struct oci_source *mounts; /* as many as the config has; NULL: nobody has looked */
    const struct oci_vfio_group *vfio_groups;
    gsize vfio_group_count;
};

/* What mount @index of the config is to the VM. */
enum oci_mount_role oci_translate_mount_role(const struct oci_config *config,
                                             const struct oci_host *host, gsize index);

/* Returns NULL, with at least one problem, when the VM cannot be made. The caller owns the spec. */
struct vm_spec *oci_translate(const struct oci_config *config, const struct oci_settings *settings,
                              const struct oci_host *host, struct oci_problems *problems);

/* Calls @each with every file and folder that ocivirt is to use, and what that is. After
 * oci_settings_read_files(). */
typedef void oci_use_func(const char *path, const char *what, void *data);
void oci_translate_each_use(const struct oci_config *config, const struct oci_settings *settings,
                            const struct oci_host *host, oci_use_func *each, void *data);

/* Bytes that QEMU and ocivirt need beside @memory bytes for the guest. */
guint64 oci_translate_overhead(guint64 memory, enum vm_accel accel);

/* Open files that @ports take of passt, and what it needs beside them. */
guint64 oci_translate_port_files(const GArray *ports);

/* Annotations that containerd's CRI plugin writes for those who run a pod as a VM. */
#define OCI_SANDBOX_MEMORY "io.kubernetes.cri.sandbox-memory"         /* bytes */
#define OCI_SANDBOX_CPU_QUOTA "io.kubernetes.cri.sandbox-cpu-quota"   /* µs per period */
#define OCI_SANDBOX_CPU_PERIOD "io.kubernetes.cri.sandbox-cpu-period" /* µs */

/* The number of such an annotation; 0: it is unset, for which they write "0" as well. */
guint64 oci_translate_sandbox_size(const struct oci_config *config, const char *annotation);

/* Whether the hostname becomes a kernel parameter: not where there is one already. */
bool oci_translate_names_host(const struct oci_config *config);

/* What there is to say of settings for the first boot that are no error. */
void oci_translate_first_boot_warnings(const struct oci_settings *settings, GPtrArray *warnings);

/* The lists of blockIO that limit disks. */
enum oci_throttle_kind {
    OCI_THROTTLE_READ_BPS,
    OCI_THROTTLE_WRITE_BPS,
    OCI_THROTTLE_READ_IOPS,
    OCI_THROTTLE_WRITE_IOPS,
    OCI_THROTTLE_KINDS,
};

extern const struct oci_throttle_row {
    gsize list;  /* offset of the struct oci_throttles in struct oci_config, */
    gsize limit; /* and of the guint64 in struct vm_throttle */
    bool writing;
} oci_throttle_rows[OCI_THROTTLE_KINDS];

/* The disk that mount @index of the config has become; NULL: it is none. */
const struct vm_disk *oci_translate_mount_disk(const struct vm_spec *spec, gsize index);

/* Whether what is read from (or written to) @disk lies on block device @major:@minor, or a
 * partition of it. */
bool oci_translate_disk_is_on(const struct oci_host *host, const struct vm_disk *disk, bool writing,
                              guint64 major, guint64 minor);
