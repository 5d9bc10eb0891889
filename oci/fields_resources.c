// SPDX-License-Identifier: LGPL-2.1-or-later
#include "oci/fields_row.h"

#include <string.h>

/* config-linux.md, "Control groups" */

#define AT(member) .offset = G_STRUCT_OFFSET(struct oci_config, resources.member)
/* Of everything that takes a cgroup. */
#define NO_CGROUP                                                                                  \
    .fate = OCI_IGNORED,                                                                           \
    .tells = "the container's cgroup is its engine's: set it there, and it holds for the VM"

static bool is_rule_type(const char *text)
{
    return strlen(text) == 1 && strchr("acb", *text) != NULL;
}

static const struct oci_field device_rule_fields[] = {
    {"allow", .type = OCI_BOOL, .flags = OCI_REQUIRED, IN(oci_device_rule, allow),
     .note = "whether the rule allows or forbids"},
    {"type", .type = OCI_STRING, .flags = OCI_EMPTY_IS_UNSET, IN(oci_device_rule, type),
     .is_valid = is_rule_type, .shape = "one of a, c, b"},
    /* -1 is how engines write "all". */
    {"major", .type = OCI_INT, .least = -1, .most = G_MAXUINT32, IN(oci_device_rule, major)},
    {"minor", .type = OCI_INT, .least = -1, .most = G_MAXUINT32, IN(oci_device_rule, minor)},
    {"access", .type = OCI_STRING, IN(oci_device_rule, access),
     .is_valid = oci_value_is_device_access, .shape = "a composition of r, w and m"},
    END,
};

static const struct oci_field pids_fields[] = {
    {"limit", .type = OCI_INT, .flags = OCI_REQUIRED, AT(pids.limit),
     .note = "the most tasks that there may be"},
    END,
};

#define DEVICE_NUMBERS(type_)                                                                      \
    {"major",          .type = OCI_UINT,                                                           \
     UINT32,           .flags = OCI_REQUIRED,                                                      \
     IN(type_, major), .note = "the number of the device"},                                        \
    {                                                                                              \
        "minor", .type = OCI_UINT, UINT32, .flags = OCI_REQUIRED, IN(type_, minor),                \
                 .note = "the number of the device"                                                \
    }

#define WEIGHT .flags = OCI_ZERO_IS_UNSET, .min = 10, .max = 1000

static const struct oci_field weight_device_fields[] = {
    DEVICE_NUMBERS(oci_device_weight),
    {"weight", .type = OCI_UINT, WEIGHT, IN(oci_device_weight, weight)},
    {"leafWeight", .type = OCI_UINT, WEIGHT, IN(oci_device_weight, leaf_weight)},
    END,
};

static const struct oci_field throttle_fields[] = {
    DEVICE_NUMBERS(oci_throttle),
    {"rate", .type = OCI_UINT, .flags = OCI_REQUIRED, IN(oci_throttle, rate),
     .note = "bytes, or operations, per second"},
    END,
};

#define THROTTLE(name, member, judged)                                                             \
    {                                                                                              \
        name, .type = OCI_OBJECTS, .flags = OCI_EACH, .fields = throttle_fields,                   \
              .size = sizeof(struct oci_throttle), AT(block_io.member), .fate = OCI_HONOURED,      \
              .tells = "the <iotune> of those disks whose data is on the device", .judge = judged  \
    }

static const struct oci_field block_io_fields[] = {
    {"weight", .type = OCI_UINT, WEIGHT, AT(block_io.weight), NO_CGROUP},
    {"leafWeight", .type = OCI_UINT, WEIGHT, AT(block_io.leaf_weight), NO_CGROUP},
    {"weightDevice", .type = OCI_OBJECTS, .fields = weight_device_fields,
     AT(block_io.weight_devices), .size = sizeof(struct oci_device_weight), NO_CGROUP},
    THROTTLE("throttleReadBpsDevice", read_bps, oci_judge_read_bps),
    THROTTLE("throttleWriteBpsDevice", write_bps, oci_judge_write_bps),
    THROTTLE("throttleReadIOPSDevice", read_iops, oci_judge_read_iops),
    THROTTLE("throttleWriteIOPSDevice", write_iops, oci_judge_write_iops),
    END,
};

static const struct oci_field cpu_fields[] = {
    {"shares", .type = OCI_UINT, AT(cpu.shares), NO_CGROUP},
    {"quota", .type = OCI_INT, AT(cpu.quota), .note = "µs", .fate = OCI_HONOURED,
     .tells = "the number of CPUs: quota / period, rounded up", .judge = oci_judge_quota},
    {"period", .type = OCI_UINT, AT(cpu.period), .note = "µs", .fate = OCI_HONOURED,
     .tells = "the number of CPUs: quota / period, rounded up", .judge = oci_judge_quota},
    {"burst", .type = OCI_UINT, AT(cpu.burst), .note = "µs", NO_CGROUP},
    {"realtimePeriod", .type = OCI_UINT, AT(cpu.realtime_period), .note = "µs", NO_CGROUP},
    {"realtimeRuntime", .type = OCI_INT, AT(cpu.realtime_runtime), .note = "µs", NO_CGROUP},
    {"cpus", .type = OCI_STRING, .flags = OCI_EMPTY_IS_UNSET, AT(cpu.cpus),
     .is_valid = oci_value_is_cpu_list, .shape = CPU_LIST, .fate = OCI_HONOURED,
     .tells = "the host's CPUs that QEMU and the guest's CPUs run on"},
    {"mems", .type = OCI_STRING, .flags = OCI_EMPTY_IS_UNSET, AT(cpu.mems),
     .is_valid = oci_value_is_cpu_list, .shape = NODE_LIST, .fate = OCI_HONOURED,
     .tells = "<numatune>, where the container may set a memory policy", .judge = oci_judge_mems},
    {"idle", .type = OCI_INT, .least = 0, .most = 1, AT(cpu.idle), NO_CGROUP},
    END,
};

static const struct oci_field hugepage_fields[] = {
    {"pageSize", .type = OCI_STRING, .flags = OCI_REQUIRED, IN(oci_hugepage_limit, page_size),
     .is_valid = oci_value_is_page_size, .shape = "a size of huge pages such as \"2MB\" or \"1GB\"",
     .note = "\"2MB\" for example"},
    {"limit", .type = OCI_UINT, .flags = OCI_REQUIRED, IN(oci_hugepage_limit, limit),
     .note = "bytes"},
    END,
};

static const struct oci_field memory_fields[] = {
    {"limit", .type = OCI_INT, AT(memory.limit), .note = "bytes", .fate = OCI_HONOURED,
     .tells = "the size of the memory, or what fits the container's own limit, if that is less",
     .judge = oci_judge_memory_limit},
    {"reservation", .type = OCI_INT, AT(memory.reservation), .note = "bytes", NO_CGROUP},
    {"swap", .type = OCI_INT, AT(memory.swap), .note = "bytes", NO_CGROUP},
    {"kernel", .type = OCI_INT, AT(memory.kernel), .note = "bytes", NO_CGROUP},
    {"kernelTCP", .type = OCI_INT, AT(memory.kernel_tcp), .note = "bytes", NO_CGROUP},
    {"swappiness", .type = OCI_UINT, .max = 100, AT(memory.swappiness), .note = "percent",
     NO_CGROUP},
    {"disableOOMKiller", .type = OCI_BOOL, AT(memory.disable_oom_killer), NO_CGROUP},
    {"useHierarchy", .type = OCI_BOOL, AT(memory.use_hierarchy), NO_CGROUP},
    {"checkBeforeUpdate", .type = OCI_BOOL, AT(memory.check_before_update), NO_CGROUP},
    END,
};

static const struct oci_field priority_fields[] = {
    {"name", .type = OCI_STRING, .flags = OCI_REQUIRED, IN(oci_interface_priority, name),
     .is_valid = oci_value_is_interface,
     .shape = "a name of a network interface: 1 to 15 characters, no '/', ':' or space",
     .note = "the interface"},
    {"priority", .type = OCI_UINT, UINT32, .flags = OCI_REQUIRED,
     IN(oci_interface_priority, priority), .note = "the priority of its traffic"},
    END,
};

static const struct oci_field network_fields[] = {
    {"classID", .type = OCI_UINT, UINT32, AT(network.class_id), NO_CGROUP},
    {"priorities", .type = OCI_OBJECTS, .fields = priority_fields, AT(network.priorities),
     .size = sizeof(struct oci_interface_priority), NO_CGROUP},
    END,
};

static const struct oci_field rdma_fields[] = {
    {"hcaHandles", .type = OCI_UINT, UINT32, IN(oci_rdma, hca_handles)},
    {"hcaObjects", .type = OCI_UINT, UINT32, IN(oci_rdma, hca_objects)},
    END,
};

const struct oci_field oci_fields_resources[] = {
    {"unified", .type = OCI_MAP, AT(unified), .note = "a cgroup's file", NO_CGROUP},
    {"devices", .type = OCI_OBJECTS, .fields = device_rule_fields, AT(devices),
     .size = sizeof(struct oci_device_rule), .fate = OCI_IGNORED,
     .tells = "what the container may open its engine decides; a rule without w makes a disk "
              "read-only"},
    {"pids", .type = OCI_OBJECT, .fields = pids_fields, NO_CGROUP},
    {"blockIO", .type = OCI_OBJECT, .fields = block_io_fields},
    {"cpu", .type = OCI_OBJECT, .fields = cpu_fields},
    {"hugepageLimits", .type = OCI_OBJECTS, .fields = hugepage_fields, AT(hugepage_limits),
     .size = sizeof(struct oci_hugepage_limit), .fate = OCI_IGNORED,
     .tells = "the limit is the engine's; huge pages are used where the setting hugepages asks for "
              "them, and must fit it",
     .judge = oci_judge_hugepage_limits},
    {"memory", .type = OCI_OBJECT, .fields = memory_fields},
    {"network", .type = OCI_OBJECT, .fields = network_fields, NO_CGROUP},
    {"rdma", .type = OCI_OBJECT_MAP, .fields = rdma_fields, AT(rdma),
     .size = sizeof(struct oci_rdma), NO_CGROUP},
    END,
};
