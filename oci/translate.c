// SPDX-License-Identifier: LGPL-2.1-or-later
#include "oci/translate.h"

#include "oci/document.h"
#include "oci/rules.h"
#include "src/util/quantity.h"

#include <string.h>

#define KIB ((guint64)1 << 10)
#define MIB ((guint64)1 << 20)

/* Below this no kernel gets as far as a message. */
#define MIN_MEMORY (16 * MIB)
#define MIN_MEMORY_TEXT "16M"
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

static guint64 round_up(guint64 bytes)
{
    return (bytes / MIB + (bytes % MIB != 0)) * MIB;
}

guint64 oci_translate_overhead(guint64 memory, enum vm_accel accel)
{
    guint64 cache = accel == VM_ACCEL_TCG ? TCG_CACHE_BOUNDED_MIB * MIB : 0;
    return OVERHEAD_BASE + cache + memory / OVERHEAD_DIVISOR;
}

struct translation {
    const struct oci_config *config;
    const struct oci_settings *settings;
    const struct oci_host *host;
    struct oci_problems *problems;
    struct vm_spec *spec;
};

static void set_cpus(struct translation *t)
{
    const struct oci_config *config = t->config;
    t->spec->cpuset = g_strdup(config->resources.cpu.cpus);
    if (t->settings->cpus > 0) {
        t->spec->vcpus = t->settings->cpus;
    } else if (config->vm.hw.vcpus.set) {
        t->spec->vcpus = config->vm.hw.vcpus.value;
    } else if (config->resources.cpu.quota.set && config->resources.cpu.quota.value > 0) {
        /* cgroup v2, cpu.max: a period of 100 ms where none is given. */
        guint64 quota = config->resources.cpu.quota.value;
        guint64 period =
            config->resources.cpu.period.set ? config->resources.cpu.period.value : 100000;
        t->spec->vcpus = CLAMP(quota / period + (quota % period != 0), 1, OCI_MAX_CPUS);
    } else {
        unsigned count = 0;
        if (t->spec->cpuset == NULL || !oci_rules_parse_cpus(t->spec->cpuset, &count)) {
            count = t->host->cpus;
        }
        t->spec->vcpus = MIN(count, OCI_MAX_CPUS);
    }
}

/* A place for a problem with the memory's size: wherever that came from. */
static void memory_problem(struct translation *t, const char *message)
{
    if (t->settings->memory > 0) {
        oci_settings_problem(t->settings, OCI_SETTING_MEMORY, t->problems, message);
    } else if (t->config->vm.hw.memory.set) {
        g_autofree char *path = oci_path_child(t->config->vm.hw.path, "memory");
        oci_problems_add(t->problems, path, "%s", message);
    } else if (t->config->resources.memory.limit.set &&
               t->config->resources.memory.limit.value > 0) {
        oci_problems_add(t->problems, "linux.resources.memory.limit", "%s", message);
    } else {
        oci_problems_add_outside(t->problems, "", "%s", message);
    }
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
    return config->resources.memory.limit.set ? MAX(config->resources.memory.limit.value, 0) : 0;
}

/* The most that a guest may have under the container's limit. */
static guint64 largest_fit(const struct oci_host *host)
{
    guint64 fixed = oci_translate_overhead(0, host->accel);
    if (host->memory_limit <= fixed) {
        return 0;
    }
    return (host->memory_limit - fixed) / (OVERHEAD_DIVISOR + 1) * OVERHEAD_DIVISOR / MIB * MIB;
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
    } else if (memory > G_MAXINT64) {
        g_autofree char *message =
            g_strdup_printf("%s is more memory than a machine can have", asked);
        memory_problem(t, message);
    } else if (t->host->memory_limit > 0 && memory > most) {
        g_autofree char *overhead =
            quantity_format_size(round_up(oci_translate_overhead(memory, t->host->accel)));
        /* The largest is written as the setting takes it. */
        g_autofree char *message = g_strdup_printf(
            "the guest's %s and %s for QEMU do not fit the container's memory limit of %s; raise "
            "the limit, or give the guest at most %" G_GUINT64_FORMAT "M",
            asked, overhead, limit, most / MIB);
        memory_problem(t, message);
    }
}

static void set_memory(struct translation *t)
{
    guint64 most = largest_fit(t->host);
    guint64 memory = requested_memory(t);
    if (memory > 0) {
        check_memory(t, memory, most);
    } else if (t->host->memory_limit == 0) {
        memory = DEFAULT_MEMORY;
    } else if (most >= MIN_MEMORY) {
        memory = most;
    } else {
        g_autofree char *limit = quantity_format_size(t->host->memory_limit);
        guint64 overhead = round_up(oci_translate_overhead(MIN_MEMORY, t->host->accel));
        g_autofree char *for_qemu = quantity_format_size(overhead);
        g_autofree char *least = quantity_format_size(MIN_MEMORY + overhead);
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
    if (config->hostname != NULL && !has_parameter(parameters, "systemd.hostname=")) {
        g_ptr_array_add(words, g_strconcat("systemd.hostname=", config->hostname, NULL));
    }
    for (char **p = parameters; p != NULL && *p != NULL; p++) {
        g_ptr_array_add(words, quote_parameter(*p));
    }
    g_ptr_array_add(words, NULL);
    spec->cmdline = g_strjoinv(" ", (char **)words->pdata);
}

static void set_image(struct translation *t)
{
    const char *format = t->config->vm.image.format;
    if (t->config->vm.image.path == NULL) {
        return;
    }
    if (format == NULL) {
        format = "raw"; /* config-vm.md: the default */
    } else if (g_str_equal(format, "vhd")) {
        format = "vpc"; /* QEMU's and libvirt's name for it */
    }
    struct vm_disk *disk = vm_spec_add_disk(t->spec, t->config->vm.image.path, format);
    disk->overlay = g_strdup_printf("%s/disks/%s.qcow2", t->host->root, disk->target);
}

static void keep_foreign_annotations(struct translation *t)
{
    for (guint i = 0; i < t->config->annotations->len; i++) {
        const struct oci_annotation *annotation = g_ptr_array_index(t->config->annotations, i);
        if (!oci_settings_owns(annotation->key)) {
            vm_spec_add_metadata(t->spec, annotation->key, annotation->value);
        }
    }
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
    struct translation t = {config, settings, host, problems, spec};
    gsize problems_before = problems->list->len;

    spec->name = g_strdup(host->id);
    spec->uuid = uuid_of(host->id);
    spec->arch = host->arch;
    spec->accel = host->accel;
    spec->machine = g_strdup(settings->machine);
    spec->cpu_model = g_strdup(settings->cpu_model);
    const char *emulator = config->vm.hypervisor.path;
    spec->emulator = g_strdup(emulator != NULL ? emulator : host->emulator);
    spec->emulator_args = g_strdupv(config->vm.hypervisor.parameters);
    spec->device_tree = g_strdup(config->vm.hw.device_tree);
    spec->exit_on_reboot = settings->on_reboot == OCI_REBOOT_EXIT;
    spec->console_socket = g_strconcat(host->root, "/run/console.sock", NULL);
    spec->agent_socket = g_strconcat(host->root, "/run/agent.sock", NULL);
    set_cpus(&t);
    set_memory(&t);
    set_kernel(&t);
    set_image(&t);
    keep_foreign_annotations(&t);

    return problems->list->len == problems_before ? g_steal_pointer(&spec) : NULL;
}
