// SPDX-License-Identifier: LGPL-2.1-or-later

/*
 * A VM whose every string is made of the input's bytes: its XML must parse, and give the strings
 * back, but for what XML cannot hold (domain_xml.h).
 */

#include "src/vm/domain_xml.h"
#include "tests/fuzz/fuzz.h"

#include <libxml/parser.h>
#include <string.h>

const struct oci_field *const fuzz_fields = NULL;

/* A byte of length, and as many bytes; NULL where that is 0xff, or the input is at its end. */
static char *take_string(struct fuzz_input *input)
{
    if (input->left == 0) {
        return NULL;
    }
    gsize length = fuzz_take(input, 1);
    if (length == 0xff) {
        return NULL;
    }
    length = MIN(length, input->left);
    char *string = g_strndup((const char *)input->rest, length);
    input->rest += length;
    input->left -= length;
    return string;
}

static char *take_required(struct fuzz_input *input)
{
    char *string = take_string(input);
    return string != NULL ? string : g_strdup("");
}

static void take_disks(struct fuzz_input *input, struct vm_spec *spec)
{
    for (guint64 n = fuzz_take(input, 1) % 4; n > 0; n--) {
        g_autofree char *image = take_required(input);
        g_autofree char *format = take_required(input);
        struct vm_disk *disk = vm_spec_add_disk(spec, image, format);
        guint64 bits = fuzz_take(input, 1);
        disk->block = bits & 1;
        disk->readonly = bits & 2;
        disk->overlay = bits & 4 ? take_string(input) : NULL;
        disk->serial = take_string(input);
        disk->throttle.read_bytes = bits & 8 ? fuzz_take(input, 8) : 0;
    }
}

static void take_lists(struct fuzz_input *input, struct vm_spec *spec)
{
    g_autoptr(GStrvBuilder) args = g_strv_builder_new();
    for (guint64 n = fuzz_take(input, 1) % 4; n > 0; n--) {
        g_autofree char *arg = take_required(input);
        g_strv_builder_add(args, arg);
    }
    spec->emulator_args = g_strv_builder_end(args);
    for (guint64 n = fuzz_take(input, 1) % 4; n > 0; n--) {
        g_autofree char *key = take_required(input);
        g_autofree char *value = take_required(input);
        vm_spec_add_metadata(spec, key, value);
    }
    for (guint64 n = fuzz_take(input, 1) % 3; n > 0; n--) {
        struct vm_pci_device device = {fuzz_take(input, 2), fuzz_take(input, 1),
                                       fuzz_take(input, 1), fuzz_take(input, 1)};
        g_array_append_val(spec->pci_devices, device);
    }
}

static struct vm_spec *take_spec(struct fuzz_input *input)
{
    struct vm_spec *spec = vm_spec_new();
    guint64 bits = fuzz_take(input, 1);
    spec->arch = bits & 1 ? VM_ARCH_AARCH64 : VM_ARCH_X86_64;
    spec->accel = bits & 2 ? VM_ACCEL_KVM : VM_ACCEL_TCG;
    spec->exit_on_reboot = bits & 4;
    spec->numa_mode = (bits >> 3 & 3) % 3;
    spec->hugepage_kib = bits & 32 ? 2048 : 0;
    spec->vcpus = fuzz_take(input, 1);
    spec->memory_kib = fuzz_take(input, 8);
    spec->name = take_required(input);
    spec->uuid = take_string(input);
    spec->machine = take_string(input);
    spec->cpu_model = take_string(input);
    spec->emulator = take_required(input);
    spec->launcher = take_string(input);
    spec->cpuset = take_string(input);
    spec->numa_nodes = take_string(input);
    spec->kernel = take_string(input);
    spec->initrd = take_string(input);
    spec->cmdline = take_string(input);
    spec->device_tree = take_string(input);
    spec->security_model = take_string(input);
    spec->security_label = take_required(input);
    spec->console_socket = take_required(input);
    spec->agent_socket = take_required(input);
    spec->exit_pipe = take_required(input);
    take_disks(input, spec);
    take_lists(input, spec);
    return spec;
}

static bool is_char(gunichar c)
{
    return c >= 0x20 ? c != 0xfffe && c != 0xffff : c == '\t' || c == '\n' || c == '\r';
}

/* What must come back: U+FFFD for each byte that is no UTF-8, and for what is no XML character. */
static char *replaced(const char *string)
{
    GString *out = g_string_new(NULL);
    const char *end = string + strlen(string);
    while (string < end) {
        gunichar c = g_utf8_get_char_validated(string, end - string);
        bool valid = c != (gunichar)-1 && c != (gunichar)-2;
        g_string_append_unichar(out, valid && is_char(c) ? c : 0xfffd);
        string = valid ? g_utf8_next_char(string) : string + 1;
    }
    return g_string_free(out, FALSE);
}

static void expect_equal(const char *string, xmlChar *actual)
{
    g_autofree char *expected = string != NULL ? replaced(string) : NULL;
    g_assert(g_strcmp0((const char *)actual, expected) == 0);
    xmlFree(actual);
}

/* Child number @index of those that are called @name. */
static xmlNode *find(xmlNode *parent, const char *name, guint index)
{
    for (xmlNode *node = parent != NULL ? parent->children : NULL; node != NULL;
         node = node->next) {
        if (node->type == XML_ELEMENT_NODE && g_str_equal(node->name, name) && index-- == 0) {
            return node;
        }
    }
    return NULL;
}

static void expect_text(xmlNode *parent, const char *name, const char *string)
{
    xmlNode *node = find(parent, name, 0);
    expect_equal(string, node != NULL ? xmlNodeGetContent(node) : NULL);
}

static void expect_attribute(xmlNode *node, const char *name, const char *string)
{
    expect_equal(string, node != NULL ? xmlGetProp(node, BAD_CAST name) : NULL);
}

static void expect_disks(xmlNode *devices, const struct vm_spec *spec)
{
    for (guint i = 0; i < spec->disks->len; i++) {
        const struct vm_disk *disk = g_ptr_array_index(spec->disks, i);
        xmlNode *node = find(devices, "disk", i);
        xmlNode *chain = disk->overlay != NULL ? find(node, "backingStore", 0) : node;
        const char *source = disk->block ? "dev" : "file";
        expect_attribute(find(chain, "source", 0), source, disk->image);
        if (disk->overlay != NULL) {
            expect_attribute(find(node, "source", 0), "file", disk->overlay);
            expect_attribute(find(chain, "format", 0), "type", disk->format);
        } else {
            expect_attribute(find(chain, "driver", 0), "type", disk->format);
        }
        expect_text(node, "serial", disk->serial);
    }
    g_assert(find(devices, "disk", spec->disks->len) == NULL);
}

static void expect_lists(xmlNode *domain, const struct vm_spec *spec)
{
    guint i;
    xmlNode *commandline = find(domain, "commandline", 0);
    for (i = 0; spec->emulator_args[i] != NULL; i++) {
        expect_attribute(find(commandline, "arg", i), "value", spec->emulator_args[i]);
    }
    g_assert(find(commandline, "arg", i) == NULL);
    xmlNode *annotations = find(find(domain, "metadata", 0), "annotations", 0);
    for (i = 0; i < spec->metadata->len; i++) {
        const struct vm_metadata *metadata = g_ptr_array_index(spec->metadata, i);
        xmlNode *annotation = find(annotations, "annotation", i);
        expect_attribute(annotation, "key", metadata->key);
        expect_equal(metadata->value, annotation != NULL ? xmlNodeGetContent(annotation) : NULL);
    }
    g_assert(find(annotations, "annotation", i) == NULL);
}

static void expect_spec(xmlNode *domain, const struct vm_spec *spec)
{
    xmlNode *os = find(domain, "os", 0), *devices = find(domain, "devices", 0);
    expect_text(domain, "name", spec->name);
    expect_text(domain, "uuid", spec->uuid);
    expect_attribute(find(domain, "vcpu", 0), "cpuset", spec->cpuset);
    expect_attribute(find(find(domain, "numatune", 0), "memory", 0), "nodeset", spec->numa_nodes);
    expect_text(os, "kernel", spec->kernel);
    expect_text(os, "initrd", spec->initrd);
    expect_text(os, "cmdline", spec->cmdline);
    expect_text(os, "dtb", spec->device_tree);
    expect_attribute(find(os, "type", 0), "machine",
                     spec->machine != NULL ? spec->machine : vm_arch_machine(spec->arch));
    expect_text(devices, "emulator", spec->launcher != NULL ? spec->launcher : spec->emulator);
    expect_attribute(find(find(devices, "serial", 0), "source", 0), "path", spec->console_socket);
    expect_attribute(find(find(devices, "channel", 0), "source", 0), "path", spec->agent_socket);
    expect_attribute(find(find(devices, "channel", 1), "source", 0), "path", spec->exit_pipe);
    expect_attribute(find(domain, "seclabel", 0), "model", spec->security_model);
    if (spec->security_model != NULL) {
        expect_text(find(domain, "seclabel", 0), "label", spec->security_label);
    }
    expect_disks(devices, spec);
    expect_lists(domain, spec);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input input = {.rest = data, .left = size};
    g_autoptr(vm_spec) spec = take_spec(&input);
    g_autofree char *text = domain_xml(spec);
    xmlDoc *doc = xmlReadMemory(text, strlen(text), "domain.xml", NULL,
                                XML_PARSE_NONET | XML_PARSE_HUGE | XML_PARSE_NOERROR);
    g_assert(doc != NULL);
    expect_spec(xmlDocGetRootElement(doc), spec);
    xmlFreeDoc(doc);
    return 0;
}
