// SPDX-License-Identifier: LGPL-2.1-or-later
#include "oci/translate.h"

#include "oci/document.h"
#include "oci/translation.h"
#include "oci/values.h"
#include "src/util/quantity.h"

#include <string.h>

#define KIB ((guint64)1 << 10)
#define MIB ((guint64)1 << 20)

/* COMMAND_LINE_SIZE of Linux for x86_64 and aarch64, without the end. */
#define LONGEST_COMMAND_LINE 2047

/* Below this no kernel gets as far as a message. */
#define MIN_MEMORY (16 * MIB)
#define MIN_MEMORY_TEXT "16M"
/* In whole MiB: libvirt counts bytes in 63 bits. */
#define MAX_MEMORY (G_MAXINT64 / MIB * MIB)
#define DEFAULT_MEMORY (1024 * MIB)

/*
 * What is needed beside the guest's memory, from `make bench` (resident memory beside QEMU, and
 * QEMU's own less the guest's) with room to spare: ocivirt 30 MiB, QEMU 60 MiB, and page tables and
 * bookkeeping that grow with the guest. TCG adds its cache of translated code, which is bounded
 * where the container is (by default it may grow to 1 GiB).
 */
#define OVERHEAD_BASE (128 * MIB)
#define OVERHEAD_DIVISOR 64
#define TCG_CACHE_BOUNDED_MIB 64
/* As measured: passt has 29 MiB of its own, virtiofsd 3 to 6. */
#define OVERHEAD_NIC (32 * MIB)
#define OVERHEAD_FOLDER (8 * MIB)
#define OVERHEAD_SOCKET ((guint64)4300)

static guint64 round_up(guint64 bytes)
{
    return (bytes / MIB + (bytes % MIB != 0)) * MIB;
}

guint64 oci_translate_overhead(guint64 memory, enum vm_accel accel)
{
    guint64 cache = accel == VM_ACCEL_TCG ? TCG_CACHE_BOUNDED_MIB * MIB : 0;
    return OVERHEAD_BASE + cache + memory / OVERHEAD_DIVISOR;
}

/* Of the programs beside QEMU, and of the kernel for them. */
static guint64 overhead_of_helpers(const struct vm_spec *spec)
{
    guint64 bytes = spec->folders->len * OVERHEAD_FOLDER + spec->nics->len * OVERHEAD_NIC;
    for (guint i = 0; i < spec->nics->len; i++) {
        const struct vm_nic *nic = g_ptr_array_index(spec->nics, i);
        bytes += oci_translate_port_files(nic->ports) * OVERHEAD_SOCKET;
    }
    return bytes;
}

static guint64 overhead(const struct translation *t, guint64 memory)
{
    return oci_translate_overhead(memory, t->host->accel) + overhead_of_helpers(t->spec);
}

guint64 oci_translate_sandbox_size(const struct oci_config *config, const char *name)
{
    guint64 size = 0;
    for (gsize i = 0; i < config->annotations.length; i++) {
        const struct oci_pair *annotation = &config->annotations.items[i];
        if (annotation->value != NULL && g_str_equal(annotation->key, name)) {
            quantity_parse_count(annotation->value, 0, G_MAXINT64, &size);
        }
    }
    return size;
}

/* How many CPUs have that much time; 0: the quota says nothing. */
static unsigned cpus_of_quota(guint64 quota, guint64 period)
{
    if (quota == 0) {
        return 0;
    }
    period = period > 0 ? period : 100000; /* cgroup v2, cpu.max: 100 ms where none is given */
    return CLAMP(quota / period + (quota % period != 0), 1, OCI_MAX_CPUS);
}

/* What OCI properties say, in their order; 0: nothing. */
static unsigned requested_cpus(const struct oci_config *config)
{
    if (config->vm.hw.vcpus.set) {
        return config->vm.hw.vcpus.value;
    }
    unsigned cpus = cpus_of_quota(MAX(config->resources.cpu.quota.value, 0),
                                  config->resources.cpu.period.value);
    struct cpulist list;
    if (cpus == 0 && config->resources.cpu.cpus != NULL &&
        cpulist_parse(config->resources.cpu.cpus, &list)) {
        cpus = cpulist_count(&list);
    }
    return cpus > 0 ? cpus
                    : cpus_of_quota(oci_translate_sandbox_size(config, OCI_SANDBOX_CPU_QUOTA),
                                    oci_translate_sandbox_size(config, OCI_SANDBOX_CPU_PERIOD));
}

static void check_cpuset(struct translation *t)
{
    struct cpulist list;
    if (t->spec->cpuset != NULL && t->host->allowed_cpus != NULL &&
        cpulist_parse(t->spec->cpuset, &list) && !cpulist_overlap(&list, t->host->allowed_cpus)) {
        g_autofree char *allowed = cpulist_format(t->host->allowed_cpus);
        oci_problems_add(t->problems, "linux.resources.cpu.cpus",
                         "none of the CPUs %s may be used here; name some of %s, which the "
                         "container has, or leave it out",
                         t->spec->cpuset, allowed);
    }
}

static void set_cpus(struct translation *t)
{
    t->spec->cpuset = g_strdup(t->config->resources.cpu.cpus);
    check_cpuset(t);
    unsigned requested = t->settings->cpus > 0 ? t->settings->cpus : requested_cpus(t->config);
    t->spec->vcpus = MIN(requested > 0 ? requested : t->host->cpus, OCI_MAX_CPUS);
}

/* A place for a problem with the memory's size: wherever that came from. */
static void memory_problem(struct translation *t, const char *message)
{
    if (t->settings->memory > 0) {
        oci_settings_problem(t->settings, OCI_SETTING_MEMORY, t->problems, message);
    } else if (t->config->vm.hw.memory.set) {
        g_autofree char *path = oci_path_child(t->config->vm.hw.path, "memory");
        oci_problems_add(t->problems, path, "%s", message);
    } else if (t->config->resources.memory.limit.value > 0) {
        oci_problems_add(t->problems, "linux.resources.memory.limit", "%s", message);
    } else {
        g_autofree char *path = oci_path_child("annotations", OCI_SANDBOX_MEMORY);
        oci_problems_add(t->problems, path, "%s", message);
    }
}

/* Whether the size is demanded. Else it is a limit: the guest gets what fits under it. */
static bool is_demanded(const struct translation *t)
{
    return t->settings->memory > 0 || t->config->vm.hw.memory.set;
}

/* What somebody has asked for, in bytes; 0: nobody has. */
static guint64 requested_memory(const struct translation *t)
{
    const struct oci_config *config = t->config;
    if (t->settings->memory > 0) {
        return t->settings->memory;
    }
    if (config->vm.hw.memory.set) {
        return config->vm.hw.memory.value;
    }
    guint64 limit = MAX(config->resources.memory.limit.value, 0);
    return limit > 0 ? limit : oci_translate_sandbox_size(config, OCI_SANDBOX_MEMORY);
}

/* The most that a guest may have under the container's limit. */
static guint64 largest_fit(const struct translation *t)
{
    guint64 fixed = overhead(t, 0);
    if (t->host->memory_limit <= fixed) {
        return 0;
    }
    return (t->host->memory_limit - fixed) / (OVERHEAD_DIVISOR + 1) * OVERHEAD_DIVISOR / MIB * MIB;
}

static void too_much_memory(struct translation *t, guint64 memory)
{
    g_autofree char *asked = quantity_format_size(memory);
    g_autofree char *message = g_strdup_printf("%s is more memory than a machine can have", asked);
    memory_problem(t, message);
}

static void check_memory(struct translation *t, guint64 memory, guint64 most)
{
    g_autofree char *asked = quantity_format_size(memory);
    g_autofree char *limit = quantity_format_size(t->host->memory_limit);
    if (memory < MIN_MEMORY) {
        g_autofree char *message = g_strdup_printf("%s of memory is too little for a guest to "
                                                   "boot; give it at least " MIN_MEMORY_TEXT,
                                                   asked);
        memory_problem(t, message);
    } else if (memory > MAX_MEMORY) {
        too_much_memory(t, memory);
    } else if (t->host->memory_limit > 0 && memory > most) {
        g_autofree char *beside = quantity_format_size(round_up(overhead(t, memory)));
        /* The largest is written as the setting takes it. */
        g_autofree char *message = g_strdup_printf(
            "the guest's %s and %s for QEMU do not fit the container's memory limit of %s; raise "
            "the limit, or give the guest at most %" G_GUINT64_FORMAT "M",
            asked, beside, limit, most / MIB);
        memory_problem(t, message);
    }
}

static void set_memory(struct translation *t)
{
    guint64 most = largest_fit(t);
    guint64 memory = requested_memory(t);
    if (t->host->memory_limit > 0 && memory > most && !is_demanded(t)) {
        memory = 0; /* the container's own limit is the lower one, and says how much */
    }
    if (memory > 0) {
        check_memory(t, memory, most);
    } else if (t->host->memory_limit == 0) {
        memory = DEFAULT_MEMORY;
    } else if (most >= MIN_MEMORY) {
        memory = most;
    } else {
        g_autofree char *limit = quantity_format_size(t->host->memory_limit);
        guint64 beside = round_up(overhead(t, MIN_MEMORY));
        g_autofree char *for_qemu = quantity_format_size(beside);
        g_autofree char *least = quantity_format_size(MIN_MEMORY + beside);
        oci_problems_add_outside(t->problems, "",
                                 "the container's memory limit of %s leaves no room for a guest "
                                 "beside %s for QEMU; raise the limit to at least %s",
                                 limit, for_qemu, least);
    }
    /* libvirt would round up to a MiB too, but silently. */
    t->spec->memory_kib = round_up(memory) / KIB;
    if (t->host->memory_limit > 0) {
        t->spec->tcg_cache_mib = TCG_CACHE_BOUNDED_MIB;
    }
}

/* Of @nodes those that are here: the kernel passes over the others, and libvirt would not start. */
static char *present_nodes(struct translation *t, const char *path, const char *nodes)
{
    struct cpulist list;
    if (t->host->nodes == NULL || !cpulist_parse(nodes, &list)) {
        return g_strdup(nodes);
    }
    cpulist_intersect(&list, t->host->nodes);
    if (cpulist_count(&list) == 0) {
        g_autofree char *present = cpulist_format(t->host->nodes);
        oci_problems_add(t->problems, path,
                         "none of the NUMA nodes %s is on this host; name some of %s, which it "
                         "has, or leave it out",
                         nodes, present);
    }
    if (t->spec->numa_mode == VM_NUMA_PREFERRED) {
        cpulist_keep_first(&list); /* set_mempolicy(2): "the first node in the mask" */
    }
    return cpulist_format(&list);
}

/* linux.memoryPolicy says more than a cgroup's list of nodes: it wins. */
static void set_nodes(struct translation *t)
{
    const struct oci_config *config = t->config;
    if (!t->host->may_set_memory_policy) {
        return;
    }
    const char *path = "linux.memoryPolicy.nodes", *nodes = NULL;
    int mode = oci_value_memory_policy(config->memory_policy.mode);
    if (mode >= 0) {
        nodes = config->memory_policy.nodes;
        t->spec->numa_mode = mode;
    }
    if (nodes == NULL) {
        path = "linux.resources.cpu.mems";
        nodes = config->resources.cpu.mems;
        t->spec->numa_mode = VM_NUMA_STRICT;
    }
    if (nodes != NULL) {
        t->spec->numa_nodes = present_nodes(t, path, nodes);
    }
}

/* After the memory's size is known. */
static void set_hugepages(struct translation *t)
{
    guint64 page = t->settings->hugepages, memory = t->spec->memory_kib * KIB;
    if (page == 0) {
        return;
    }
    t->spec->hugepage_kib = page / KIB;
    g_autofree char *size = quantity_format_size(page);
    /* Whole pages: QEMU would round up, and libvirt not know of it. */
    if (memory % page != 0) {
        t->spec->memory_kib = (memory / page + 1) * (page / KIB);
        memory = t->spec->memory_kib * KIB;
        if (memory > MAX_MEMORY && !oci_problems_any(t->problems)) {
            too_much_memory(t, memory);
        }
    }
    for (gsize i = 0; i < t->config->resources.hugepage_limits.length; i++) {
        const struct oci_hugepage_limit *limit = &t->config->resources.hugepage_limits.items[i];
        if (oci_value_page_size(limit->page_size) == page && limit->limit.value < memory) {
            g_autofree char *path = oci_path_element("linux.resources.hugepageLimits", i, "limit");
            g_autofree char *most = quantity_format_size(limit->limit.value);
            g_autofree char *wanted = quantity_format_size(memory);
            oci_problems_add(t->problems, path,
                             "the guest's memory of %s, in huge pages of %s, does not fit this "
                             "limit of %s; raise it, or make the guest smaller",
                             wanted, size, most);
        }
    }
}

/* The types that the domain is made for: with a PCIe root, and a bus for all that it has. */
static bool suits(enum vm_arch arch, const char *machine)
{
    return arch == VM_ARCH_X86_64
               ? g_str_equal(machine, "q35") || g_str_has_prefix(machine, "pc-q35-")
               : g_str_equal(machine, "virt") || g_str_has_prefix(machine, "virt-");
}

static void set_machine(struct translation *t)
{
    const char *machine = t->settings->machine;
    if (machine != NULL && !suits(t->host->arch, machine)) {
        g_autofree char *shown = oci_problems_shorten(machine);
        g_autofree char *message = g_strdup_printf(
            "the VM cannot be a machine of type \"%s\"; it can be %s", shown,
            t->host->arch == VM_ARCH_X86_64 ? "q35, or one of its versions, such as pc-q35-8.2"
                                            : "virt, or one of its versions, such as virt-8.2");
        oci_settings_problem(t->settings, OCI_SETTING_MACHINE, t->problems, message);
    }
    t->spec->machine = g_strdup(machine);
}

static void set_cpu_model(struct translation *t)
{
    const char *model = t->settings->cpu_model;
    if (g_strcmp0(model, "host") == 0 && t->host->accel == VM_ACCEL_TCG) {
        oci_settings_problem(t->settings, OCI_SETTING_CPU_MODEL, t->problems,
                             "\"host\" is possible with KVM alone, and this guest is emulated "
                             "(TCG); use max, or leave it out");
    }
    t->spec->cpu_model = g_strdup(model);
}

/* One kernel parameter as the kernel's parser wants it: in quotes if it holds a space. */
static char *quote_parameter(const char *parameter)
{
    if (strpbrk(parameter, " \t\n\v\f\r") == NULL || strchr(parameter, '"') != NULL) {
        return g_strdup(parameter);
    }
    const char *value = strchr(parameter, '=');
    return value == NULL
               ? g_strdup_printf("\"%s\"", parameter)
               : g_strdup_printf("%.*s=\"%s\"", (int)(value - parameter), parameter, value + 1);
}

static bool has_parameter(char **parameters, const char *prefix)
{
    for (char **p = parameters; p != NULL && *p != NULL; p++) {
        if (g_str_has_prefix(*p, prefix)) {
            return true;
        }
    }
    return false;
}

bool oci_translate_names_host(const struct oci_config *config)
{
    return config->hostname != NULL && config->vm.kernel.path != NULL &&
           !has_parameter(config->vm.kernel.parameters, "systemd.hostname=");
}

/* A guest that is told so can mount what it shares: "ocivirt.mount=TAG:PLACE:ro",
 * "ocivirt.file=NAME:PLACE" of a copy in the folder of files. */
static void add_folder_parameters(const struct vm_spec *spec, GPtrArray *words)
{
    for (guint i = 0; i < spec->folders->len; i++) {
        const struct vm_folder *folder = g_ptr_array_index(spec->folders, i);
        g_ptr_array_add(words, g_strdup_printf("ocivirt.mount=%s:%s%s", folder->tag,
                                               folder->destination, folder->readonly ? ":ro" : ""));
    }
    for (guint i = 0; i < spec->files->len; i++) {
        const struct vm_file *file = g_ptr_array_index(spec->files, i);
        g_ptr_array_add(words,
                        g_strdup_printf("ocivirt.file=%s:%s", file->name, file->destination));
    }
}

/* Linux cuts off what is longer, and what is at the end is the config's own. */
static void check_command_line(struct translation *t)
{
    gsize length = strlen(t->spec->cmdline);
    if (length > LONGEST_COMMAND_LINE) {
        oci_problems_add(t->problems, "vm.kernel.parameters",
                         "the kernel's command line has %" G_GSIZE_FORMAT " bytes, with what tells "
                         "the guest of %u shared folders and %u files, and Linux takes %d; share "
                         "fewer, larger folders, or leave parameters out",
                         length, t->spec->folders->len, t->spec->files->len, LONGEST_COMMAND_LINE);
    }
}

static void set_kernel(struct translation *t)
{
    const struct oci_config *config = t->config;
    struct vm_spec *spec = t->spec;
    if (config->vm.kernel.path == NULL) {
        return;
    }
    spec->kernel = g_strdup(config->vm.kernel.path);
    spec->initrd = g_strdup(config->vm.kernel.initrd);

    g_autoptr(GPtrArray) words = g_ptr_array_new_with_free_func(g_free);
    char **parameters = config->vm.kernel.parameters;
    /* There is no screen: without this Linux would have nowhere to speak. */
    if (!has_parameter(parameters, "console=")) {
        g_ptr_array_add(words, g_strconcat("console=", vm_arch_console(spec->arch), NULL));
    }
    /* In front as well: behind a "--" it would be a word to init. */
    if (oci_translate_names_host(config)) {
        g_ptr_array_add(words, g_strconcat("systemd.hostname=", config->hostname, NULL));
    }
    add_folder_parameters(spec, words);
    for (char **p = parameters; p != NULL && *p != NULL; p++) {
        g_ptr_array_add(words, quote_parameter(*p));
    }
    g_ptr_array_add(words, NULL);
    spec->cmdline = g_strjoinv(" ", (char **)words->pdata);
    check_command_line(t);
}

static void keep_foreign_annotations(struct translation *t)
{
    for (gsize i = 0; i < t->config->annotations.length; i++) {
        const struct oci_pair *annotation = &t->config->annotations.items[i];
        if (!oci_settings_owns(annotation->key)) {
            vm_spec_add_metadata(t->spec, annotation->key, annotation->value);
        }
    }
}

enum oci_mount_role oci_translate_mount_role(const struct oci_config *config,
                                             const struct oci_host *host, gsize index)
{
    return oci_mount_role(config, &config->mounts.items[index],
                          host->mounts != NULL ? host->mounts[index].kind : OCI_SOURCE_UNSEEN);
}

/* RFC 9562, version 5: the same id is the same machine to its guest, after every restart. */
static char *uuid_of(const char *id)
{
    static const guint8 namespace[16] = {0x0c, 0x1f, 0x52, 0x74, 0x91, 0x6e, 0x4d, 0x3b,
                                         0xa1, 0x57, 0x2e, 0x88, 0x6d, 0x05, 0xc9, 0xf1};
    guint8 digest[20];
    gsize length = sizeof(digest);
    g_autoptr(GChecksum) sha1 = g_checksum_new(G_CHECKSUM_SHA1);
    g_checksum_update(sha1, namespace, sizeof(namespace));
    g_checksum_update(sha1, (const guchar *)id, strlen(id));
    g_checksum_get_digest(sha1, digest, &length);
    digest[6] = (digest[6] & 0x0f) | 0x50;
    digest[8] = (digest[8] & 0x3f) | 0x80;

    GString *uuid = g_string_sized_new(36);
    for (int i = 0; i < 16; i++) {
        g_string_append_printf(uuid, "%s%02x", i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "",
                               digest[i]);
    }
    return g_string_free(uuid, FALSE);
}

struct vm_spec *oci_translate(const struct oci_config *config, const struct oci_settings *settings,
                              const struct oci_host *host, struct oci_problems *problems)
{
    g_autoptr(vm_spec) spec = vm_spec_new();
    struct translation t = {config, settings, host, problems, spec, 0};
    gsize problems_before = problems->list->len;

    spec->name = g_strdup(host->id);
    spec->uuid = uuid_of(host->id);
    spec->arch = host->arch;
    spec->accel = host->accel;
    set_machine(&t);
    set_cpu_model(&t);
    const char *emulator = config->vm.hypervisor.path;
    spec->emulator = g_strdup(emulator != NULL ? emulator : host->emulator);
    spec->launcher = g_strdup(host->launcher);
    spec->emulator_args = g_strdupv(config->vm.hypervisor.parameters);
    spec->device_tree = g_strdup(config->vm.hw.device_tree);
    spec->exit_on_reboot = settings->on_reboot == OCI_REBOOT_EXIT;
    spec->console_socket = g_strconcat(host->root, "/run/console.sock", NULL);
    spec->agent_socket = g_strconcat(host->root, "/run/agent.sock", NULL);
    spec->exit_pipe = g_strconcat(host->root, "/exit", NULL);
    translate_network(&t);
    translate_folders(&t);
    if (settings->tpm == OCI_TPM_2_0) {
        spec->tpm_socket = g_strconcat(host->root, "/run/tpm.sock", NULL);
        spec->tpm_state = g_strconcat(host->root, "/disks/tpm", NULL);
    }
    set_cpus(&t);
    set_memory(&t);
    set_nodes(&t);
    set_hugepages(&t);
    set_kernel(&t);
    translate_disks(&t);
    translate_devices(&t);
    translate_firmware(&t);
    translate_first_boot(&t);
    translate_process(&t);
    keep_foreign_annotations(&t);
    translate_check_writable_folders(&t);

    return problems->list->len == problems_before ? g_steal_pointer(&spec) : NULL;
}
