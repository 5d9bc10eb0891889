// SPDX-License-Identifier: LGPL-2.1-or-later
#include "oci/translate.h"
#include "tests/unit/expect.h"
#include "tests/unit/fixture.h"

static const struct oci_host plain_host = {
    .arch = VM_ARCH_X86_64,
    .accel = VM_ACCEL_TCG,
    .cpus = 2,
    .emulator = "/usr/bin/qemu-system-x86_64",
    .id = "golden",
    .root = "/var/lib/ocivirt",
};

/* NULL where it cannot be made: @f says why. Before this step there must be no problem. */
static struct vm_spec *translate(struct fixture *f, const char *json,
                                 const char *const *environment, const struct oci_host *host)
{
    fixture_init(f, json);
    fixture_read_settings(f, environment);
    g_assert_true(fixture_is_fine(f));
    return oci_translate(f->config, &f->settings, host, &f->problems);
}

#define KERNEL "'kernel':{'path':'/k'}"
#define BOOT "'ociVersion':'1.0.0','vm':{" KERNEL "}"
#define WITH_VM(members) "{'ociVersion':'1.0.0','vm':{" members "}}"
#define WITH_RESOURCES(members) "{" BOOT ",'linux':{'resources':{" members "}}}"
#define ENVIRONMENT(...) ((const char *const[]){__VA_ARGS__, NULL})

static void test_plain(void)
{
    struct fixture f;
    g_autoptr(vm_spec) spec = translate(&f, "{" BOOT "}", NULL, &plain_host);
    g_assert_nonnull(spec);
    g_assert_cmpstr(spec->name, ==, "golden");
    g_assert_cmpint(spec->arch, ==, VM_ARCH_X86_64);
    g_assert_cmpint(spec->accel, ==, VM_ACCEL_TCG);
    g_assert_null(spec->machine);
    g_assert_null(spec->cpu_model);
    g_assert_cmpstr(spec->emulator, ==, "/usr/bin/qemu-system-x86_64");
    g_assert_true(spec->emulator_args == NULL || spec->emulator_args[0] == NULL);
    g_assert_cmpuint(spec->vcpus, ==, 2);
    g_assert_null(spec->cpuset);
    g_assert_cmpuint(spec->memory_kib, ==, 1024 * 1024);
    g_assert_cmpuint(spec->tcg_cache_mib, ==, 0);
    g_assert_cmpstr(spec->kernel, ==, "/k");
    g_assert_null(spec->initrd);
    g_assert_cmpstr(spec->cmdline, ==, "console=ttyS0");
    g_assert_null(spec->device_tree);
    g_assert_cmpuint(spec->disks->len, ==, 0);
    g_assert_cmpuint(spec->metadata->len, ==, 0);
    g_assert_false(spec->exit_on_reboot);
    g_assert_cmpstr(spec->console_socket, ==, "/var/lib/ocivirt/run/console.sock");
    fixture_finish(&f);
}

static void test_everything(void)
{
    struct fixture f;
    struct oci_host host = plain_host;
    host.arch = VM_ARCH_AARCH64;
    host.accel = VM_ACCEL_KVM;
    host.id = "other";
    host.root = "/r";
    g_autoptr(vm_spec) spec =
        translate(&f,
                  "{'ociVersion':'1.0.0','annotations':{'b':'2','org.ocivirt.machine':'virt-8.0',"
                  "'org.ocivirt.cpu-model':'cortex-a57','org.ocivirt.on-reboot':'exit','a.c':''},"
                  "'vm':{'hypervisor':{'path':'/opt/qemu','parameters':['-a','b c']},"
                  "'kernel':{'path':'/k','initrd':'i'},'image':{'path':'/d','format':'qcow2'},"
                  "'hwConfig':{'deviceTree':'/t','vcpus':3,'memory':268435456}},"
                  "'linux':{'resources':{'cpu':{'cpus':'0-7'}}}}",
                  NULL, &host);
    g_assert_nonnull(spec);
    static const char *const arguments[] = {"-a", "b c", NULL};
    g_assert_cmpstr(spec->name, ==, "other");
    g_assert_cmpint(spec->arch, ==, VM_ARCH_AARCH64);
    g_assert_cmpint(spec->accel, ==, VM_ACCEL_KVM);
    g_assert_cmpstr(spec->machine, ==, "virt-8.0");
    g_assert_cmpstr(spec->cpu_model, ==, "cortex-a57");
    g_assert_cmpstr(spec->emulator, ==, "/opt/qemu");
    g_assert_cmpstrv(spec->emulator_args, arguments);
    g_assert_cmpuint(spec->vcpus, ==, 3);
    g_assert_cmpstr(spec->cpuset, ==, "0-7");
    g_assert_cmpuint(spec->memory_kib, ==, 256 * 1024);
    g_assert_cmpstr(spec->initrd, ==, "/bundle/i");
    g_assert_cmpstr(spec->cmdline, ==, "console=ttyAMA0");
    g_assert_cmpstr(spec->device_tree, ==, "/t");
    g_assert_true(spec->exit_on_reboot);
    g_assert_cmpstr(spec->console_socket, ==, "/r/run/console.sock");
    g_assert_cmpstr(spec->exit_pipe, ==, "/r/exit");
    g_assert_cmpuint(spec->disks->len, ==, 1);
    const struct vm_disk *disk = g_ptr_array_index(spec->disks, 0);
    g_assert_cmpstr(disk->image, ==, "/d");
    g_assert_cmpstr(disk->overlay, ==, "/r/disks/vda.qcow2");
    /* our own annotations are settings, the rest is kept, in order */
    g_assert_cmpuint(spec->metadata->len, ==, 2);
    const struct vm_metadata *first = g_ptr_array_index(spec->metadata, 0);
    const struct vm_metadata *second = g_ptr_array_index(spec->metadata, 1);
    g_assert_cmpstr(first->key, ==, "b");
    g_assert_cmpstr(first->value, ==, "2");
    g_assert_cmpstr(second->key, ==, "a.c");
    g_assert_cmpstr(second->value, ==, "");
    fixture_finish(&f);
}

static void test_cpus(void)
{
    static const struct {
        const char *json;
        const char *variable; /* or NULL */
        unsigned vcpus;
    } cases[] = {
        {"{" BOOT "}", NULL, 2},
        {"{" BOOT "}", "OCIVIRT_CPUS=7", 7},
        {"{" BOOT ",'annotations':{'org.ocivirt.cpus':'5'}}", NULL, 5},
        {"{" BOOT ",'annotations':{'org.ocivirt.cpus':'5'}}", "OCIVIRT_CPUS=7", 7},
        {WITH_VM(KERNEL ",'hwConfig':{'vcpus':4}"), NULL, 4},
        {WITH_VM(KERNEL ",'hwConfig':{'vcpus':4}"), "OCIVIRT_CPUS=7", 7},
        {"{'ociVersion':'1.0.0','vm':{" KERNEL ",'hwConfig':{'vcpus':4}},"
         "'linux':{'resources':{'cpu':{'quota':300000,'period':100000,'cpus':'0-7'}}}}",
         NULL, 4},
        {WITH_RESOURCES("'cpu':{'quota':300000,'period':100000,'cpus':'0-7'}"), NULL, 3},
        {WITH_RESOURCES("'cpu':{'quota':300000,'period':100000}"), "OCIVIRT_CPUS=7", 7},
        /* rounded up: half a CPU is one */
        {WITH_RESOURCES("'cpu':{'quota':300001,'period':100000}"), NULL, 4},
        {WITH_RESOURCES("'cpu':{'quota':299999,'period':100000}"), NULL, 3},
        {WITH_RESOURCES("'cpu':{'quota':1,'period':1000000}"), NULL, 1},
        {WITH_RESOURCES("'cpu':{'quota':50000}"), NULL, 1}, /* of 100 ms */
        {WITH_RESOURCES("'cpu':{'quota':150000}"), NULL, 2},
        {WITH_RESOURCES("'cpu':{'quota':350000}"), NULL, 4},
        {WITH_RESOURCES("'cpu':{'quota':9223372036854775807,'period':1}"), NULL, 255},
        {WITH_RESOURCES("'cpu':{'quota':1,'period':18446744073709551615}"), NULL, 1},
        /* no quota */
        {WITH_RESOURCES("'cpu':{'quota':-1,'period':100000}"), NULL, 2},
        {WITH_RESOURCES("'cpu':{'quota':0,'period':100000}"), NULL, 2},
        {WITH_RESOURCES("'cpu':{'quota':0,'period':0}"), NULL, 2},
        {WITH_RESOURCES("'cpu':{'period':100000}"), NULL, 2},
        {WITH_RESOURCES("'cpu':{'cpus':'0-3,5'}"), NULL, 5},
        {WITH_RESOURCES("'cpu':{'quota':-1,'cpus':'1'}"), NULL, 1},
        {WITH_RESOURCES("'cpu':{'cpus':'0-8191'}"), NULL, 255},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        struct fixture f;
        g_autoptr(vm_spec) spec =
            translate(&f, cases[i].json, ENVIRONMENT(cases[i].variable), &plain_host);
        g_autofree char *row = g_strdup_printf("%s %s", cases[i].json,
                                               cases[i].variable != NULL ? cases[i].variable : "");
        expect_uint(row, spec->vcpus, cases[i].vcpus);
        fixture_finish(&f);
    }
    struct oci_host large = plain_host;
    large.cpus = 1000;
    struct fixture f;
    g_autoptr(vm_spec) spec = translate(&f, "{" BOOT "}", NULL, &large);
    g_assert_cmpuint(spec->vcpus, ==, 255);
    fixture_finish(&f);
}

/* The CPUs on which vCPUs may run follow the config even where their number comes from elsewhere.
 */
static void test_cpuset(void)
{
    struct fixture f;
    g_autoptr(vm_spec) spec = translate(&f, WITH_RESOURCES("'cpu':{'cpus':'0-3,5'}"),
                                        ENVIRONMENT("OCIVIRT_CPUS=2"), &plain_host);
    g_assert_cmpuint(spec->vcpus, ==, 2);
    g_assert_cmpstr(spec->cpuset, ==, "0-3,5");
    fixture_finish(&f);
}

/* Where the kernel does not tell which there are, they are as the config says. */
static void test_unknown_topology(void)
{
    struct fixture f;
    struct oci_host host = plain_host;
    host.may_set_memory_policy = true;
    g_autoptr(vm_spec) spec =
        translate(&f, WITH_RESOURCES("'cpu':{'cpus':'4-7','mems':'2,1'}"), NULL, &host);
    g_assert_cmpstr(spec->cpuset, ==, "4-7");
    g_assert_cmpstr(spec->numa_nodes, ==, "2,1");
    fixture_finish(&f);
}

/* The kernel's parser splits at spaces and knows one kind of quotes. */
static void test_cmdline(void)
{
    static const struct {
        const char *kernel; /* members beside the path */
        const char *config; /* members beside the vm */
        const char *cmdline;
    } cases[] = {
        {"", "", "console=ttyS0"},
        {",'parameters':[]", "", "console=ttyS0"},
        {",'parameters':['quiet','ro']", "", "console=ttyS0 quiet ro"},
        {",'parameters':['console=hvc0']", "", "console=hvc0"},
        {",'parameters':['quiet','console=tty0','console=ttyS0,115200']", "",
         "quiet console=tty0 console=ttyS0,115200"},
        {",'parameters':['consoleblank=0','nconsole=x']", "",
         "console=ttyS0 consoleblank=0 nconsole=x"},
        {",'parameters':['init=/bin/a b']", "", "console=ttyS0 init=\"/bin/a b\""},
        {",'parameters':['a b']", "", "console=ttyS0 \"a b\""},
        {",'parameters':['a=b=c d']", "", "console=ttyS0 a=\"b=c d\""},
        {",'parameters':['a=\\tb']", "", "console=ttyS0 a=\"\tb\""},
        {",'parameters':['a=\\nb']", "", "console=ttyS0 a=\"\nb\""},
        /* whoever has quoted by hand is left alone */
        {",'parameters':['a=\\u0022b c\\u0022']", "", "console=ttyS0 a=\"b c\""},
        {",'parameters':['dyndbg=\\u0022file x +p\\u0022 quiet']", "",
         "console=ttyS0 dyndbg=\"file x +p\" quiet"},
        {",'parameters':['a=<b>&c\\u0027d']", "", "console=ttyS0 a=<b>&c'd"},
        {"", ",'hostname':'vm-1'", "console=ttyS0 systemd.hostname=vm-1"},
        {",'parameters':['systemd.hostname=own']", ",'hostname':'vm-1'",
         "console=ttyS0 systemd.hostname=own"},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *json =
            g_strdup_printf("{'ociVersion':'1.0.0','vm':{'kernel':{'path':'/k'%s}}%s}",
                            cases[i].kernel, cases[i].config);
        struct fixture f;
        g_autoptr(vm_spec) spec = translate(&f, json, NULL, &plain_host);
        expect_str(json, spec->cmdline, cases[i].cmdline);
        fixture_finish(&f);
    }
}

/* What stands behind "--" is init's and no longer the kernel's. */
static void test_cmdline_for_init(void)
{
    struct fixture f;
    g_autoptr(vm_spec) spec =
        translate(&f,
                  "{'ociVersion':'1.0.0','hostname':'h',"
                  "'vm':{'kernel':{'path':'/k','parameters':['ro','--','-x']}}}",
                  NULL, &plain_host);
    g_assert_true(g_str_has_suffix(spec->cmdline, " -- -x"));
    g_assert_nonnull(strstr(spec->cmdline, "systemd.hostname=h "));
    fixture_finish(&f);
}

static void test_image(void)
{
    static const struct {
        const char *member, *format;
    } cases[] = {
        {"", "raw"},
        {",'format':''", "raw"},
        {",'format':'raw'", "raw"},
        {",'format':'qcow2'", "qcow2"},
        {",'format':'vdi'", "vdi"},
        {",'format':'vmdk'", "vmdk"},
        {",'format':'vhd'", "vpc"},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *json =
            g_strdup_printf("{'ociVersion':'1.0.0','hostname':'h','vm':{'image':{'path':'/d'%s}}}",
                            cases[i].member);
        struct fixture f;
        g_autoptr(vm_spec) spec = translate(&f, json, NULL, &plain_host);
        g_assert_cmpuint(spec->disks->len, ==, 1);
        const struct vm_disk *disk = g_ptr_array_index(spec->disks, 0);
        expect_str(json, disk->target, "vda");
        expect_str(json, disk->image, "/d");
        expect_str(json, disk->format, cases[i].format);
        expect_str(json, disk->overlay, "/var/lib/ocivirt/disks/vda.qcow2");
        /* its own boot loader has the say */
        expect(json, spec->kernel == NULL && spec->cmdline == NULL && spec->initrd == NULL);
        fixture_finish(&f);
    }
}

/* The environment can be in any encoding, as a file can. */
static void test_key_in_latin_1(void)
{
    struct fixture f;
    g_autoptr(vm_spec) spec = translate(
        &f, "{" BOOT "}", ENVIRONMENT("OCIVIRT_SSH_AUTHORIZED_KEYS=ssh-ed25519 AAAAC3 andr\xe9"),
        &plain_host);
    g_assert_nonnull(spec);
    gsize length;
    const char *text = g_bytes_get_data(spec->seed->meta_data, &length);
    g_autofree char *meta_data = g_strndup(text, length);
    g_assert_nonnull(strstr(meta_data, "[\"ssh-ed25519 AAAAC3 andr\xef\xbf\xbd\"]"));
    fixture_finish(&f);
}

static char *uuid_of(const char *id)
{
    struct oci_host host = plain_host;
    host.id = id;
    struct fixture f;
    g_autoptr(vm_spec) spec = translate(&f, "{" BOOT "}", NULL, &host);
    fixture_finish(&f);
    return g_steal_pointer(&spec->uuid);
}

static void test_uuid(void)
{
    /* As of Python: uuid.uuid5(UUID("0c1f5274-916e-4d3b-a157-2e886d05c9f1"), "golden"). A guest
     * keeps things by it: it is the same for ever. */
    g_autofree char *golden = uuid_of("golden");
    g_assert_cmpstr(golden, ==, "1d267732-2a1c-5fa2-89f6-949b78c515f6");
    g_autofree char *again = uuid_of("golden");
    g_assert_cmpstr(golden, ==, again);

    g_autoptr(GHashTable) seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    for (int i = 0; i < 200; i++) {
        g_autofree char *id = g_strdup_printf("id-%d", i);
        char *uuid = uuid_of(id);
        expect(uuid, g_uuid_string_is_valid(uuid));
        expect(uuid, uuid[14] == '5');                  /* version: by name, SHA-1 */
        expect(uuid, strchr("89ab", uuid[19]) != NULL); /* variant: RFC 9562 */
        g_assert_true(g_hash_table_add(seen, uuid));
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_set_nonfatal_assertions();
    g_test_add_func("/translate/plain", test_plain);
    g_test_add_func("/translate/everything", test_everything);
    g_test_add_func("/translate/cpus", test_cpus);
    g_test_add_func("/translate/cpuset", test_cpuset);
    g_test_add_func("/translate/unknown-topology", test_unknown_topology);
    g_test_add_func("/translate/cmdline", test_cmdline);
    g_test_add_func("/translate/cmdline-for-init", test_cmdline_for_init);
    g_test_add_func("/translate/image", test_image);
    g_test_add_func("/translate/key-in-latin-1", test_key_in_latin_1);
    g_test_add_func("/translate/uuid", test_uuid);
    return g_test_run();
}
