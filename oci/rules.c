// SPDX-License-Identifier: LGPL-2.1-or-later
#include "oci/rules.h"
#include "oci/devices.h"
#include "oci/document.h"
#include "oci/seccomp.h"
#include "oci/values.h"

#include <libxml/chvalid.h>
#include <string.h>

/* A problem with element @index of the list at @list, or with its member @member. */
static void element_problem(struct oci_problems *problems, const char *list, gsize index,
                            const char *member, const char *format, ...) G_GNUC_PRINTF(5, 6);

static void element_problem(struct oci_problems *problems, const char *list, gsize index,
                            const char *member, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    g_autofree char *message = g_strdup_vprintf(format, args);
    va_end(args);
    g_autofree char *path = oci_path_element(list, index, member);
    oci_problems_add(problems, path, "%s", message);
}

/* Whether what stands at @path, or should, is missing: it is there, too, if it is wrong. */
static bool is_missing(const struct oci_problems *problems, const char *path, bool set)
{
    return !set && !oci_problems_cover(problems, path);
}

static bool lacks(const struct oci_problems *problems, const char *list, gsize index,
                  const char *member, bool set)
{
    g_autofree char *path = set ? NULL : oci_path_element(list, index, member);
    return is_missing(problems, path, set);
}

static void check_version(const struct oci_config *config, struct oci_problems *problems)
{
    if (config->version != NULL && !g_str_has_prefix(config->version, "1.")) {
        g_autofree char *version = oci_problems_shorten(config->version);
        oci_problems_add(problems, "ociVersion",
                         "\"%s\" is not supported; any 1.x.y of the OCI runtime-spec is", version);
    }
}

static void check_boot(const struct oci_config *config, struct oci_problems *problems)
{
    bool kernel = !is_missing(problems, "vm.kernel.path", config->vm.kernel.path != NULL);
    bool image = !is_missing(problems, "vm.image.path", config->vm.image.path != NULL);
    if (!kernel && !image) {
        oci_problems_add(problems, "vm",
                         "there is nothing to boot: name a kernel in vm.kernel.path, or a disk "
                         "image with its own boot loader in vm.image.path");
    }
    if (!kernel && config->vm.kernel.initrd != NULL) {
        oci_problems_add(problems, "vm.kernel.initrd",
                         "an initrd needs a kernel: name it in vm.kernel.path");
    }
    if (!kernel && config->vm.kernel.parameters != NULL &&
        config->vm.kernel.parameters[0] != NULL) {
        oci_problems_add(problems, "vm.kernel.parameters",
                         "parameters need a kernel: name it in vm.kernel.path (the boot loader of "
                         "a disk image has parameters of its own)");
    }
    if (!image && config->vm.image.format != NULL) {
        oci_problems_add(problems, "vm.image.format",
                         "a format needs an image: name it in vm.image.path");
    }
}

/* A problem; NULL: there is none. The caller owns it. */
static char *unwritable(const char *text, bool is_file)
{
    const char *end = NULL;
    if (!g_utf8_validate(text, -1, &end)) {
        return g_strdup_printf("must not hold the byte 0x%02X, which is no UTF-8, and cannot be "
                               "written in the domain XML",
                               (guint8)*end);
    }
    for (const char *p = text; *p != '\0'; p = g_utf8_next_char(p)) {
        gunichar c = g_utf8_get_char(p);
        if (!xmlIsCharQ(c) || (is_file && (c == '\n' || c == '\r'))) {
            return g_strdup_printf("must not hold the character U+%04X, which cannot be written in "
                                   "the domain XML",
                                   c);
        }
    }
    return NULL;
}

bool oci_rules_check_text(const char *text, bool is_file, const char *where,
                          struct oci_problems *problems)
{
    g_autofree char *problem = unwritable(text, is_file);
    if (problem != NULL) {
        oci_problems_add(problems, where, "%s", problem);
    }
    return problem == NULL;
}

static void check_text(struct oci_problems *problems, const char *path, const char *text,
                       bool is_file)
{
    if (text != NULL) {
        oci_rules_check_text(text, is_file, path, problems);
    }
}

static void check_texts(struct oci_problems *problems, const char *list, char **texts)
{
    for (gsize i = 0; texts != NULL && texts[i] != NULL; i++) {
        g_autofree char *path = oci_path_element(list, i, NULL);
        check_text(problems, path, texts[i], false);
    }
}

static void check_domain_texts(const struct oci_config *config, struct oci_problems *problems)
{
    g_autofree char *device_tree = oci_path_child(config->vm.hw.path, "deviceTree");
    check_text(problems, "vm.hypervisor.path", config->vm.hypervisor.path, true);
    check_texts(problems, "vm.hypervisor.parameters", config->vm.hypervisor.parameters);
    check_text(problems, "vm.kernel.path", config->vm.kernel.path, true);
    check_texts(problems, "vm.kernel.parameters", config->vm.kernel.parameters);
    check_text(problems, "vm.kernel.initrd", config->vm.kernel.initrd, true);
    check_text(problems, "vm.image.path", config->vm.image.path, true);
    check_text(problems, device_tree, config->vm.hw.device_tree, true);
    check_text(problems, "process.apparmorProfile", config->process.apparmor_profile, false);
    check_text(problems, "process.selinuxLabel", config->process.selinux_label, false);
    for (gsize i = 0; i < config->devices.length; i++) {
        g_autofree char *path = oci_path_element("linux.devices", i, "path");
        check_text(problems, path, config->devices.items[i].path, true);
    }
}

static void check_rlimits(const struct oci_config *config, struct oci_problems *problems)
{
    static const char list[] = "process.rlimits";
    g_autoptr(GHashTable) seen = g_hash_table_new(g_str_hash, g_str_equal);
    for (gsize i = 0; i < config->process.rlimits.length; i++) {
        const struct oci_rlimit *limit = &config->process.rlimits.items[i];
        if (limit->type != NULL && !g_hash_table_add(seen, limit->type)) {
            element_problem(problems, list, i, "type",
                            "%s is there twice; the spec allows each once", limit->type);
        }
        if (limit->soft.set && limit->hard.set && limit->soft.value > limit->hard.value) {
            element_problem(problems, list, i, "soft",
                            "must be at most hard, %" G_GUINT64_FORMAT
                            ", and is %" G_GUINT64_FORMAT,
                            limit->hard.value, limit->soft.value);
        }
    }
}

static void check_scheduler(const struct oci_process *process, struct oci_problems *problems)
{
    const char *policy = process->scheduler.policy;
    if (policy == NULL) {
        return;
    }
    if (oci_value_policy(policy) < 0) {
        oci_problems_add(problems, "process.scheduler.policy",
                         "%s is not possible for QEMU: %s; use one of SCHED_OTHER, SCHED_BATCH, "
                         "SCHED_IDLE, SCHED_FIFO and SCHED_RR, or leave the scheduler out",
                         policy,
                         g_str_equal(policy, "SCHED_DEADLINE")
                             ? "it is for a single thread, and QEMU has many"
                             : "Linux has no such policy");
        return;
    }
    static const char path[] = "process.scheduler.priority";
    bool real_time = g_str_equal(policy, "SCHED_FIFO") || g_str_equal(policy, "SCHED_RR");
    gint64 priority = process->scheduler.priority.value;
    bool set = process->scheduler.priority.set;
    if (real_time && priority == 0 && (set || is_missing(problems, path, set))) {
        oci_problems_add(problems, path, "must be from 1 to 99 with %s, and is %s", policy,
                         set ? "0" : "missing");
    } else if (!real_time && priority != 0) {
        oci_problems_add(problems, path,
                         "must be 0 or absent with %s, and is %" G_GINT64_FORMAT
                         ": only SCHED_FIFO and SCHED_RR have priorities",
                         policy, priority);
    }
}

static void check_process(const struct oci_config *config, struct oci_problems *problems)
{
    check_rlimits(config, problems);
    check_scheduler(&config->process, problems);
}

static void check_mounts(const struct oci_config *config, struct oci_problems *problems)
{
    for (gsize i = 0; i < config->mounts.length; i++) {
        const struct oci_mount *mount = &config->mounts.items[i];
        bool uid = mount->uid_mappings.length > 0, gid = mount->gid_mappings.length > 0;
        if (uid != gid &&
            lacks(problems, "mounts", i, uid ? "gidMappings" : "uidMappings", false)) {
            element_problem(problems, "mounts", i, uid ? "uidMappings" : "gidMappings",
                            "there are no %s beside it; the spec wants both or none",
                            uid ? "gidMappings" : "uidMappings");
        }
        if (mount->destination != NULL && *mount->destination == '\0') {
            element_problem(problems, "mounts", i, "destination",
                            "must not be empty: it is where in the container the mount is");
        }
    }
}

static void check_namespaces(const struct oci_config *config, struct oci_problems *problems)
{
    g_autoptr(GHashTable) seen = g_hash_table_new(g_str_hash, g_str_equal);
    for (gsize i = 0; i < config->namespaces.length; i++) {
        char *type = config->namespaces.items[i].type;
        if (type != NULL && !g_hash_table_add(seen, type)) {
            element_problem(problems, "linux.namespaces", i, "type",
                            "\"%s\" is there twice; the spec allows each once", type);
        }
    }
}

/* One group, written in two ways. */
static void check_vfio_groups(const struct oci_config *config, struct oci_problems *problems)
{
    g_autoptr(GHashTable) seen = g_hash_table_new(g_direct_hash, g_direct_equal);
    for (gsize i = 0; i < config->devices.length; i++) {
        const struct oci_device *device = &config->devices.items[i];
        if (device->path == NULL || device->type == NULL ||
            oci_device_role(config, device) != OCI_DEVICE_VFIO) {
            continue;
        }
        guint64 number = oci_device_vfio_group(device);
        if (!g_hash_table_add(seen, GSIZE_TO_POINTER(number))) {
            element_problem(problems, "linux.devices", i, "path",
                            "IOMMU group %" G_GUINT64_FORMAT
                            " is there already, by another path; one of them must go",
                            number);
        }
    }
}

static void check_devices(const struct oci_config *config, struct oci_problems *problems)
{
    static const char list[] = "linux.devices";
    g_autoptr(GHashTable) seen = g_hash_table_new(g_str_hash, g_str_equal);
    bool twice = false;
    for (gsize i = 0; i < config->devices.length; i++) {
        const struct oci_device *device = &config->devices.items[i];
        bool numbered = device->type != NULL && !g_str_equal(device->type, "p");
        if (numbered && lacks(problems, list, i, "major", device->major.set)) {
            element_problem(problems, list, i, "major",
                            "is missing, and required for a device of type %s", device->type);
        }
        if (numbered && lacks(problems, list, i, "minor", device->minor.set)) {
            element_problem(problems, list, i, "minor",
                            "is missing, and required for a device of type %s", device->type);
        }
        if (device->path != NULL && !g_hash_table_add(seen, device->path)) {
            g_autofree char *path = oci_problems_shorten(device->path);
            element_problem(problems, list, i, "path",
                            "there are two devices at %s; one of them must go", path);
            twice = true;
        }
    }
    if (!twice) {
        check_vfio_groups(config, problems);
    }
}

static void check_weight_devices(const struct oci_config *config, struct oci_problems *problems)
{
    for (gsize i = 0; i < config->resources.block_io.weight_devices.length; i++) {
        const struct oci_device_weight *device =
            &config->resources.block_io.weight_devices.items[i];
        g_autofree char *path = oci_path_element("linux.resources.blockIO.weightDevice", i, NULL);
        /* If one of them is wrong, there is one. */
        if (!device->weight.set && !device->leaf_weight.set &&
            !oci_problems_within(problems, path)) {
            oci_problems_add(problems, path, "must have a weight, or a leafWeight, or both");
        }
    }
}

static void check_cpu(const struct oci_config *config, struct oci_problems *problems)
{
    const struct oci_int *quota = &config->resources.cpu.quota;
    const struct oci_uint *period = &config->resources.cpu.period;
    const struct oci_uint *burst = &config->resources.cpu.burst;
    if (quota->set && quota->value > 0 && period->set && period->value == 0) {
        oci_problems_add(problems, "linux.resources.cpu.period",
                         "must not be 0 beside a quota; the usual period is 100000 (µs)");
    }
    if (quota->set && quota->value > 0 && burst->set && burst->value > (guint64)quota->value) {
        oci_problems_add(problems, "linux.resources.cpu.burst",
                         "must be at most the quota, %" G_GINT64_FORMAT
                         ", and is %" G_GUINT64_FORMAT,
                         quota->value, burst->value);
    }
}

static void check_unified(const struct oci_config *config, struct oci_problems *problems)
{
    for (gsize i = 0; i < config->resources.unified.length; i++) {
        const char *key = config->resources.unified.items[i].key;
        if (strchr(key, '/') != NULL) {
            g_autofree char *path = oci_path_child("linux.resources.unified", key);
            g_autofree char *shown = oci_problems_shorten(key);
            oci_problems_add_key(
                problems, path, "\"%s\" is not a file of a cgroup, such as \"memory.high\"", shown);
        }
    }
}

static void check_rdma(const struct oci_config *config, struct oci_problems *problems)
{
    for (gsize i = 0; i < config->resources.rdma.length; i++) {
        const struct oci_rdma *rdma = &config->resources.rdma.items[i];
        g_autofree char *path = oci_path_child("linux.resources.rdma", rdma->key);
        if (!rdma->hca_handles.set && !rdma->hca_objects.set &&
            !oci_problems_within(problems, path)) {
            oci_problems_add(problems, path, "must have hcaHandles, or hcaObjects, or both");
        }
    }
}

/* set_mempolicy(2) */
static void check_memory_policy(const struct oci_config *config, struct oci_problems *problems)
{
    static const char path[] = "linux.memoryPolicy.nodes";
    const char *mode = config->memory_policy.mode, *nodes = config->memory_policy.nodes;
    if (mode == NULL) {
        return;
    }
    bool nowhere = g_str_equal(mode, "MPOL_DEFAULT") || g_str_equal(mode, "MPOL_LOCAL");
    bool anywhere = g_str_equal(mode, "MPOL_PREFERRED");
    if (!nowhere && oci_value_memory_policy(mode) < 0) {
        oci_problems_add(problems, "linux.memoryPolicy.mode",
                         "%s is not possible, libvirt does not have it; use MPOL_BIND, "
                         "MPOL_INTERLEAVE or MPOL_PREFERRED, or leave the policy out",
                         mode);
    } else if (nowhere && nodes != NULL) {
        g_autofree char *shown = oci_problems_shorten(nodes);
        oci_problems_add(problems, path,
                         "must be absent with %s, and is \"%s\": MPOL_BIND, MPOL_INTERLEAVE and "
                         "MPOL_PREFERRED are for certain nodes",
                         mode, shown);
    } else if (!nowhere && !anywhere && is_missing(problems, path, nodes != NULL)) {
        oci_problems_add(problems, path,
                         "is missing, and required with %s: a list of NUMA nodes such as \"0-1,3\"",
                         mode);
    }
}

static bool takes_errno(const char *action)
{
    return action == NULL || g_str_equal(action, "SCMP_ACT_ERRNO") ||
           g_str_equal(action, "SCMP_ACT_TRACE");
}

#define NO_ERRNO                                                                                   \
    "%s returns no errno: leave it out, or use SCMP_ACT_ERRNO (SCMP_ACT_TRACE has one as well)"

void oci_rules_check_seccomp(const struct oci_seccomp *seccomp, const char *path,
                             struct oci_problems *problems)
{
    g_autofree char *errno_ret = oci_path_child(path, "defaultErrnoRet");
    g_autofree char *action = oci_path_child(path, "defaultAction");
    g_autofree char *metadata = oci_path_child(path, "listenerMetadata");
    g_autofree char *listener = oci_path_child(path, "listenerPath");
    g_autofree char *syscalls = oci_path_child(path, "syscalls");
    if (seccomp->default_errno_ret.set && !takes_errno(seccomp->default_action)) {
        oci_problems_add(problems, errno_ret, NO_ERRNO, seccomp->default_action);
    }
    /* With a listener it is one that we do not have, which matters only if the profile is used. */
    bool deaf = is_missing(problems, listener, seccomp->listener_path != NULL);
    if (deaf && g_strcmp0(seccomp->default_action, "SCMP_ACT_NOTIFY") == 0) {
        oci_problems_add(problems, action, "%s", OCI_SECCOMP_NO_AGENT);
    }
    if (deaf && seccomp->listener_metadata != NULL) {
        oci_problems_add(problems, metadata,
                         "needs a listenerPath beside it: it is what the listener is told");
    }
    for (gsize i = 0; i < seccomp->syscalls.length; i++) {
        const struct oci_syscall *rule = &seccomp->syscalls.items[i];
        if (rule->errno_ret.set && !takes_errno(rule->action)) {
            element_problem(problems, syscalls, i, "errnoRet", NO_ERRNO, rule->action);
        }
        if (deaf && g_strcmp0(rule->action, "SCMP_ACT_NOTIFY") == 0) {
            element_problem(problems, syscalls, i, "action", "%s", OCI_SECCOMP_NO_AGENT);
        }
    }
}

void oci_rules_check(const struct oci_config *config, struct oci_problems *problems)
{
    check_version(config, problems);
    check_boot(config, problems);
    check_domain_texts(config, problems);
    check_process(config, problems);
    check_mounts(config, problems);
    check_namespaces(config, problems);
    check_devices(config, problems);
    check_weight_devices(config, problems);
    check_cpu(config, problems);
    check_unified(config, problems);
    check_rdma(config, problems);
    check_memory_policy(config, problems);
    oci_rules_check_seccomp(&config->seccomp, "linux.seccomp", problems);
}
