// SPDX-License-Identifier: LGPL-2.1-or-later
#include "oci/fields_row.h"

#include <string.h>

/* config.md, "Process" */

#define AT(member) .offset = G_STRUCT_OFFSET(struct oci_config, process.member)
#define BOOTS_ITSELF "the VM boots what its kernel or disk boots, and runs no process of a bundle"
#define GUEST_PROCESS .fate = OCI_GUEST_INIT, .tells = BOOTS_ITSELF

static const struct oci_field console_size_fields[] = {
    {"height", .type = OCI_UINT, .flags = OCI_REQUIRED, AT(console_size.height),
     .note = "the number of lines"},
    {"width", .type = OCI_UINT, .flags = OCI_REQUIRED, AT(console_size.width),
     .note = "the number of columns"},
    END,
};

static const struct oci_field user_fields[] = {
    {"uid", .type = OCI_UINT, UINT32, AT(user.uid)},
    {"gid", .type = OCI_UINT, UINT32, AT(user.gid)},
    {"umask", .type = OCI_UINT, UINT32, AT(user.umask)},
    {"additionalGids", .type = OCI_UINTS, UINT32, AT(user.additional_gids)},
    {"username", .type = OCI_STRING, AT(user.username)},
    END,
};

static const struct oci_field capabilities_fields[] = {
    {"bounding", .type = OCI_STRINGS, AT(capabilities.bounding)},
    {"permitted", .type = OCI_STRINGS, AT(capabilities.permitted)},
    {"effective", .type = OCI_STRINGS, AT(capabilities.effective)},
    {"inheritable", .type = OCI_STRINGS, AT(capabilities.inheritable)},
    {"ambient", .type = OCI_STRINGS, AT(capabilities.ambient)},
    END,
};

static const struct oci_field rlimit_fields[] = {
    {"type", .type = OCI_STRING, .flags = OCI_REQUIRED, IN(oci_rlimit, type),
     .words = oci_value_rlimits, .note = "the resource, \"RLIMIT_NOFILE\" for example"},
    {"soft", .type = OCI_UINT, .flags = OCI_REQUIRED, IN(oci_rlimit, soft),
     .note = "the limit that is in force"},
    {"hard", .type = OCI_UINT, .flags = OCI_REQUIRED, IN(oci_rlimit, hard),
     .note = "the most that soft may become"},
    END,
};

static const struct oci_field io_priority_fields[] = {
    {"class", .type = OCI_STRING, .flags = OCI_REQUIRED, AT(io_priority.class),
     .words = oci_value_io_classes, .note = "\"IOPRIO_CLASS_BE\" for example"},
    {"priority", .type = OCI_INT, .least = 0, .most = 7, AT(io_priority.priority)},
    END,
};

static const char *const scheduler_flags[] = {
    "SCHED_FLAG_RESET_ON_FORK",  "SCHED_FLAG_RECLAIM",
    "SCHED_FLAG_DL_OVERRUN",     "SCHED_FLAG_KEEP_POLICY",
    "SCHED_FLAG_KEEP_PARAMS",    "SCHED_FLAG_UTIL_CLAMP_MIN",
    "SCHED_FLAG_UTIL_CLAMP_MAX", NULL};

static const struct oci_field scheduler_fields[] = {
    {"policy", .type = OCI_STRING, .flags = OCI_REQUIRED, AT(scheduler.policy),
     .words = oci_value_policies, .note = "\"SCHED_OTHER\" for example"},
    {"nice", .type = OCI_INT, .least = -20, .most = 19, AT(scheduler.nice)},
    {"priority", .type = OCI_INT, .least = 0, .most = 99, AT(scheduler.priority)},
    {"flags", .type = OCI_STRINGS, AT(scheduler.flags), .words = scheduler_flags},
    {"runtime", .type = OCI_UINT, AT(scheduler.runtime), .note = "ns"},
    {"deadline", .type = OCI_UINT, AT(scheduler.deadline), .note = "ns"},
    {"period", .type = OCI_UINT, AT(scheduler.period), .note = "ns"},
    END,
};

static const struct oci_field affinity_fields[] = {
    {"initial", .type = OCI_STRING, AT(exec_cpu_affinity.initial),
     .is_valid = oci_value_is_loose_cpu_list, .shape = CPU_LIST},
    {"final", .type = OCI_STRING, AT(exec_cpu_affinity.final),
     .is_valid = oci_value_is_loose_cpu_list, .shape = CPU_LIST},
    END,
};

const struct oci_field oci_fields_process[] = {
    {"terminal", .type = OCI_BOOL, AT(terminal), .fate = OCI_HONOURED,
     .tells = "true: the guest's console takes the terminal; false: it leaves a terminal as it is",
     .judge = oci_judge_terminal},
    {"consoleSize", .type = OCI_OBJECT, .fields = console_size_fields, .fate = OCI_IGNORED,
     .tells = "a serial console has no size"},
    {"user", .type = OCI_OBJECT, .fields = user_fields, GUEST_PROCESS},
    {"args", .type = OCI_STRINGS, .flags = OCI_REQUIRED | OCI_NOT_EMPTY, AT(args),
     .note = "the program to run, and its arguments", GUEST_PROCESS},
    {"commandLine", .type = OCI_STRING, AT(command_line), .fate = OCI_IGNORED,
     .tells = "it is for Windows"},
    {"env", .type = OCI_STRINGS, AT(env), GUEST_PROCESS},
    {"cwd", .type = OCI_STRING, .flags = OCI_REQUIRED | OCI_ABSOLUTE, AT(cwd),
     .note = "the directory to run in, \"/\" for example", GUEST_PROCESS},
    {"capabilities", .type = OCI_OBJECT, .fields = capabilities_fields, GUEST_PROCESS},
    {"rlimits", .type = OCI_OBJECTS, .flags = OCI_EACH, .fields = rlimit_fields, AT(rlimits),
     .size = sizeof(struct oci_rlimit), .fate = OCI_HONOURED,
     .tells = "a limit of the QEMU process; no higher than the container's own",
     .judge = oci_judge_rlimit},
    {"noNewPrivileges", .type = OCI_BOOL, AT(no_new_privileges), .fate = OCI_HONOURED,
     .tells = "always set on QEMU, even where this is false"},
    {"apparmorProfile", .type = OCI_STRING, .flags = OCI_EMPTY_IS_UNSET, AT(apparmor_profile),
     .fate = OCI_HONOURED, .tells = "the profile of QEMU: <seclabel>, where libvirt may set it",
     .judge = oci_judge_apparmor},
    {"oomScoreAdj", .type = OCI_INT, .least = -1000, .most = 1000, AT(oom_score_adj),
     .fate = OCI_HONOURED, .tells = "of the QEMU process; lowering it takes CAP_SYS_RESOURCE"},
    {"selinuxLabel", .type = OCI_STRING, .flags = OCI_EMPTY_IS_UNSET, AT(selinux_label),
     .fate = OCI_HONOURED, .tells = "the label of QEMU: <seclabel>, where libvirt may set it",
     .judge = oci_judge_selinux},
    {"ioPriority", .type = OCI_OBJECT, .fields = io_priority_fields, .fate = OCI_HONOURED,
     .tells = "of the QEMU process"},
    {"scheduler", .type = OCI_OBJECT, .fields = scheduler_fields, .fate = OCI_HONOURED,
     .tells =
         "of the QEMU process: policy, priority and nice; SCHED_DEADLINE and SCHED_ISO are refused",
     .judge = oci_judge_scheduler},
    {"execCPUAffinity", .type = OCI_OBJECT, .fields = affinity_fields, .fate = OCI_IGNORED,
     .tells = "it is for processes that join a running container"},
    END,
};
