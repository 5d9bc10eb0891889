// SPDX-License-Identifier: LGPL-2.1-or-later

/* Any bytes as config.json, on any host: what is accepted becomes a domain that a parser takes. */

#include "src/vm/domain_xml.h"
#include "tests/fuzz/examine.h"
#include "tests/fuzz/fuzz.h"

#include <libxml/parser.h>
#include <string.h>

const struct oci_field *const fuzz_fields = oci_fields_config;

#define MIB ((guint64)1 << 20)
#define GROUPS 3
#define BLOCK_DEVICES 4

struct surroundings {
    struct oci_host host;
    struct cpulist cpus, nodes;
    struct vm_pci_device devices[GROUPS];
    struct oci_vfio_group groups[GROUPS];
    struct oci_location block_devices[BLOCK_DEVICES];
};

static struct oci_location take_location(struct fuzz_input *input)
{
    guint64 device = fuzz_take(input, 1), disk = fuzz_take(input, 1);
    return (struct oci_location){device != 0, {device >> 4, device & 15}, {disk >> 4, disk & 15}};
}

static guint64 take_memory_limit(struct fuzz_input *input)
{
    guint64 choice = fuzz_take(input, 1);
    return choice < 128 ? choice * 64 * MIB : fuzz_take(input, 8);
}

/* One device a group, but for the last, which has none. */
static void take_groups(struct fuzz_input *input, struct surroundings *s)
{
    for (gsize i = 0; i < GROUPS; i++) {
        s->devices[i] = (struct vm_pci_device){fuzz_take(input, 2), fuzz_take(input, 1), i, 7};
        s->groups[i] = (struct oci_vfio_group){i, &s->devices[i], i + 1 < GROUPS};
    }
    s->host.vfio_groups = s->groups;
    s->host.vfio_group_count = GROUPS;
}

static void surroundings_init(struct surroundings *s, struct fuzz_input *input)
{
    static const char *const models[] = {NULL, "selinux", "apparmor", "dac"};
    memset(s, 0, sizeof(*s));
    guint64 bits = fuzz_take(input, 1);
    s->host = (struct oci_host){
        .arch = bits & 1 ? VM_ARCH_AARCH64 : VM_ARCH_X86_64,
        .accel = bits & 2 ? VM_ACCEL_KVM : VM_ACCEL_TCG,
        .security_model = models[bits >> 2 & 3],
        .may_set_memory_policy = !(bits & 16),
        .launcher = bits & 64 ? "/proc/self/exe" : NULL,
        .cpus = 1 + fuzz_take(input, 2),
        .memory_limit = take_memory_limit(input),
        .emulator = "/usr/bin/qemu",
        .id = "fuzz",
        .root = "/root",
        .image = {.block = bits & 32, .location = take_location(input)},
        .overlays = take_location(input),
    };
    s->cpus.bits[0] = fuzz_take(input, 1);
    s->nodes.bits[0] = fuzz_take(input, 1);
    s->host.allowed_cpus = s->cpus.bits[0] != 0 ? &s->cpus : NULL;
    s->host.nodes = s->nodes.bits[0] != 0 ? &s->nodes : NULL;
    take_groups(input, s);
    for (gsize i = 0; i < BLOCK_DEVICES; i++) {
        s->block_devices[i] = take_location(input);
    }
    s->host.block_devices = s->block_devices;
    s->host.block_device_count = BLOCK_DEVICES;
}

/* No host device is two disks. */
static void examine_disks(const struct vm_spec *spec)
{
    g_assert(spec->disks->len <= VM_DISKS_MAX);
    for (guint i = 0; i < spec->disks->len; i++) {
        const struct vm_disk *disk = g_ptr_array_index(spec->disks, i);
        g_assert(disk->serial == NULL || *disk->serial != '\0');
        for (guint k = 0; k < i; k++) {
            const struct vm_disk *other = g_ptr_array_index(spec->disks, k);
            g_assert(!disk->block || !other->block || disk->location.major == 0 ||
                     disk->location.major != other->location.major ||
                     disk->location.minor != other->location.minor);
        }
    }
}

static void examine_spec(const struct vm_spec *spec, const struct oci_host *host)
{
    guint64 bytes = spec->memory_kib * 1024;
    g_assert(spec->memory_kib >= 16 * 1024 && spec->memory_kib % 1024 == 0);
    g_assert(spec->vcpus >= 1 && spec->vcpus <= OCI_MAX_CPUS);
    examine_disks(spec);
    g_assert(spec->kernel != NULL || spec->disks->len > 0);
    /* Huge pages round up past what was checked against the limit. */
    g_assert(host->memory_limit == 0 || spec->hugepage_kib > 0 ||
             bytes + oci_translate_overhead(bytes, host->accel) <= host->memory_limit);
}

static void examine_domain(const struct vm_spec *spec)
{
    g_autofree char *text = domain_xml(spec);
    xmlDoc *doc = xmlReadMemory(text, strlen(text), "domain.xml", NULL,
                                XML_PARSE_NONET | XML_PARSE_HUGE | XML_PARSE_NOERROR);
    g_assert(doc != NULL);
    xmlFreeDoc(doc);
}

static void translate(const struct oci_document *document, struct fuzz_input *input,
                      struct oci_problems *problems)
{
    g_autoptr(oci_config) config = oci_config_decode(document, "/bundle", problems);
    g_autoptr(GPtrArray) warnings = g_ptr_array_new_with_free_func(g_free);
    g_autoptr(vm_spec) spec = NULL;
    struct oci_settings settings;
    struct surroundings s;
    oci_settings_init(&settings, config, input->environment, problems, warnings);
    surroundings_init(&s, input);
    if (!oci_problems_any(problems)) {
        spec = oci_translate(config, &settings, &s.host, problems);
        g_assert((spec == NULL) == oci_problems_any(problems));
    }
    if (spec != NULL) {
        examine_spec(spec, &s.host);
        examine_domain(spec);
    }
    examine_problems(problems);
    const struct oci_situation situation = {config, &settings, &s.host, spec};
    examine_report(document, &situation, problems);
    oci_settings_finish(&settings);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    return fuzz_run_json(data, size, translate);
}
