// SPDX-License-Identifier: LGPL-2.1-or-later
#include "oci/config.h"
#include "oci/decode.h"
#include "oci/document.h"
#include "oci/rules.h"

#define AT(member) .offset = G_STRUCT_OFFSET(struct oci_config, member)

static const char *const image_formats[] = {"raw", "qcow2", "vdi", "vmdk", "vhd", NULL};

#define XEN_ONLY "it describes hardware passed through by Xen, which QEMU does not do"

/* config-vm.md: "Virtual-machine-specific Container Configuration" */
static const struct oci_field hypervisor_fields[] = {
    {"path", .type = OCI_STRING, .flags = OCI_REQUIRED | OCI_ABSOLUTE | OCI_EMPTY_IS_UNSET,
     AT(vm.hypervisor.path), .note = "the path of QEMU"},
    {"parameters", .type = OCI_STRINGS, AT(vm.hypervisor.parameters)},
    {.name = NULL},
};

static const struct oci_field kernel_fields[] = {
    {"path", .type = OCI_STRING, .flags = OCI_REQUIRED | OCI_ABSOLUTE | OCI_EMPTY_IS_UNSET,
     AT(vm.kernel.path), .note = "the path of the kernel"},
    {"parameters", .type = OCI_STRINGS, AT(vm.kernel.parameters)},
    {"initrd", .type = OCI_STRING, .flags = OCI_BUNDLE_PATH | OCI_EMPTY_IS_UNSET,
     AT(vm.kernel.initrd)},
    {.name = NULL},
};

static const struct oci_field image_fields[] = {
    {"path", .type = OCI_STRING, .flags = OCI_REQUIRED | OCI_ABSOLUTE | OCI_EMPTY_IS_UNSET,
     AT(vm.image.path), .note = "the path of the disk image"},
    {"format", .type = OCI_STRING, .flags = OCI_EMPTY_IS_UNSET, AT(vm.image.format),
     .words = image_formats},
    {.name = NULL},
};

static const struct oci_field hw_fields[] = {
    {"deviceTree", .type = OCI_STRING, .flags = OCI_BUNDLE_PATH | OCI_EMPTY_IS_UNSET,
     AT(vm.hw.device_tree)},
    {"vcpus", .type = OCI_UINT, AT(vm.hw.vcpus), .min = 1, .max = OCI_MAX_CPUS},
    {"memory", .type = OCI_UINT, AT(vm.hw.memory), .min = 1, .max = G_MAXUINT64},
    {"dtdevs", .type = OCI_UNSUPPORTED, .note = XEN_ONLY},
    {"iomems", .type = OCI_UNSUPPORTED, .note = XEN_ONLY},
    {"irqs", .type = OCI_UNSUPPORTED, .note = XEN_ONLY},
    {.name = NULL},
};

static const struct oci_field vm_fields[] = {
    {"hypervisor", .type = OCI_OBJECT, .fields = hypervisor_fields},
    {"kernel", .type = OCI_OBJECT, .fields = kernel_fields},
    {"image", .type = OCI_OBJECT, .fields = image_fields},
    /* The spec says hwConfig, its Go types write hwconfig. */
    {"hwConfig", "hwconfig", .type = OCI_OBJECT, .fields = hw_fields},
    {.name = NULL},
};

/* config-linux.md: "Control groups" */
static const struct oci_field cpu_fields[] = {
    {"quota", .type = OCI_INT, AT(resources.cpu.quota)},
    {"period", .type = OCI_UINT, AT(resources.cpu.period), .min = 0, .max = G_MAXUINT64},
    {"cpus", .type = OCI_STRING, .flags = OCI_EMPTY_IS_UNSET, AT(resources.cpu.cpus)},
    {.name = NULL},
};

static const struct oci_field memory_fields[] = {
    {"limit", .type = OCI_INT, AT(resources.memory.limit)},
    {.name = NULL},
};

static const struct oci_field resources_fields[] = {
    {"cpu", .type = OCI_OBJECT, .fields = cpu_fields},
    {"memory", .type = OCI_OBJECT, .fields = memory_fields},
    {.name = NULL},
};

static const struct oci_field linux_fields[] = {
    {"resources", .type = OCI_OBJECT, .fields = resources_fields},
    {.name = NULL},
};

/* config.md */
static const struct oci_field config_fields[] = {
    {"ociVersion", .type = OCI_STRING, .flags = OCI_REQUIRED, AT(version),
     .note = "the version of the OCI runtime-spec, \"1.3.0\" for example"},
    {"hostname", .type = OCI_STRING, .flags = OCI_EMPTY_IS_UNSET, AT(hostname)},
    {"annotations", .type = OCI_ANNOTATIONS, AT(annotations)},
    {"vm", .type = OCI_OBJECT, .fields = vm_fields},
    {"linux", .type = OCI_OBJECT, .fields = linux_fields},
    {.name = NULL},
};

struct oci_config *oci_config_decode(const struct oci_document *document, const char *bundle,
                                     struct oci_problems *problems)
{
    struct oci_config *config = g_new0(struct oci_config, 1);
    struct oci_decoder decoder = {document, bundle, problems};
    oci_decode(&decoder, document->root, "", config_fields, config);
    if (config->annotations == NULL) {
        config->annotations = g_ptr_array_new();
    }
    json_t *vm = json_object_get(document->root, "vm");
    bool go = !json_is_object(json_object_get(vm, "hwConfig")) &&
              json_is_object(json_object_get(vm, "hwconfig"));
    config->vm.hw.path = go ? "vm.hwconfig" : "vm.hwConfig";
    oci_rules_check(config, problems);
    return config;
}

void oci_config_free(struct oci_config *config)
{
    if (config != NULL) {
        oci_decode_clear(config_fields, config);
        g_free(config);
    }
}
