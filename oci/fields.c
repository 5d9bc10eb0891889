// SPDX-License-Identifier: LGPL-2.1-or-later
#include "oci/fields_row.h"

#define AT(member) .offset = G_STRUCT_OFFSET(struct oci_config, member)

/* config.md, "Root" */
static const struct oci_field root_fields[] = {
    {"path", .type = OCI_STRING, .flags = OCI_REQUIRED | OCI_BUNDLE_PATH, AT(root.path),
     .note = "the directory of the container's root file system"},
    {"readonly", .type = OCI_BOOL, AT(root.readonly)},
    END,
};

const struct oci_field oci_fields_id_mapping[] = {
    {"containerID", .type = OCI_UINT, .flags = OCI_REQUIRED, UINT32,
     IN(oci_id_mapping, container_id), .note = "the first id inside"},
    {"hostID", .type = OCI_UINT, .flags = OCI_REQUIRED, UINT32, IN(oci_id_mapping, host_id),
     .note = "the first id outside"},
    {"size", .type = OCI_UINT, .flags = OCI_REQUIRED, UINT32, IN(oci_id_mapping, size),
     .note = "how many ids"},
    END,
};

/* config.md, "Mounts" */
static const struct oci_field mount_fields[] = {
    {"destination", .type = OCI_STRING, .flags = OCI_REQUIRED, IN(oci_mount, destination),
     .note = "where in the container it is to be seen"},
    {"source", .type = OCI_STRING, .flags = OCI_EMPTY_IS_UNSET, IN(oci_mount, source)},
    {"type", .type = OCI_STRING, .flags = OCI_EMPTY_IS_UNSET, IN(oci_mount, type)},
    {"options", .type = OCI_STRINGS, IN(oci_mount, options)},
    {"uidMappings", .type = OCI_OBJECTS, IN(oci_mount, uid_mappings),
     .fields = oci_fields_id_mapping, .size = sizeof(struct oci_id_mapping)},
    {"gidMappings", .type = OCI_OBJECTS, IN(oci_mount, gid_mappings),
     .fields = oci_fields_id_mapping, .size = sizeof(struct oci_id_mapping)},
    END,
};

/* config.md, "POSIX-platform Hooks" */
static const struct oci_field hook_fields[] = {
    {"path", .type = OCI_STRING, .flags = OCI_REQUIRED | OCI_ABSOLUTE | OCI_OUR_FILE,
     IN(oci_hook, path), .note = "the program to run"},
    {"args", .type = OCI_STRINGS, IN(oci_hook, args)},
    {"env", .type = OCI_STRINGS, IN(oci_hook, env)},
    {"timeout", .type = OCI_INT, .least = 1, .most = G_MAXINT32, IN(oci_hook, timeout),
     .note = "seconds"},
    END,
};

#define HOOKS(name, kind, ...)                                                                     \
    [kind] = {name,                                                                                \
              .type = OCI_OBJECTS,                                                                 \
              .fields = hook_fields,                                                               \
              .size = sizeof(struct oci_hook),                                                     \
              AT(hooks[kind]),                                                                     \
              __VA_ARGS__}

const struct oci_field oci_fields_hooks[] = {
    HOOKS("prestart", OCI_HOOK_PRESTART, .fate = OCI_HONOURED,
          .tells = "run when QEMU is there, before the guest runs"),
    HOOKS("createRuntime", OCI_HOOK_CREATE_RUNTIME, .fate = OCI_HONOURED,
          .tells = "run after the prestart hooks"),
    HOOKS("createContainer", OCI_HOOK_CREATE_CONTAINER, .fate = OCI_HONOURED,
          .tells = "run after the createRuntime hooks"),
    HOOKS("startContainer", OCI_HOOK_START_CONTAINER, .flags = OCI_ONLY_EMPTY,
          .note = "these hooks run inside the container, which would take a guest init; run them "
                  "beside the VM, as createContainer hooks, or from the guest's own system",
          .fate = OCI_GUEST_INIT, .tells = "the hooks run inside the container"),
    HOOKS("poststart", OCI_HOOK_POSTSTART, .fate = OCI_HONOURED,
          .tells = "run as soon as the guest runs"),
    HOOKS("poststop", OCI_HOOK_POSTSTOP, .fate = OCI_HONOURED, .tells = "run when all is over"),
    [OCI_HOOK_KINDS] = END,
};

static const char *const image_formats[] = {"raw", "qcow2", "vdi", "vmdk", "vhd", NULL};

#define XEN_ONLY "it describes hardware passed through by Xen, which QEMU does not do"

/* config-vm.md */
static const struct oci_field hypervisor_fields[] = {
    {"path", .type = OCI_STRING,
     .flags = OCI_REQUIRED | OCI_ABSOLUTE | OCI_OUR_FILE | OCI_EMPTY_IS_UNSET,
     AT(vm.hypervisor.path), .note = "the path of QEMU", .fate = OCI_HONOURED,
     .tells = "the QEMU that runs the VM"},
    {"parameters", .type = OCI_STRINGS, AT(vm.hypervisor.parameters), .fate = OCI_HONOURED,
     .tells = "arguments at the end of QEMU's command line"},
    END,
};

static const struct oci_field kernel_fields[] = {
    {"path", .type = OCI_STRING,
     .flags = OCI_REQUIRED | OCI_ABSOLUTE | OCI_OUR_FILE | OCI_EMPTY_IS_UNSET, AT(vm.kernel.path),
     .note = "the path of the kernel", .fate = OCI_HONOURED, .tells = "the kernel that QEMU boots"},
    {"parameters", .type = OCI_STRINGS, AT(vm.kernel.parameters), .fate = OCI_HONOURED,
     .tells = "the kernel's command line; without a console= the serial console is added"},
    {"initrd", .type = OCI_STRING, .flags = OCI_BUNDLE_PATH | OCI_EMPTY_IS_UNSET,
     AT(vm.kernel.initrd), .fate = OCI_HONOURED, .tells = "the kernel's initial ramdisk"},
    END,
};

static const struct oci_field image_fields[] = {
    {"path", .type = OCI_STRING,
     .flags = OCI_REQUIRED | OCI_ABSOLUTE | OCI_OUR_FILE | OCI_EMPTY_IS_UNSET, AT(vm.image.path),
     .note = "the path of the disk image", .fate = OCI_HONOURED, .tells = "the first disk, vda"},
    {"format", .type = OCI_STRING, .flags = OCI_EMPTY_IS_UNSET, AT(vm.image.format),
     .words = image_formats, .fate = OCI_HONOURED, .tells = "the format of that disk"},
    END,
};

static const struct oci_field iomem_fields[] = {
    {"firstGFN", .type = OCI_UINT, IN(oci_iomem, first_gfn)},
    {"firstMFN", .type = OCI_UINT, .flags = OCI_REQUIRED, IN(oci_iomem, first_mfn),
     .note = "the first page"},
    {"nrMFNs", .type = OCI_UINT, .flags = OCI_REQUIRED, IN(oci_iomem, nr_mfns),
     .note = "how many pages"},
    END,
};

static const struct oci_field hw_fields[] = {
    {"deviceTree", .type = OCI_STRING, .flags = OCI_BUNDLE_PATH | OCI_EMPTY_IS_UNSET,
     AT(vm.hw.device_tree), .fate = OCI_HONOURED, .tells = "the device tree blob",
     .judge = oci_judge_device_tree},
    {"vcpus", .type = OCI_UINT, AT(vm.hw.vcpus), .min = 1, .max = OCI_MAX_CPUS,
     .note = "how many CPUs", .fate = OCI_HONOURED, .tells = "the number of CPUs",
     .judge = oci_judge_vcpus},
    {"memory", .type = OCI_UINT, AT(vm.hw.memory), .min = 1, .note = "bytes", .fate = OCI_HONOURED,
     .tells = "the size of the memory", .judge = oci_judge_memory},
    {"dtdevs", .type = OCI_STRINGS, .flags = OCI_ONLY_EMPTY, AT(vm.hw.dtdevs), .note = XEN_ONLY,
     .fate = OCI_IMPOSSIBLE, .tells = XEN_ONLY},
    {"iomems", .type = OCI_OBJECTS, .flags = OCI_ONLY_EMPTY, AT(vm.hw.iomems), .note = XEN_ONLY,
     .fields = iomem_fields, .size = sizeof(struct oci_iomem), .fate = OCI_IMPOSSIBLE,
     .tells = XEN_ONLY},
    {"irqs", .type = OCI_UINTS, .flags = OCI_ONLY_EMPTY, UINT32, AT(vm.hw.irqs), .note = XEN_ONLY,
     .fate = OCI_IMPOSSIBLE, .tells = XEN_ONLY},
    END,
};

static const struct oci_field vm_fields[] = {
    {"hypervisor", .type = OCI_OBJECT, .fields = hypervisor_fields},
    {"kernel", .type = OCI_OBJECT, .fields = kernel_fields},
    {"image", .type = OCI_OBJECT, .fields = image_fields},
    /* The spec says hwConfig, its Go types write hwconfig. */
    {"hwConfig", "hwconfig", .type = OCI_OBJECT, .fields = hw_fields},
    END,
};

#define FOREIGN(name)                                                                              \
    {                                                                                              \
        name, .type = OCI_FOREIGN, .fate = OCI_IGNORED, .tells = "it is for another platform"      \
    }

/* config.md */
const struct oci_field oci_fields_config[] = {
    {"ociVersion", .type = OCI_STRING, .flags = OCI_REQUIRED, AT(version),
     .is_valid = oci_value_is_semver,
     .shape = "a version of the form MAJOR.MINOR.PATCH, such as \"1.3.0\" (Semantic Versioning "
              "2.0.0)",
     .note = "the version of the OCI runtime-spec, \"1.3.0\" for example", .fate = OCI_HONOURED,
     .tells = "the version that the file is read by: any 1.x.y"},
    {"hostname", .type = OCI_STRING, .flags = OCI_EMPTY_IS_UNSET, AT(hostname),
     .is_valid = oci_value_is_host_name,
     .shape =
         "a host name: at most 64 letters, digits, '-', '_' and '.', and neither '-' nor '.' in "
         "front",
     .fate = OCI_HONOURED,
     .tells = "with vm.kernel, as its parameter systemd.hostname=; a disk that boots itself is "
              "told by cloud-init's data and a system credential of systemd",
     .judge = oci_judge_hostname},
    {"domainname", .type = OCI_STRING, .flags = OCI_EMPTY_IS_UNSET, AT(domainname),
     .is_valid = oci_value_is_host_name,
     .shape =
         "a domain name: at most 64 letters, digits, '-', '_' and '.', and neither '-' nor '.' in "
         "front",
     .fate = OCI_GUEST_INIT, .tells = "the guest names itself"},
    {"annotations", .type = OCI_MAP, .flags = OCI_EACH, AT(annotations), .note = "an annotation",
     .fate = OCI_HONOURED,
     .tells = "org.ocivirt.* are settings; all others are kept as metadata in the domain XML",
     .judge = oci_judge_annotation},
    {"vm", .type = OCI_OBJECT, .fields = vm_fields},
    {"process", .type = OCI_OBJECT, .fields = oci_fields_process},
    {"root", .type = OCI_OBJECT, .fields = root_fields, .fate = OCI_IGNORED,
     .tells = "the VM boots a root file system of its own"},
    {"mounts", .type = OCI_OBJECTS, .flags = OCI_EACH, .fields = mount_fields, AT(mounts),
     .size = sizeof(struct oci_mount), .fate = OCI_HONOURED,
     .tells = "below /dev/ a disk; else a folder is shared by virtiofs, and a file is copied; the "
              "guest mounts its own /proc, /sys, /dev and the like",
     .judge = oci_judge_mount},
    {"hooks", .type = OCI_OBJECT, .fields = oci_fields_hooks},
    {"linux", .type = OCI_OBJECT, .fields = oci_fields_linux},
    FOREIGN("solaris"),
    FOREIGN("windows"),
    FOREIGN("freebsd"),
    FOREIGN("zos"),
    END,
};

const struct oci_field *oci_fields_find(const struct oci_field *fields, const char *name)
{
    for (const struct oci_field *field = fields; field->name != NULL; field++) {
        if (g_str_equal(field->name, name) || g_strcmp0(field->alias, name) == 0) {
            return field;
        }
    }
    return NULL;
}
