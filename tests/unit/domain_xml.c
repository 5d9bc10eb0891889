// SPDX-License-Identifier: LGPL-2.1-or-later
#include "src/vm/domain_xml.h"
#include "tests/unit/expect.h"

#include <libxml/parser.h>
#include <libxml/xpath.h>
#include <libxml/xpathInternals.h>
#include <string.h>

/* What must be there for a domain at all; the golden files show whole domains. */
static struct vm_spec *new_spec(void)
{
    struct vm_spec *spec = vm_spec_new();
    spec->name = g_strdup("vm");
    spec->uuid = g_strdup("1d267732-2a1c-5fa2-89f6-949b78c515f6");
    spec->emulator = g_strdup("/q");
    spec->vcpus = 2;
    spec->memory_kib = 1024 * 1024;
    spec->console_socket = g_strdup("/r/console");
    spec->exit_pipe = g_strdup("/r/exit");
    return spec;
}

/* XPath @path in the domain of @spec, as a string: "3" for count(…), "" for what is not there. */
static char *ask(const struct vm_spec *spec, const char *path)
{
    g_autofree char *xml = domain_xml(spec);
    xmlDoc *doc = xmlReadMemory(xml, strlen(xml), NULL, NULL, XML_PARSE_NONET);
    if (doc == NULL) {
        g_test_message("not well-formed: %s", xml);
        g_test_fail();
        return NULL;
    }
    xmlXPathContext *context = xmlXPathNewContext(doc);
    xmlXPathRegisterNs(context, BAD_CAST "o", BAD_CAST DOMAIN_XML_NAMESPACE);
    xmlXPathRegisterNs(context, BAD_CAST "q",
                       BAD_CAST "http://libvirt.org/schemas/domain/qemu/1.0");
    xmlXPathObject *object = xmlXPathEvalExpression(BAD_CAST path, context);
    xmlChar *string = xmlXPathCastToString(object);
    char *answer = g_strdup((const char *)string);
    xmlFree(string);
    xmlXPathFreeObject(object);
    xmlXPathFreeContext(context);
    xmlFreeDoc(doc);
    return answer;
}

static void expect_answer(const struct vm_spec *spec, const char *path, const char *expected)
{
    g_autofree char *answer = ask(spec, path);
    expect_str(path, answer, expected);
}

static void test_minimal(void)
{
    g_autoptr(vm_spec) spec = new_spec();
    g_autofree char *xml = domain_xml(spec);
    g_autofree char *again = domain_xml(spec);
    g_assert_cmpstr(xml, ==, again);
    g_assert_true(g_str_has_prefix(xml, "<domain "));
    g_assert_true(g_str_has_suffix(xml, "</domain>\n"));

    static const char *const answers[][2] = {
        {"/domain/@type", "qemu"},
        {"/domain/name", "vm"},
        {"/domain/uuid", "1d267732-2a1c-5fa2-89f6-949b78c515f6"},
        {"/domain/memory", "1048576"},
        {"/domain/memory/@unit", "KiB"},
        {"/domain/currentMemory", "1048576"},
        {"/domain/currentMemory/@unit", "KiB"},
        {"/domain/vcpu", "2"},
        {"/domain/os/type", "hvm"},
        {"/domain/os/type/@arch", "x86_64"},
        {"/domain/os/type/@machine", "q35"},
        {"/domain/os/boot/@dev", "hd"},
        {"count(/domain/features/acpi)", "1"},
        {"/domain/cpu/@mode", "maximum"},
        {"/domain/clock/@offset", "utc"},
        {"/domain/on_poweroff", "destroy"},
        {"/domain/on_reboot", "restart"},
        {"/domain/on_crash", "destroy"},
        {"/domain/devices/emulator", "/q"},
        {"/domain/devices/serial/source/@path", "/r/console"},
        {"/domain/devices/serial/source/@mode", "bind"},
        {"/domain/devices/channel[1]/target/@name", "org.qemu.guest_agent.0"},
        {"/domain/devices/channel[2]/@type", "pipe"},
        {"/domain/devices/channel[2]/source/@path", "/r/exit"},
        {"/domain/devices/channel[2]/target/@name", "org.ocivirt.exit"},
        {"/domain/devices/memballoon/@freePageReporting", "on"},
        {"/domain/devices/memballoon/@model", "virtio"},
        {"/domain/devices/rng/backend", "/dev/urandom"},
        {"/domain/devices/panic/@model", "isa"},
        /* no USB or graphics nobody asked for */
        {"/domain/devices/controller[@type='usb']/@model", "none"},
        {"count(/domain/devices/graphics|/domain/devices/video|/domain/devices/input)", "0"},
        {"count(/domain/devices/disk|/domain/devices/interface)", "0"},
        {"//q:capabilities/q:del/@capability", "cpu-unavailable-features"},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(answers); i++) {
        expect_answer(spec, answers[i][0], answers[i][1]);
    }
}

/* Every optional thing, while it is not set, is not there. */
static void test_optional(void)
{
    static const char *const paths[] = {
        "/domain/metadata",      "/domain/vcpu/@cpuset", "/domain/os/kernel",
        "/domain/os/initrd",     "/domain/os/cmdline",   "/domain/os/dtb",
        "/domain/os/@firmware",  "/domain/features/tcg", "/domain/cpu/model",
        "/domain/q:commandline", "/domain/devices/disk", "/domain/memoryBacking",
        "/domain/numatune",      "/domain/seclabel",     "/domain/devices/hostdev",
        "/domain/sysinfo",       "/domain/os/smbios",    "/domain/os/nvram",
        "/domain/os/firmware",
    };
    for (int aarch64 = 0; aarch64 < 2; aarch64++) {
        g_autoptr(vm_spec) spec = new_spec();
        spec->arch = aarch64 ? VM_ARCH_AARCH64 : VM_ARCH_X86_64;
        for (gsize i = 0; i < G_N_ELEMENTS(paths); i++) {
            g_autofree char *path = g_strdup_printf("count(%s)", paths[i]);
            expect_answer(spec, path, "0");
        }
    }
}

static void test_kernel(void)
{
    g_autoptr(vm_spec) spec = new_spec();
    spec->kernel = g_strdup("/k");
    spec->initrd = g_strdup("/i");
    spec->cmdline = g_strdup("a=\"b c\" <d> & 'e'");
    spec->device_tree = g_strdup("/t");
    expect_answer(spec, "/domain/os/kernel", "/k");
    expect_answer(spec, "/domain/os/initrd", "/i");
    expect_answer(spec, "/domain/os/cmdline", "a=\"b c\" <d> & 'e'");
    expect_answer(spec, "/domain/os/dtb", "/t");
    expect_answer(spec, "count(/domain/os/boot)", "0");
}

static void test_accel_and_cpu(void)
{
    static const struct {
        enum vm_accel accel;
        const char *model;
        const char *type, *mode, *name; /* name "": none */
    } cases[] = {
        {VM_ACCEL_TCG, NULL, "qemu", "maximum", ""},
        {VM_ACCEL_KVM, NULL, "kvm", "host-passthrough", ""},
        {VM_ACCEL_KVM, "host", "kvm", "host-passthrough", ""},
        {VM_ACCEL_KVM, "max", "kvm", "maximum", ""},
        {VM_ACCEL_TCG, "max", "qemu", "maximum", ""},
        {VM_ACCEL_TCG, "Nehalem", "qemu", "custom", "Nehalem"},
        {VM_ACCEL_KVM, "<&\"", "kvm", "custom", "<&\""},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(vm_spec) spec = new_spec();
        spec->accel = cases[i].accel;
        spec->cpu_model = g_strdup(cases[i].model);
        expect_answer(spec, "/domain/@type", cases[i].type);
        expect_answer(spec, "/domain/cpu/@mode", cases[i].mode);
        expect_answer(spec, "/domain/cpu/model", cases[i].name);
        expect_answer(spec, "/domain/cpu/model/@fallback", *cases[i].name != '\0' ? "forbid" : "");
    }
}

static void test_tcg_cache(void)
{
    g_autoptr(vm_spec) spec = new_spec();
    spec->tcg_cache_mib = 64;
    expect_answer(spec, "/domain/features/tcg/tb-cache", "64");
    expect_answer(spec, "/domain/features/tcg/tb-cache/@unit", "MiB");
    spec->accel = VM_ACCEL_KVM; /* libvirt refuses it there */
    expect_answer(spec, "count(/domain/features/tcg)", "0");
}

static void test_aarch64(void)
{
    g_autoptr(vm_spec) spec = new_spec();
    spec->arch = VM_ARCH_AARCH64;
    expect_answer(spec, "/domain/os/type/@arch", "aarch64");
    expect_answer(spec, "/domain/os/type/@machine", "virt");
    expect_answer(spec, "count(/domain/features/apic|/domain/clock/timer|//panic)", "0");
    expect_answer(spec, "count(/domain/features/acpi)", "0");
    spec->uefi = true;
    expect_answer(spec, "count(/domain/features/acpi)", "1");
    spec->machine = g_strdup("virt-8.0");
    expect_answer(spec, "/domain/os/type/@machine", "virt-8.0");
}

/* QEMU gets an option that it knows, or none. */
static void test_nics_reconnect(void)
{
    static const struct {
        unsigned version;
        const char *end;
    } cases[] = {
        {0, "n.sock"},
        {7002022, "n.sock"},
        {8000000, "n.sock,reconnect=1"},
        {9001003, "n.sock,reconnect=1"},
        {9002000, "n.sock,reconnect-ms=100"},
        {10000002, "n.sock,reconnect-ms=100"},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(vm_spec) spec = new_spec();
        struct vm_nic *nic = g_new0(struct vm_nic, 1);
        nic->mac = g_strdup("52:54:00:00:00:01");
        nic->socket = g_strdup("/r/n.sock");
        nic->ports = g_array_new(FALSE, FALSE, sizeof(struct port_range));
        g_ptr_array_add(spec->nics, nic);
        spec->emulator_version = cases[i].version;
        g_autofree char *wanted = g_strconcat(
            "stream,id=ocivirt-net0,server=off,addr.type=unix,addr.path=/r/", cases[i].end, NULL);
        expect_answer(spec, "//q:commandline/q:arg[2]/@value", wanted);
        g_assert_cmpint(vm_nics_reconnect(spec), ==, strstr(wanted, "reconnect") != NULL);
    }
}

static void test_uefi(void)
{
    g_autoptr(vm_spec) spec = new_spec();
    spec->uefi = true;
    spec->nvram = g_strdup("/r/vars");
    expect_answer(spec, "/domain/os/@firmware", "efi");
    expect_answer(spec, "/domain/os/nvram", "/r/vars");
    expect_answer(spec, "/domain/os/firmware/feature[@name='secure-boot']/@enabled", "no");
    expect_answer(spec, "/domain/os/firmware/feature[@name='enrolled-keys']/@enabled", "no");
    spec->kernel = g_strdup("/k");
    expect_answer(spec, "/domain/os/@firmware", "efi");
}

static void test_first_boot(void)
{
    g_autoptr(vm_spec) spec = new_spec();
    vm_spec_add_disk(spec, "/i", "raw");
    spec->seed = vm_seed_new();
    spec->seed->path = g_strdup("/r/seed");
    spec->seed->target = g_strdup("vdb");
    g_ptr_array_add(spec->oem_strings, g_strdup("a=<b>"));
    g_ptr_array_add(spec->oem_strings, g_strdup("c,d"));
    vm_spec_add_fw_cfg(spec, "opt/x", g_bytes_new_static("1", 1), "/r");
    vm_spec_add_fw_cfg(spec, "opt/y", g_bytes_new_static("2", 1), "/r");
    static const char *const answers[][2] = {
        {"/domain/devices/disk[2]/source/@file", "/r/seed"},
        {"/domain/devices/disk[2]/driver/@type", "raw"},
        {"/domain/devices/disk[2]/target/@dev", "vdb"},
        {"/domain/devices/disk[2]/serial", "cidata"},
        {"count(/domain/devices/disk[2]/readonly)", "1"},
        {"/domain/os/smbios/@mode", "sysinfo"},
        {"/domain/sysinfo[@type='smbios']/oemStrings/entry[1]", "a=<b>"},
        {"/domain/sysinfo[@type='smbios']/oemStrings/entry[2]", "c,d"},
        {"/domain/sysinfo[@type='fwcfg']/entry[@name='opt/x']/@file", "/r/fw_cfg-0"},
        {"/domain/sysinfo[@type='fwcfg']/entry[@name='opt/y']/@file", "/r/fw_cfg-1"},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(answers); i++) {
        expect_answer(spec, answers[i][0], answers[i][1]);
    }
}

static void test_others(void)
{
    g_autoptr(vm_spec) spec = new_spec();
    spec->cpuset = g_strdup("0-3,5");
    spec->exit_on_reboot = true;
    spec->machine = g_strdup("pc");
    spec->vcpus = 255;
    spec->memory_kib = G_MAXINT64 / 1024 / 1024 * 1024;
    const char *const arguments[] = {"-global", "a=<b> & \"c\"", "", NULL};
    spec->emulator_args = g_strdupv((char **)arguments);
    expect_answer(spec, "/domain/vcpu/@cpuset", "0-3,5");
    expect_answer(spec, "/domain/vcpu", "255");
    expect_answer(spec, "/domain/memory", "9007199254739968");
    expect_answer(spec, "/domain/on_reboot", "destroy");
    expect_answer(spec, "/domain/os/type/@machine", "pc");
    expect_answer(spec, "count(/domain/q:commandline/q:arg)", "3");
    expect_answer(spec, "/domain/q:commandline/q:arg[1]/@value", "-global");
    expect_answer(spec, "/domain/q:commandline/q:arg[2]/@value", "a=<b> & \"c\"");
    expect_answer(spec, "/domain/q:commandline/q:arg[3]/@value", "");
    g_clear_pointer(&spec->emulator_args, g_strfreev);
    spec->emulator_args = g_new0(char *, 1);
    expect_answer(spec, "count(/domain/q:commandline)", "0");
}

static void test_disks(void)
{
    g_autoptr(vm_spec) spec = new_spec();
    vm_spec_add_disk(spec, "/images/a&b.raw", "raw");
    struct vm_disk *second = vm_spec_add_disk(spec, "/images/b.vhd", "vpc");
    second->overlay = g_strdup("/r/disks/vdb.qcow2");
    static const char *const answers[][2] = {
        {"count(/domain/devices/disk)", "2"},
        {"/domain/devices/disk[1]/source/@file", "/images/a&b.raw"},
        {"/domain/devices/disk[1]/driver/@type", "raw"},
        {"/domain/devices/disk[1]/driver/@discard", "unmap"},
        {"/domain/devices/disk[1]/target/@dev", "vda"},
        {"/domain/devices/disk[1]/target/@bus", "virtio"},
        {"count(/domain/devices/disk[1]/backingStore)", "0"},
        {"/domain/devices/disk[2]/source/@file", "/r/disks/vdb.qcow2"},
        {"/domain/devices/disk[2]/driver/@type", "qcow2"},
        {"/domain/devices/disk[2]/target/@dev", "vdb"},
        {"/domain/devices/disk[2]/backingStore/format/@type", "vpc"},
        {"/domain/devices/disk[2]/backingStore/source/@file", "/images/b.vhd"},
        /* the chain ends here: nothing is to be probed */
        {"count(/domain/devices/disk[2]/backingStore/backingStore[not(*)][not(@*)])", "1"},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(answers); i++) {
        expect_answer(spec, answers[i][0], answers[i][1]);
    }
}

static void test_disk_names(void)
{
    static const struct {
        unsigned number;
        const char *name;
    } cases[] = {{0, "vda"},   {25, "vdz"},   {26, "vdaa"},   {51, "vdaz"},
                 {52, "vdba"}, {701, "vdzz"}, {702, "vdaaa"}, {VM_DISKS_MAX - 1, "vdcb"}};
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *name = vm_disk_name(cases[i].number);
        expect_str(cases[i].name, name, cases[i].name);
    }
}

static void test_disk_io(void)
{
    static const struct {
        enum vm_disk_io io;
        const char *cache, *aio;
    } cases[] = {
        {VM_DISK_CACHED, "", ""},
        {VM_DISK_DIRECT, "none", ""},
        {VM_DISK_DIRECT_NATIVE, "none", "native"},
    };
    g_autoptr(vm_spec) spec = new_spec();
    struct vm_disk *disk = vm_spec_add_disk(spec, "/a", "qcow2");
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        disk->io = cases[i].io;
        expect_answer(spec, "string(/domain/devices/disk/driver/@cache)", cases[i].cache);
        expect_answer(spec, "string(/domain/devices/disk/driver/@io)", cases[i].aio);
    }
    /* whatever it says that it stands on */
    expect_answer(spec, "count(/domain/devices/disk/backingStore[not(*)][not(@*)])", "1");
}

/* Up to 16 disks are libvirt's to place; of more, eight share a port. */
static void test_disk_ports(void)
{
    g_autoptr(vm_spec) spec = new_spec();
    for (int i = 0; i < 16; i++) {
        vm_spec_add_disk(spec, "/a", "raw");
    }
    expect_answer(spec, "count(/domain/devices/disk/address)", "0");
    vm_spec_add_disk(spec, "/a", "raw");
    static const char *const answers[][2] = {
        {"count(/domain/devices/controller[@model='pcie-root-port'])", "3"},
        {"count(/domain/devices/disk/address[@multifunction='on'])", "3"},
        {"count(/domain/devices/disk/address[@function='0x0'])", "3"},
        {"/domain/devices/disk[8]/address/@bus", "0x01"},
        {"/domain/devices/disk[8]/address/@function", "0x7"},
        {"/domain/devices/disk[9]/address/@bus", "0x02"},
        {"/domain/devices/disk[17]/address/@bus", "0x03"},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(answers); i++) {
        expect_answer(spec, answers[i][0], answers[i][1]);
    }
}

/* A block device, read-only or not, with a serial or without; each limit by itself. */
static void test_block_disks(void)
{
    static const struct {
        gsize offset;
        const char *name;
    } limits[] = {
        {G_STRUCT_OFFSET(struct vm_throttle, read_bytes), "read_bytes_sec"},
        {G_STRUCT_OFFSET(struct vm_throttle, write_bytes), "write_bytes_sec"},
        {G_STRUCT_OFFSET(struct vm_throttle, read_ops), "read_iops_sec"},
        {G_STRUCT_OFFSET(struct vm_throttle, write_ops), "write_iops_sec"},
    };
    g_autoptr(vm_spec) spec = new_spec();
    struct vm_disk *disk = vm_spec_add_disk(spec, "/dev/sdb", "raw");
    disk->block = true;
    expect_answer(spec, "/domain/devices/disk/@type", "block");
    expect_answer(spec, "/domain/devices/disk/source/@dev", "/dev/sdb");
    expect_answer(spec, "count(/domain/devices/disk/*)", "3");
    disk->readonly = true;
    disk->serial = g_strdup("s");
    expect_answer(spec, "count(/domain/devices/disk/readonly)", "1");
    expect_answer(spec, "/domain/devices/disk/serial", "s");
    for (gsize i = 0; i < G_N_ELEMENTS(limits); i++) {
        g_autofree char *path = g_strdup_printf("/domain/devices/disk/iotune/%s", limits[i].name);
        disk->throttle = (struct vm_throttle){0, 0, 0, 0};
        *(guint64 *)((char *)&disk->throttle + limits[i].offset) = VM_THROTTLE_MAX;
        expect_answer(spec, path, "1000000000000000");
        expect_answer(spec, "count(/domain/devices/disk/iotune/*)", "1");
    }
}

static void test_memory_source(void)
{
    static const char *const modes[] = {
        [VM_NUMA_STRICT] = "strict",
        [VM_NUMA_INTERLEAVE] = "interleave",
        [VM_NUMA_PREFERRED] = "preferred",
    };
    g_autoptr(vm_spec) spec = new_spec();
    spec->hugepage_kib = 1024 * 1024;
    expect_answer(spec, "/domain/memoryBacking/hugepages/page/@size", "1048576");
    expect_answer(spec, "/domain/memoryBacking/hugepages/page/@unit", "KiB");
    expect_answer(spec, "/domain/memoryBacking/source/@type", "memfd");
    spec->numa_nodes = g_strdup("0-1");
    for (gsize i = 0; i < G_N_ELEMENTS(modes); i++) {
        spec->numa_mode = i;
        expect_answer(spec, "/domain/numatune/memory/@mode", modes[i]);
        expect_answer(spec, "/domain/numatune/memory/@nodeset", "0-1");
    }
}

/* Who stands for QEMU until it becomes it; whom QEMU is confined as; what is passed through. */
static void test_process(void)
{
    g_autoptr(vm_spec) spec = new_spec();
    struct vm_pci_device device = {0x1, 0x23, 0x1f, 0x7};
    spec->launcher = g_strdup("/launcher");
    spec->security_model = g_strdup("apparmor");
    spec->security_label = g_strdup("profile<");
    g_array_append_val(spec->pci_devices, device);
    expect_answer(spec, "/domain/devices/emulator", "/launcher");
    expect_answer(spec, "/domain/seclabel[@type='static'][@relabel='no']/@model", "apparmor");
    expect_answer(spec, "/domain/seclabel/label", "profile<");
    expect_answer(spec, "/domain/devices/hostdev[@managed='no'][@type='pci']/@mode", "subsystem");
    expect_answer(spec,
                  "/domain/devices/hostdev/source/address[@domain='0x0001'][@bus='0x23']"
                  "[@slot='0x1f']/@function",
                  "0x7");
}

static void test_metadata(void)
{
    g_autoptr(vm_spec) spec = new_spec();
    vm_spec_add_metadata(spec, "io.kubernetes.x/y", "{\"a\": \"<b>\", \"c\": [1, 2]}");
    vm_spec_add_metadata(spec, "a\"'<>&", "");
    vm_spec_add_metadata(spec, "control", "a\x1b[2Jz");
    expect_answer(spec, "count(/domain/metadata/o:annotations/o:annotation)", "3");
    expect_answer(spec, "//o:annotation[1]/@key", "io.kubernetes.x/y");
    expect_answer(spec, "//o:annotation[1]", "{\"a\": \"<b>\", \"c\": [1, 2]}");
    expect_answer(spec, "//o:annotation[2]/@key", "a\"'<>&");
    expect_answer(spec, "//o:annotation[3]", "a\xef\xbf\xbd[2Jz");
}

/* "Well-formed whatever strings the spec holds." */
static void test_hostile(void)
{
    static const char *const strings[] = {"</domain>", "]]>", "\"'<&>", "\x01\x1b\xff\xc0",
                                          "\n\r\t",    "",    "<!--",   "&#0;"};
    for (gsize i = 0; i < G_N_ELEMENTS(strings); i++) {
        const char *s = strings[i];
        g_autoptr(vm_spec) spec = vm_spec_new();
        char **const members[] = {&spec->name,        &spec->uuid,           &spec->machine,
                                  &spec->cpu_model,   &spec->emulator,       &spec->cpuset,
                                  &spec->kernel,      &spec->initrd,         &spec->cmdline,
                                  &spec->device_tree, &spec->console_socket, &spec->exit_pipe};
        for (gsize j = 0; j < G_N_ELEMENTS(members); j++) {
            *members[j] = g_strdup(s);
        }
        spec->emulator_args = g_strdupv((char **)((const char *const[]){s, s, NULL}));
        vm_spec_add_disk(spec, s, s)->overlay = g_strdup(s);
        vm_spec_add_metadata(spec, s, s);
        expect_answer(spec, "count(/domain)", "1");
        expect_answer(spec, "count(/domain/devices/*)", "10");
    }
}

static void test_architectures(void)
{
    static const char *const names[][3] = {{"x86_64", "q35", "ttyS0"},
                                           {"aarch64", "virt", "ttyAMA0"}};
    G_STATIC_ASSERT(G_N_ELEMENTS(names) == VM_ARCH_COUNT);
    for (int arch = 0; arch < VM_ARCH_COUNT; arch++) {
        g_assert_cmpstr(vm_arch_name(arch), ==, names[arch][0]);
        g_assert_cmpstr(vm_arch_machine(arch), ==, names[arch][1]);
        g_assert_cmpstr(vm_arch_console(arch), ==, names[arch][2]);
    }
    g_assert_cmpint(vm_arch_native(), <, VM_ARCH_COUNT);
    vm_spec_free(NULL);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_set_nonfatal_assertions();
    g_test_add_func("/domain-xml/minimal", test_minimal);
    g_test_add_func("/domain-xml/optional", test_optional);
    g_test_add_func("/domain-xml/kernel", test_kernel);
    g_test_add_func("/domain-xml/accel-and-cpu", test_accel_and_cpu);
    g_test_add_func("/domain-xml/tcg-cache", test_tcg_cache);
    g_test_add_func("/domain-xml/aarch64", test_aarch64);
    g_test_add_func("/domain-xml/nics-reconnect", test_nics_reconnect);
    g_test_add_func("/domain-xml/uefi", test_uefi);
    g_test_add_func("/domain-xml/first-boot", test_first_boot);
    g_test_add_func("/domain-xml/others", test_others);
    g_test_add_func("/domain-xml/disks", test_disks);
    g_test_add_func("/domain-xml/block-disks", test_block_disks);
    g_test_add_func("/domain-xml/disk-names", test_disk_names);
    g_test_add_func("/domain-xml/disk-io", test_disk_io);
    g_test_add_func("/domain-xml/disk-ports", test_disk_ports);
    g_test_add_func("/domain-xml/memory-source", test_memory_source);
    g_test_add_func("/domain-xml/process", test_process);
    g_test_add_func("/domain-xml/metadata", test_metadata);
    g_test_add_func("/domain-xml/hostile", test_hostile);
    g_test_add_func("/domain-xml/architectures", test_architectures);
    int status = g_test_run();
    xmlCleanupParser();
    return status;
}
