// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/*
 * struct oci_config: a runtime-spec config.json, as far as it is Linux's and a VM's
 * (https://github.com/opencontainers/runtime-spec, version 1.3.0).
 *
 * Adding a property: a member here, a row in fields*.c; a rule that needs more than one property
 * goes to rules.c. The config owns all it points to; a string that is absent, or "" where Go's
 * types write that for "absent", is NULL.
 */

#include <glib.h>
#include <stdbool.h>

struct oci_document;
struct oci_problems;

/* vCPUs: what QEMU's machine types take without more configuration. */
#define OCI_MAX_CPUS 255

struct oci_bool {
    bool set;
    bool value;
};

struct oci_uint {
    bool set;
    guint64 value;
};

struct oci_int {
    bool set;
    gint64 value;
};

/*
 * An array, or a map, in the file's order, with all that it has: what is wrong with an element is
 * among the problems, and zero here ("" in a list of strings). @items is NULL where @length is 0.
 * Every list begins with these two members, which is all that decode.c needs to know of it.
 */
#define OCI_LIST(type)                                                                             \
    struct {                                                                                       \
        type *items;                                                                               \
        gsize length;                                                                              \
    }

struct oci_pair {
    char *key;
    char *value;
};

struct oci_id_mapping {
    struct oci_uint container_id, host_id, size;
};

struct oci_mount {
    char *destination;
    char *source;
    char *type;
    char **options;
    OCI_LIST(struct oci_id_mapping) uid_mappings;
    OCI_LIST(struct oci_id_mapping) gid_mappings;
};

struct oci_hook {
    char *path;
    char **args;            /* NULL, or the whole argv */
    char **env;             /* NULL: an empty environment */
    struct oci_int timeout; /* s */
};

enum oci_hook_kind {
    OCI_HOOK_PRESTART,
    OCI_HOOK_CREATE_RUNTIME,
    OCI_HOOK_CREATE_CONTAINER,
    OCI_HOOK_START_CONTAINER,
    OCI_HOOK_POSTSTART,
    OCI_HOOK_POSTSTOP,
    OCI_HOOK_KINDS,
};

struct oci_hooks {
    struct oci_hook *items;
    gsize length;
};

struct oci_rlimit {
    char *type; /* "RLIMIT_NOFILE" */
    struct oci_uint soft, hard;
};

struct oci_device {
    char *type; /* "c", "b", "u", "p" */
    char *path;
    struct oci_uint major, minor;
    struct oci_uint file_mode, uid, gid;
};

struct oci_namespace {
    char *type;
    char *path; /* NULL: a new one */
};

struct oci_net_device {
    char *key; /* the interface's name outside */
    char *name;
};

/* A line of the device cgroup's list; unset numbers mean all. */
struct oci_device_rule {
    struct oci_bool allow;
    char *type; /* "a", "b", "c"; NULL: all */
    struct oci_int major, minor;
    char *access; /* of r, w, m */
};

struct oci_device_weight {
    struct oci_uint major, minor;
    struct oci_uint weight, leaf_weight;
};

struct oci_throttle {
    struct oci_uint major, minor;
    struct oci_uint rate; /* bytes, or operations, per second */
};

struct oci_throttles {
    struct oci_throttle *items;
    gsize length;
};

struct oci_hugepage_limit {
    char *page_size;       /* "2MB", binary */
    struct oci_uint limit; /* bytes */
};

struct oci_interface_priority {
    char *name;
    struct oci_uint priority;
};

struct oci_rdma {
    char *key; /* the device */
    struct oci_uint hca_handles, hca_objects;
};

struct oci_syscall_arg {
    struct oci_uint index, value, value_two;
    char *op; /* "SCMP_CMP_EQ" */
};

struct oci_syscall {
    char **names;
    char *action;
    struct oci_uint errno_ret;
    OCI_LIST(struct oci_syscall_arg) args;
};

/* linux.seccomp, or a profile file: the same object. */
struct oci_seccomp {
    char *default_action; /* "SCMP_ACT_ERRNO"; NULL: there is no profile */
    struct oci_uint default_errno_ret;
    char **architectures; /* "SCMP_ARCH_X86_64" */
    char **flags;
    char *listener_path;
    char *listener_metadata;
    OCI_LIST(struct oci_syscall) syscalls;
};

struct oci_time_offset {
    struct oci_int secs;
    struct oci_uint nanosecs;
};

/* Xen's iomem range. */
struct oci_iomem {
    struct oci_uint first_gfn, first_mfn, nr_mfns;
};

struct oci_process {
    struct oci_bool terminal;
    struct {
        struct oci_uint height, width;
    } console_size;
    char *cwd;
    char **env;
    char **args;
    char *command_line;
    struct {
        struct oci_uint uid, gid, umask;
        OCI_LIST(guint64) additional_gids;
        char *username;
    } user;
    struct {
        char **bounding, **permitted, **effective, **inheritable, **ambient;
    } capabilities;
    OCI_LIST(struct oci_rlimit) rlimits;
    char *apparmor_profile;
    char *selinux_label;
    struct oci_bool no_new_privileges;
    struct oci_int oom_score_adj;
    struct {
        char *class;
        struct oci_int priority;
    } io_priority;
    struct {
        char *policy;
        struct oci_int nice, priority;
        char **flags;
        struct oci_uint runtime, deadline, period; /* ns */
    } scheduler;
    struct {
        char *initial, *final;
    } exec_cpu_affinity;
};

struct oci_resources {
    OCI_LIST(struct oci_pair) unified;
    OCI_LIST(struct oci_device_rule) devices;
    struct {
        struct oci_int limit;
    } pids;
    struct {
        struct oci_uint weight, leaf_weight;
        OCI_LIST(struct oci_device_weight) weight_devices;
        struct oci_throttles read_bps, write_bps, read_iops, write_iops;
    } block_io;
    struct {
        struct oci_uint shares;
        struct oci_int quota;   /* µs per period; negative: no limit */
        struct oci_uint period; /* µs */
        struct oci_uint burst;  /* µs */
        struct oci_uint realtime_period;
        struct oci_int realtime_runtime;
        char *cpus; /* "0-3,5" */
        char *mems; /* NUMA nodes, in the same form */
        struct oci_int idle;
    } cpu;
    OCI_LIST(struct oci_hugepage_limit) hugepage_limits;
    struct {
        struct oci_int limit; /* bytes; negative: no limit. So are the next four. */
        struct oci_int reservation, swap, kernel, kernel_tcp;
        struct oci_uint swappiness;
        struct oci_bool disable_oom_killer, use_hierarchy, check_before_update;
    } memory;
    struct {
        struct oci_uint class_id;
        OCI_LIST(struct oci_interface_priority) priorities;
    } network;
    OCI_LIST(struct oci_rdma) rdma;
};

struct oci_config {
    char *version; /* ociVersion */
    char *hostname;
    char *domainname;
    OCI_LIST(struct oci_pair) annotations;
    struct {
        char *path; /* absolute */
        struct oci_bool readonly;
    } root;
    struct oci_process process;
    OCI_LIST(struct oci_mount) mounts;
    struct oci_hooks hooks[OCI_HOOK_KINDS];

    struct {
        struct {
            char *path;
            char **parameters;
        } hypervisor;
        struct {
            char *path;
            char **parameters;
            char *initrd;
        } kernel;
        struct {
            char *path;
            char *format; /* the spec's name: raw, qcow2, vdi, vmdk, vhd */
        } image;
        struct {
            char *device_tree;
            struct oci_uint vcpus;
            struct oci_uint memory; /* bytes */
            char **dtdevs;
            OCI_LIST(struct oci_iomem) iomems;
            OCI_LIST(guint64) irqs;
            const char *path; /* "vm.hwConfig", or as Go's types spell it: for messages */
        } hw;
    } vm;

    /* From here on: the members of "linux". */
    struct oci_resources resources;
    bool may_open_all_devices; /* as its rules say, or its mounts: podman --privileged */
    struct oci_seccomp seccomp;
    OCI_LIST(struct oci_device) devices;
    OCI_LIST(struct oci_net_device) net_devices;
    OCI_LIST(struct oci_id_mapping) uid_mappings;
    OCI_LIST(struct oci_id_mapping) gid_mappings;
    OCI_LIST(struct oci_namespace) namespaces;
    char *cgroups_path;
    char *rootfs_propagation;
    OCI_LIST(struct oci_pair) sysctl;
    char **masked_paths;
    char **readonly_paths;
    char *mount_label;
    struct {
        char *clos_id;
        char **schemata;
        char *l3_cache_schema;
        char *mem_bw_schema;
        struct oci_bool enable_monitoring;
    } intel_rdt;
    struct {
        char *mode;
        char *nodes;
        char **flags;
    } memory_policy;
    struct {
        char *domain;
        char **flags;
    } personality;
    struct {
        struct oci_time_offset boottime, monotonic;
    } time_offsets;
};

/*
 * Decodes @document. Every problem goes to @problems, also the rules' that a schema cannot express
 * (rules.h); the config is usable only if there are none. Unknown properties are no problem, as the
 * spec demands. No system calls. Relative paths are made absolute with @bundle.
 */
struct oci_config *oci_config_decode(const struct oci_document *document, const char *bundle,
                                     struct oci_problems *problems);
void oci_config_free(struct oci_config *config);
typedef struct oci_config oci_config; /* for g_autoptr alone */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(oci_config, oci_config_free)

/*
 * The same for a seccomp profile that is a file of its own: @document's root is what linux.seccomp
 * is in a config. oci_seccomp_clear() also takes a profile that is all zero.
 */
void oci_seccomp_decode(const struct oci_document *document, struct oci_problems *problems,
                        struct oci_seccomp *seccomp);
void oci_seccomp_clear(struct oci_seccomp *seccomp);
