// SPDX-License-Identifier: LGPL-2.1-or-later
#include "oci/document.h"
#include "oci/translation.h"
#include "oci/values.h"
#include "src/util/quantity.h"

/* How big the VM is: CPUs, memory, and where on the host they are. */

#define KIB ((guint64)1 << 10)
#define MIB ((guint64)1 << 20)

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

/* Of the CPUs that the config names those that may be used here, as the kernel takes them. False:
 * it names none. */
static bool find_cpuset(const struct translation *t, struct cpulist *list)
{
    const char *text = t->config->resources.cpu.cpus;
    if (text == NULL || !cpulist_parse(text, list)) {
        return false;
    }
    if (t->host->allowed_cpus != NULL) {
        cpulist_intersect(list, t->host->allowed_cpus);
    }
    return true;
}

/* What OCI properties that limit a container say, in their order; 0: nothing. */
static unsigned cpus_of_limits(const struct translation *t)
{
    const struct oci_config *config = t->config;
    unsigned cpus = cpus_of_quota(MAX(config->resources.cpu.quota.value, 0),
                                  config->resources.cpu.period.value);
    struct cpulist list;
    if (cpus == 0 && find_cpuset(t, &list)) {
        cpus = cpulist_count(&list);
    }
    return cpus > 0 ? cpus
                    : cpus_of_quota(oci_translate_sandbox_size(config, OCI_SANDBOX_CPU_QUOTA),
                                    oci_translate_sandbox_size(config, OCI_SANDBOX_CPU_PERIOD));
}

static void set_cpuset(struct translation *t)
{
    struct cpulist list;
    if (!find_cpuset(t, &list)) {
        return;
    }
    if (cpulist_count(&list) == 0) {
        g_autofree char *allowed = cpulist_format(t->host->allowed_cpus);
        oci_problems_add(t->problems, "linux.resources.cpu.cpus",
                         "none of the CPUs %s may be used here; name some of %s, which the "
                         "container has, or leave it out",
                         t->config->resources.cpu.cpus, allowed);
    }
    t->spec->cpuset = cpulist_format(&list);
}

/* What libvirt gives an emulated guest of this architecture, an interrupt controller of the second
 * version, takes no more. */
#define EMULATED_AARCH64_MAX_CPUS 8

static unsigned most_cpus(const struct oci_host *host)
{
    return host->arch == VM_ARCH_AARCH64 && host->accel == VM_ACCEL_TCG ? EMULATED_AARCH64_MAX_CPUS
                                                                        : OCI_MAX_CPUS;
}

static void refuse_cpus(struct translation *t, guint64 cpus, unsigned most)
{
    g_autofree char *message =
        g_strdup_printf("%" G_GUINT64_FORMAT
                        " CPUs are more than a guest of this architecture can have where it is "
                        "emulated (TCG); give it at most %u",
                        cpus, most);
    if (t->settings->cpus > 0) {
        oci_settings_problem(t->settings, OCI_SETTING_CPUS, t->problems, message);
    } else {
        g_autofree char *path = oci_path_child(t->config->vm.hw.path, "vcpus");
        oci_problems_add(t->problems, path, "%s", message);
    }
}

static void set_cpus(struct translation *t)
{
    set_cpuset(t);
    unsigned most = most_cpus(t->host);
    guint64 demanded = t->settings->cpus > 0 ? t->settings->cpus : t->config->vm.hw.vcpus.value;
    if (demanded > most) {
        refuse_cpus(t, demanded, most);
    }
    unsigned wanted = demanded > 0 ? demanded : cpus_of_limits(t);
    t->spec->vcpus = MIN(wanted > 0 ? wanted : t->host->cpus, most);
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

/* The container's own limit is the lower one, and says how much; or the machine has less. */
static bool limits_nothing(const struct translation *t, guint64 limit, guint64 most)
{
    return (t->host->memory_limit > 0 && limit > most) ||
           (t->host->memory > 0 && limit >= t->host->memory);
}

static void set_memory(struct translation *t)
{
    guint64 most = largest_fit(t);
    guint64 memory = requested_memory(t);
    if (!is_demanded(t) && limits_nothing(t, memory, most)) {
        memory = 0;
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

void translate_size(struct translation *t)
{
    set_cpus(t);
    set_memory(t);
    set_nodes(t);
    set_hugepages(t);
}
