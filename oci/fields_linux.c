// SPDX-License-Identifier: LGPL-2.1-or-later
#include "oci/fields_row.h"

#include <string.h>

/* config-linux.md, but for the control groups, which are fields_resources.c's. */

#define AT(member) .offset = G_STRUCT_OFFSET(struct oci_config, member)
#define GUEST_KERNEL "the guest has a kernel and a file system of its own"

static bool is_device_type(const char *text)
{
    return strlen(text) == 1 && strchr("cbup", *text) != NULL;
}

static const struct oci_field device_fields[] = {
    {"type", .type = OCI_STRING, .flags = OCI_REQUIRED, IN(oci_device, type),
     .is_valid = is_device_type, .shape = "one of c, b, u, p", .note = "c, b, u or p"},
    {"path", .type = OCI_STRING, .flags = OCI_REQUIRED | OCI_ABSOLUTE, IN(oci_device, path),
     .note = "the device node"},
    {"major", .type = OCI_UINT, UINT32, IN(oci_device, major)},
    {"minor", .type = OCI_UINT, UINT32, IN(oci_device, minor)},
    /* The schema allows nine bits; podman writes the type of the file as well. */
    {"fileMode", .type = OCI_UINT, UINT32, IN(oci_device, file_mode)},
    {"uid", .type = OCI_UINT, UINT32, IN(oci_device, uid)},
    {"gid", .type = OCI_UINT, UINT32, IN(oci_device, gid)},
    END,
};

static const struct oci_field net_device_fields[] = {
    {"name", .type = OCI_STRING, .flags = OCI_EMPTY_IS_UNSET, IN(oci_net_device, name),
     .is_valid = oci_value_is_interface_template,
     .shape = "a name of a network interface: 1 to 15 characters, no '/', ':' or space, and '%' "
              "only as one \"%d\""},
    END,
};

static const char *const namespace_types[] = {"mount", "pid",    "network", "uts", "ipc",
                                              "user",  "cgroup", "time",    NULL};

static const struct oci_field namespace_fields[] = {
    {"type", .type = OCI_STRING, .flags = OCI_REQUIRED, IN(oci_namespace, type),
     .words = namespace_types, .note = "\"network\" for example"},
    {"path", .type = OCI_STRING, .flags = OCI_ABSOLUTE | OCI_EMPTY_IS_UNSET,
     IN(oci_namespace, path)},
    END,
};

/* libseccomp's words, seccomp.c gives them their numbers. */
static const char *const actions[] = {"SCMP_ACT_KILL",        "SCMP_ACT_KILL_PROCESS",
                                      "SCMP_ACT_KILL_THREAD", "SCMP_ACT_TRAP",
                                      "SCMP_ACT_ERRNO",       "SCMP_ACT_TRACE",
                                      "SCMP_ACT_ALLOW",       "SCMP_ACT_LOG",
                                      "SCMP_ACT_NOTIFY",      NULL};
static const char *const operators[] = {"SCMP_CMP_NE",        "SCMP_CMP_LT", "SCMP_CMP_LE",
                                        "SCMP_CMP_EQ",        "SCMP_CMP_GE", "SCMP_CMP_GT",
                                        "SCMP_CMP_MASKED_EQ", NULL};
static const char *const filter_flags[] = {"SECCOMP_FILTER_FLAG_TSYNC", "SECCOMP_FILTER_FLAG_LOG",
                                           "SECCOMP_FILTER_FLAG_SPEC_ALLOW",
                                           "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV", NULL};
static const char *const architectures[] = {
    "SCMP_ARCH_X86",         "SCMP_ARCH_X86_64",      "SCMP_ARCH_X32",     "SCMP_ARCH_ARM",
    "SCMP_ARCH_AARCH64",     "SCMP_ARCH_LOONGARCH64", "SCMP_ARCH_M68K",    "SCMP_ARCH_MIPS",
    "SCMP_ARCH_MIPS64",      "SCMP_ARCH_MIPS64N32",   "SCMP_ARCH_MIPSEL",  "SCMP_ARCH_MIPSEL64",
    "SCMP_ARCH_MIPSEL64N32", "SCMP_ARCH_PPC",         "SCMP_ARCH_PPC64",   "SCMP_ARCH_PPC64LE",
    "SCMP_ARCH_S390",        "SCMP_ARCH_S390X",       "SCMP_ARCH_SH",      "SCMP_ARCH_SHEB",
    "SCMP_ARCH_PARISC",      "SCMP_ARCH_PARISC64",    "SCMP_ARCH_RISCV64", NULL};

static const struct oci_field syscall_arg_fields[] = {
    {"index", .type = OCI_UINT, .flags = OCI_REQUIRED, .max = 5, IN(oci_syscall_arg, index),
     .note = "which argument, from 0"},
    {"value", .type = OCI_UINT, .flags = OCI_REQUIRED, IN(oci_syscall_arg, value),
     .note = "what the argument is compared with"},
    {"valueTwo", .type = OCI_UINT, IN(oci_syscall_arg, value_two)},
    {"op", .type = OCI_STRING, .flags = OCI_REQUIRED, IN(oci_syscall_arg, op), .words = operators,
     .note = "\"SCMP_CMP_EQ\" for example"},
    END,
};

static const struct oci_field syscall_fields[] = {
    {"names", .type = OCI_STRINGS, .flags = OCI_REQUIRED | OCI_NOT_EMPTY, IN(oci_syscall, names),
     .note = "the system calls that the rule is for"},
    {"action", .type = OCI_STRING, .flags = OCI_REQUIRED, IN(oci_syscall, action), .words = actions,
     .note = "\"SCMP_ACT_ALLOW\" for example"},
    {"errnoRet", .type = OCI_UINT, .max = 4095, IN(oci_syscall, errno_ret)},
    {"args", .type = OCI_OBJECTS, .fields = syscall_arg_fields, IN(oci_syscall, args),
     .size = sizeof(struct oci_syscall_arg)},
    END,
};

/* The members of linux.seccomp, at @base in the struct that has them. */
#define SECCOMP_FIELDS(base)                                                                       \
    {"defaultAction",                                                                              \
     .type = OCI_STRING,                                                                           \
     .flags = OCI_REQUIRED,                                                                        \
     .words = actions,                                                                             \
     .offset = (base) + G_STRUCT_OFFSET(struct oci_seccomp, default_action),                       \
     .note = "what happens to a system call without a rule, \"SCMP_ACT_ERRNO\" for example"},      \
        {"defaultErrnoRet", .type = OCI_UINT, .max = 4095,                                         \
         .offset = (base) + G_STRUCT_OFFSET(struct oci_seccomp, default_errno_ret)},               \
        {"flags", .type = OCI_STRINGS, .words = filter_flags,                                      \
         .offset = (base) + G_STRUCT_OFFSET(struct oci_seccomp, flags)},                           \
        {"listenerPath", .type = OCI_STRING, .flags = OCI_EMPTY_IS_UNSET,                          \
         .offset = (base) + G_STRUCT_OFFSET(struct oci_seccomp, listener_path)},                   \
        {"listenerMetadata", .type = OCI_STRING, .flags = OCI_EMPTY_IS_UNSET,                      \
         .offset = (base) + G_STRUCT_OFFSET(struct oci_seccomp, listener_metadata)},               \
        {"architectures", .type = OCI_STRINGS, .words = architectures,                             \
         .offset = (base) + G_STRUCT_OFFSET(struct oci_seccomp, architectures)},                   \
        {"syscalls", .type = OCI_OBJECTS, .fields = syscall_fields,                                \
         .size = sizeof(struct oci_syscall),                                                       \
         .offset = (base) + G_STRUCT_OFFSET(struct oci_seccomp, syscalls)},                        \
        END,

static const struct oci_field seccomp_fields[] = {
    SECCOMP_FIELDS(G_STRUCT_OFFSET(struct oci_config, seccomp))};
const struct oci_field oci_fields_seccomp[] = {SECCOMP_FIELDS(0)};

static const struct oci_field intel_rdt_fields[] = {
    {"closID", .type = OCI_STRING, AT(intel_rdt.clos_id)},
    {"schemata", .type = OCI_STRINGS, AT(intel_rdt.schemata), .is_valid = oci_value_is_line,
     .shape = "a single line"},
    {"l3CacheSchema", .type = OCI_STRING, AT(intel_rdt.l3_cache_schema)},
    {"memBwSchema", .type = OCI_STRING, .flags = OCI_EMPTY_IS_UNSET, AT(intel_rdt.mem_bw_schema),
     .is_valid = oci_value_is_mem_bw_schema, .shape = "a line that begins with \"MB:\""},
    {"enableMonitoring", .type = OCI_BOOL, AT(intel_rdt.enable_monitoring)},
    END,
};

static const char *const memory_modes[] = {
    "MPOL_DEFAULT",   "MPOL_BIND",           "MPOL_INTERLEAVE", "MPOL_WEIGHTED_INTERLEAVE",
    "MPOL_PREFERRED", "MPOL_PREFERRED_MANY", "MPOL_LOCAL",      NULL};
static const char *const memory_flags[] = {"MPOL_F_NUMA_BALANCING", "MPOL_F_RELATIVE_NODES",
                                           "MPOL_F_STATIC_NODES", NULL};

static const struct oci_field memory_policy_fields[] = {
    {"mode", .type = OCI_STRING, .flags = OCI_REQUIRED, AT(memory_policy.mode),
     .words = memory_modes, .note = "\"MPOL_BIND\" for example"},
    {"nodes", .type = OCI_STRING, .flags = OCI_EMPTY_IS_UNSET, AT(memory_policy.nodes),
     .is_valid = oci_value_is_cpu_list, .shape = NODE_LIST},
    {"flags", .type = OCI_STRINGS, AT(memory_policy.flags), .words = memory_flags},
    END,
};

static const char *const domains[] = {"LINUX", "LINUX32", NULL};

static const struct oci_field personality_fields[] = {
    {"domain", .type = OCI_STRING, .flags = OCI_REQUIRED, AT(personality.domain), .words = domains,
     .note = "\"LINUX\" for example"},
    {"flags", .type = OCI_STRINGS, .flags = OCI_ONLY_EMPTY, AT(personality.flags),
     .note = "the spec knows no flags yet"},
    END,
};

#define TIME_OFFSET(clock)                                                                         \
    {                                                                                              \
        {"secs", .type = OCI_INT, AT(time_offsets.clock.secs)},                                    \
            {"nanosecs", .type = OCI_UINT, .max = 999999999, AT(time_offsets.clock.nanosecs)},     \
            END,                                                                                   \
    }

static const struct oci_field boottime_fields[] = TIME_OFFSET(boottime);
static const struct oci_field monotonic_fields[] = TIME_OFFSET(monotonic);

static const struct oci_field time_offset_fields[] = {
    {"boottime", .type = OCI_OBJECT, .fields = boottime_fields},
    {"monotonic", .type = OCI_OBJECT, .fields = monotonic_fields},
    END,
};

/* The schema has the first four; podman writes the recursive ones, too. */
static const char *const propagations[] = {"private",    "shared",      "slave",
                                           "unbindable", "rprivate",    "rshared",
                                           "rslave",     "runbindable", NULL};

const struct oci_field oci_fields_linux[] = {
    {"resources", .type = OCI_OBJECT, .fields = oci_fields_resources},
    {"devices", .type = OCI_OBJECTS, .flags = OCI_EACH, .fields = device_fields, AT(devices),
     .size = sizeof(struct oci_device), .fate = OCI_HONOURED,
     .tells = "a block device becomes a disk (unless the container may use all devices: then it "
              "is not meant), the group of a VFIO device is passed through, those that every Linux "
              "has are the guest's own; other character devices are not possible in a VM",
     .judge = oci_judge_device},
    {"netDevices", .type = OCI_OBJECT_MAP, .flags = OCI_ONLY_EMPTY, .fields = net_device_fields,
     AT(net_devices), .size = sizeof(struct oci_net_device),
     .note = "an interface of the host cannot be moved into a guest", .fate = OCI_IMPOSSIBLE,
     .tells = "an interface of the host cannot be moved into a guest"},
    {"uidMappings", .type = OCI_OBJECTS, .fields = oci_fields_id_mapping, AT(uid_mappings),
     .size = sizeof(struct oci_id_mapping), .fate = OCI_IGNORED,
     .tells = "the guest has users of its own"},
    {"gidMappings", .type = OCI_OBJECTS, .fields = oci_fields_id_mapping, AT(gid_mappings),
     .size = sizeof(struct oci_id_mapping), .fate = OCI_IGNORED,
     .tells = "the guest has groups of its own"},
    {"namespaces", .type = OCI_OBJECTS, .flags = OCI_EACH, .fields = namespace_fields,
     AT(namespaces), .size = sizeof(struct oci_namespace), .fate = OCI_IGNORED,
     .tells = "QEMU runs in the container's, and the guest has its own; only the path of a network "
              "namespace is joined",
     .judge = oci_judge_namespace},
    {"cgroupsPath", .type = OCI_STRING, AT(cgroups_path), .fate = OCI_IGNORED,
     .tells = "QEMU stays in the container's cgroup"},
    {"rootfsPropagation", .type = OCI_STRING, .flags = OCI_EMPTY_IS_UNSET, AT(rootfs_propagation),
     .words = propagations, .fate = OCI_IGNORED, .tells = GUEST_KERNEL},
    {"seccomp", .type = OCI_OBJECT, .fields = seccomp_fields, .fate = OCI_HONOURED,
     .tells = "the filter of the QEMU process, unless the setting seccomp names another",
     .judge = oci_judge_seccomp},
    {"sysctl", .type = OCI_MAP, AT(sysctl), .note = "a kernel parameter", .fate = OCI_GUEST_INIT,
     .tells = GUEST_KERNEL},
    {"maskedPaths", .type = OCI_STRINGS, .flags = OCI_ABSOLUTE, AT(masked_paths),
     .fate = OCI_GUEST_INIT, .tells = GUEST_KERNEL},
    {"readonlyPaths", .type = OCI_STRINGS, .flags = OCI_ABSOLUTE, AT(readonly_paths),
     .fate = OCI_GUEST_INIT, .tells = GUEST_KERNEL},
    {"mountLabel", .type = OCI_STRING, AT(mount_label), .fate = OCI_IGNORED, .tells = GUEST_KERNEL},
    {"intelRdt", .type = OCI_OBJECT, .fields = intel_rdt_fields, .fate = OCI_IGNORED,
     .tells = "cache and memory bandwidth are the container engine's to share out"},
    {"memoryPolicy", .type = OCI_OBJECT, .fields = memory_policy_fields, .fate = OCI_HONOURED,
     .tells = "<numatune>: MPOL_BIND, MPOL_INTERLEAVE and MPOL_PREFERRED, where the container may "
              "set a memory policy; MPOL_WEIGHTED_INTERLEAVE and MPOL_PREFERRED_MANY are refused",
     .judge = oci_judge_memory_policy},
    {"personality", .type = OCI_OBJECT, .fields = personality_fields, .fate = OCI_IGNORED,
     .tells = GUEST_KERNEL},
    {"timeOffsets", .type = OCI_OBJECT, .fields = time_offset_fields, .fate = OCI_IGNORED,
     .tells = "the guest has clocks of its own"},
    END,
};
