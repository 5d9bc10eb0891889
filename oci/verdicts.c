// SPDX-License-Identifier: LGPL-2.1-or-later
#include "oci/verdicts.h"
#include "oci/cloud_init.h"
#include "oci/devices.h"
#include "oci/values.h"
#include "src/util/quantity.h"

#include <string.h>

static void say(struct oci_verdict *verdict, enum oci_fate fate, const char *format, ...)
    G_GNUC_PRINTF(3, 4);

static void say(struct oci_verdict *verdict, enum oci_fate fate, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    g_free(verdict->text);
    verdict->text = g_strdup_vprintf(format, args);
    verdict->fate = fate;
    va_end(args);
}

/* Says that setting @id wins, if somebody has made it. */
static bool is_overridden(const struct oci_situation *s, enum oci_setting_id id,
                          struct oci_verdict *verdict)
{
    const char *source = s->settings->source[id];
    if (source != NULL) {
        say(verdict, OCI_IGNORED, "%s says otherwise, and wins", source);
    }
    return source != NULL;
}

/* --- sizes --- */

void oci_judge_vcpus(const struct oci_situation *s, gsize index, struct oci_verdict *verdict)
{
    (void)index;
    if (!is_overridden(s, OCI_SETTING_CPUS, verdict)) {
        say(verdict, OCI_HONOURED, "CPUs: %" G_GUINT64_FORMAT, s->config->vm.hw.vcpus.value);
    }
}

void oci_judge_quota(const struct oci_situation *s, gsize index, struct oci_verdict *verdict)
{
    (void)index;
    if (is_overridden(s, OCI_SETTING_CPUS, verdict)) {
        return;
    }
    if (s->config->resources.cpu.quota.value <= 0) {
        say(verdict, OCI_IGNORED, "without a positive quota there is no limit");
    } else if (s->config->vm.hw.vcpus.set) {
        say(verdict, OCI_IGNORED, "%s.vcpus says how many CPUs, and wins", s->config->vm.hw.path);
    } else if (s->spec != NULL) {
        say(verdict, OCI_HONOURED, "CPUs: %u, quota / period rounded up", s->spec->vcpus);
    }
}

static void say_memory(const struct oci_situation *s, struct oci_verdict *verdict)
{
    if (s->spec != NULL) {
        g_autofree char *size = quantity_format_size(s->spec->memory_kib * 1024);
        say(verdict, OCI_HONOURED, "memory: %s", size);
    }
}

void oci_judge_memory(const struct oci_situation *s, gsize index, struct oci_verdict *verdict)
{
    (void)index;
    if (!is_overridden(s, OCI_SETTING_MEMORY, verdict)) {
        say_memory(s, verdict);
    }
}

/* A limit that the container's own is below, or that there is no memory for. */
static void say_less(const struct oci_situation *s, struct oci_verdict *verdict)
{
    if (s->spec != NULL &&
        s->spec->memory_kib * 1024 < (guint64)s->config->resources.memory.limit.value) {
        g_autofree char *text = g_steal_pointer(&verdict->text);
        verdict->text = g_strconcat(text,
                                    s->host->memory_limit > 0
                                        ? ", which is what the container's own limit leaves"
                                        : ", since the limit is more than the machine has",
                                    NULL);
    }
}

void oci_judge_memory_limit(const struct oci_situation *s, gsize index, struct oci_verdict *verdict)
{
    (void)index;
    if (is_overridden(s, OCI_SETTING_MEMORY, verdict)) {
        return;
    }
    if (s->config->resources.memory.limit.value <= 0) {
        say(verdict, OCI_IGNORED, "it says that there is no limit");
    } else if (s->config->vm.hw.memory.set) {
        say(verdict, OCI_IGNORED, "%s.memory says how much, and wins", s->config->vm.hw.path);
    } else {
        say_memory(s, verdict);
        say_less(s, verdict);
    }
}

/* --- NUMA and huge pages --- */

static void say_nodes(const struct oci_situation *s, struct oci_verdict *verdict)
{
    if (!s->host->may_set_memory_policy) {
        say(verdict, OCI_IGNORED,
            "this container may not set a memory policy: that takes CAP_SYS_NICE, or a seccomp "
            "profile of the engine that allows set_mempolicy");
    } else if (s->spec != NULL && s->spec->numa_nodes != NULL) {
        say(verdict, OCI_HONOURED, "<numatune>: %s, nodes %s",
            vm_numa_mode_name(s->spec->numa_mode), s->spec->numa_nodes);
    }
}

void oci_judge_mems(const struct oci_situation *s, gsize index, struct oci_verdict *verdict)
{
    (void)index;
    say_nodes(s, verdict);
    if (s->host->may_set_memory_policy && s->config->memory_policy.nodes != NULL &&
        oci_value_memory_policy(s->config->memory_policy.mode) >= 0) {
        say(verdict, OCI_IGNORED, "linux.memoryPolicy says more, and wins");
    }
}

/* What nothing of libvirt's, or a guest's, has the like of. */
static void add_ignored(struct oci_verdict *verdict, const char *what)
{
    if (verdict->fate == OCI_HONOURED) {
        g_autofree char *text = g_steal_pointer(&verdict->text);
        verdict->text = g_strconcat(text, "; but its ", what, " are ignored", NULL);
    }
}

static void add_flags(struct oci_verdict *verdict, char **flags)
{
    if (flags != NULL && flags[0] != NULL) {
        add_ignored(verdict, "flags");
    }
}

void oci_judge_memory_policy(const struct oci_situation *s, gsize index,
                             struct oci_verdict *verdict)
{
    (void)index;
    const char *mode = s->config->memory_policy.mode;
    if (oci_value_memory_policy(mode) < 0) { /* those that libvirt does not have are errors */
        say(verdict, OCI_HONOURED, "memory of the node that QEMU runs on, as always");
    } else if (s->config->memory_policy.nodes == NULL) {
        say(verdict, OCI_HONOURED, "without nodes: of the node that QEMU runs on, as always");
    } else {
        say_nodes(s, verdict);
    }
    if (s->spec != NULL) {
        add_flags(verdict, s->config->memory_policy.flags);
    }
}

void oci_judge_hugepage_limits(const struct oci_situation *s, gsize index,
                               struct oci_verdict *verdict)
{
    (void)index;
    guint64 page = s->settings->hugepages;
    bool limited = false;
    for (gsize i = 0; page > 0 && i < s->config->resources.hugepage_limits.length; i++) {
        limited |=
            oci_value_page_size(s->config->resources.hugepage_limits.items[i].page_size) == page;
    }
    if (page > 0 && limited && s->spec == NULL) {
        return; /* it may be this limit that it does not fit */
    }
    if (page > 0) {
        g_autofree char *size = quantity_format_size(page);
        say(verdict, limited ? OCI_HONOURED : OCI_IGNORED,
            limited ? "the guest's memory, in huge pages of %s, fits it"
                    : "the guest's huge pages are of %s",
            size);
    } else {
        say(verdict, OCI_IGNORED,
            "the guest uses no huge pages; the setting hugepages asks for "
            "them");
    }
}

/* --- devices --- */

void oci_judge_device(const struct oci_situation *s, gsize index, struct oci_verdict *verdict)
{
    const struct oci_device *device = &s->config->devices.items[index];
    switch (oci_device_role(s->config, device)) {
    case OCI_DEVICE_DISK:
        /* Without a VM there may be thousands, and each look takes all the rules. */
        say(verdict, OCI_HONOURED, "a disk of the guest%s",
            s->spec == NULL || oci_device_is_writable(s->config, device) ? "" : ", read-only");
        break;
    case OCI_DEVICE_VFIO:
        say(verdict, OCI_HONOURED, "passed through to the guest");
        break;
    case OCI_DEVICE_STANDARD:
        say(verdict, OCI_IGNORED, "the guest's kernel has its own %s", device->path);
        break;
    case OCI_DEVICE_OURS:
        say(verdict, OCI_HONOURED, "QEMU uses it, where it can be opened");
        break;
    case OCI_DEVICE_LISTED:
        say(verdict, OCI_IGNORED,
            "the container may use all devices of its host, and this is one of them: that is no "
            "wish to give it to a guest");
        break;
    case OCI_DEVICE_OTHER:
        say(verdict, OCI_IMPOSSIBLE, "a guest cannot have a %s of the host",
            g_str_equal(device->type, "p") ? "FIFO" : "character device");
        break;
    }
}

void oci_judge_device_tree(const struct oci_situation *s, gsize index, struct oci_verdict *verdict)
{
    (void)index;
    if (s->host->arch == VM_ARCH_X86_64 && s->config->vm.kernel.path == NULL) {
        say(verdict, OCI_IGNORED, "on x86_64 QEMU hands it to the kernel of vm.kernel alone");
    }
}

static void judge_throttle(const struct oci_situation *s, enum oci_throttle_kind kind, gsize index,
                           struct oci_verdict *verdict)
{
    const struct oci_throttle_row *row = &oci_throttle_rows[kind];
    const struct oci_throttles *throttles = G_STRUCT_MEMBER_P(s->config, row->list);
    const struct oci_throttle *throttle = &throttles->items[index];
    guint64 rate = MIN(throttle->rate.value, VM_THROTTLE_MAX);
    if (rate == 0) {
        say(verdict, OCI_IGNORED, "a rate of 0 is no limit");
        return;
    }
    if (s->spec == NULL) {
        return;
    }
    guint64 major = throttle->major.value, minor = throttle->minor.value;
    say(verdict, OCI_IGNORED,
        "nothing that the VM %s is on device %" G_GUINT64_FORMAT ":%" G_GUINT64_FORMAT,
        row->writing ? "writes" : "reads", major, minor);
    for (guint i = 0; i < s->spec->disks->len; i++) {
        struct vm_disk *disk = g_ptr_array_index(s->spec->disks, i);
        if (!oci_translate_disk_is_on(s->host, disk, row->writing, major, minor)) {
            continue;
        }
        if (*(const guint64 *)G_STRUCT_MEMBER_P(&disk->throttle, row->limit) == rate) {
            say(verdict, OCI_HONOURED, "<iotune> of disk %s", disk->target);
            return;
        }
        say(verdict, OCI_IGNORED, "another limit of disk %s is lower", disk->target);
    }
}

#define JUDGE_THROTTLE(name, kind)                                                                 \
    void oci_judge_##name(const struct oci_situation *s, gsize index, struct oci_verdict *verdict) \
    {                                                                                              \
        judge_throttle(s, kind, index, verdict);                                                   \
    }

JUDGE_THROTTLE(read_bps, OCI_THROTTLE_READ_BPS)
JUDGE_THROTTLE(write_bps, OCI_THROTTLE_WRITE_BPS)
JUDGE_THROTTLE(read_iops, OCI_THROTTLE_READ_IOPS)
JUDGE_THROTTLE(write_iops, OCI_THROTTLE_WRITE_IOPS)

/* --- mounts and namespaces --- */

static void judge_folder(const struct oci_mount *mount, struct oci_verdict *verdict)
{
    say(verdict, OCI_HONOURED, "a folder that the guest shares by virtiofs%s",
        oci_mount_is_readonly(mount) ? ", read-only" : "");
}

static void judge_file(const struct oci_mount *mount, struct oci_verdict *verdict)
{
    say(verdict, OCI_HONOURED, "the guest gets a copy, read-only%s",
        oci_mount_is_readonly(mount) ? "" : ": what it changes is not seen here");
}

static void judge_disk(const struct oci_situation *s, gsize index, struct oci_verdict *verdict)
{
    const struct vm_disk *disk = s->spec != NULL ? oci_translate_mount_disk(s->spec, index) : NULL;
    say(verdict, OCI_HONOURED, "a disk of the guest");
    if (disk == NULL) {
        return;
    }
    g_autofree char *serial =
        disk->serial != NULL ? g_strdup_printf(", serial number %s", disk->serial) : g_strdup("");
    g_autofree char *writes = disk->overlay != NULL
                                  ? g_strdup_printf("; writes go to %s", disk->overlay)
                                  : g_strdup(disk->readonly ? ", read-only" : "");
    say(verdict, OCI_HONOURED, "a disk of the guest, %s%s%s", disk->target, serial, writes);
}

void oci_judge_mount(const struct oci_situation *s, gsize index, struct oci_verdict *verdict)
{
    const struct oci_mount *mount = &s->config->mounts.items[index];
    switch (oci_translate_mount_role(s->config, s->host, index)) {
    case OCI_MOUNT_GUESTS:
        if (oci_mount_is_of_kernel(mount)) {
            say(verdict, OCI_IGNORED, "the guest mounts its own %s on %s", mount->type,
                mount->destination);
        } else {
            say(verdict, OCI_IGNORED, "the guest has its own %s", mount->destination);
        }
        break;
    case OCI_MOUNT_ENGINES:
        say(verdict, OCI_IGNORED,
            "an engine gives it to each container, and the guest has its own");
        break;
    case OCI_MOUNT_DISK:
        judge_disk(s, index, verdict);
        break;
    case OCI_MOUNT_FOLDER:
        judge_folder(mount, verdict);
        break;
    case OCI_MOUNT_FILE:
        judge_file(mount, verdict);
        break;
    case OCI_MOUNT_NOTHING:
        say(verdict, OCI_IMPOSSIBLE, "there is nothing that a guest can have at %s",
            mount->source != NULL ? mount->source : mount->destination);
        break;
    }
    if (mount->uid_mappings.length > 0 || mount->gid_mappings.length > 0) {
        add_ignored(verdict, "uidMappings and gidMappings");
    }
}

/* podman's, to run a container in a namespace that there is; NULL: it has none. */
static const char *option_of(const char *namespace)
{
    static const char *const options[][2] = {{"pid", "--pid"},
                                             {"ipc", "--ipc"},
                                             {"uts", "--uts"},
                                             {"user", "--userns"},
                                             {"cgroup", "--cgroupns"}};
    for (gsize i = 0; i < G_N_ELEMENTS(options); i++) {
        if (g_str_equal(options[i][0], namespace)) {
            return options[i][1];
        }
    }
    return NULL;
}

void oci_judge_namespace(const struct oci_situation *s, gsize index, struct oci_verdict *verdict)
{
    const struct oci_namespace *namespace = &s->config->namespaces.items[index];
    if (namespace->path == NULL) {
        say(verdict, OCI_IGNORED, "QEMU runs in the container's, and the guest has its own");
    } else if (g_str_equal(namespace->type, "network")) {
        say(verdict, OCI_HONOURED, "QEMU runs in it");
    } else {
        const char *option = option_of(namespace->type);
        g_autofree char *hint =
            option != NULL ? g_strdup_printf(": start the container in it (podman: %s=ns:%s)",
                                             option, namespace->path)
                           : g_strdup("");
        say(verdict, OCI_IGNORED, "QEMU runs in the container's%s", hint);
    }
}

/* --- the QEMU process --- */

void oci_judge_rlimit(const struct oci_situation *s, gsize index, struct oci_verdict *verdict)
{
    const struct oci_rlimit *limit = &s->config->process.rlimits.items[index];
    say(verdict, OCI_HONOURED, "QEMU's %s, no higher than the container's own", limit->type);
}

void oci_judge_scheduler(const struct oci_situation *s, gsize index, struct oci_verdict *verdict)
{
    (void)index;
    say(verdict, OCI_HONOURED, "%s for QEMU", s->config->process.scheduler.policy);
    add_flags(verdict, s->config->process.scheduler.flags);
}

static void judge_label(const struct oci_situation *s, const char *model, const char *name,
                        struct oci_verdict *verdict)
{
    if (g_strcmp0(s->host->security_model, model) == 0) {
        say(verdict, OCI_HONOURED, "<seclabel> of QEMU");
    } else {
        say(verdict, OCI_IGNORED,
            "QEMU keeps the confinement of this container: setting another takes %s in the kernel, "
            "and root with CAP_MAC_ADMIN",
            name);
    }
}

void oci_judge_apparmor(const struct oci_situation *s, gsize index, struct oci_verdict *verdict)
{
    (void)index;
    judge_label(s, "apparmor", "AppArmor", verdict);
}

void oci_judge_selinux(const struct oci_situation *s, gsize index, struct oci_verdict *verdict)
{
    (void)index;
    judge_label(s, "selinux", "SELinux", verdict);
}

void oci_judge_seccomp(const struct oci_situation *s, gsize index, struct oci_verdict *verdict)
{
    (void)index;
    const char *setting = s->settings->seccomp;
    if (setting == NULL || g_str_equal(setting, "config")) {
        say(verdict, OCI_HONOURED, "the filter of the QEMU process");
    } else {
        is_overridden(s, OCI_SETTING_SECCOMP, verdict);
    }
}

/* --- the rest --- */

void oci_judge_terminal(const struct oci_situation *s, gsize index, struct oci_verdict *verdict)
{
    (void)index;
    if (is_overridden(s, OCI_SETTING_CONSOLE, verdict)) {
        return;
    }
    say(verdict, OCI_HONOURED, "%s",
        s->config->process.terminal.value
            ? "the guest's console takes the terminal, if there is one"
            : "a terminal is left as it is: lines are edited, and Ctrl-C is a stop signal");
}

/* A disk that boots itself: cloud-init is told, and systemd, unless the user tells them himself. */
static void judge_told_hostname(const struct oci_situation *s, struct oci_verdict *verdict)
{
    g_autofree char *meta_data = oci_text_dup(&s->settings->meta_data);
    bool by_cloud_init = !oci_cloud_init_has_key(meta_data, "local-hostname");
    bool by_systemd = !oci_named_texts_have(s->settings->credentials, "system.hostname");
    if (by_cloud_init || by_systemd) {
        say(verdict, OCI_HONOURED, "%s%s%s, for a guest that knows %s",
            by_cloud_init ? "cloud-init's local-hostname" : "",
            by_cloud_init && by_systemd ? " and " : "",
            by_systemd ? "systemd's credential system.hostname" : "",
            by_cloud_init && by_systemd ? "one of them" : "it");
    } else {
        say(verdict, OCI_IGNORED,
            "cloud-init.meta-data and credential.system.hostname say otherwise, and win");
    }
}

void oci_judge_hostname(const struct oci_situation *s, gsize index, struct oci_verdict *verdict)
{
    (void)index;
    if (oci_translate_names_host(s->config)) {
        say(verdict, OCI_HONOURED, "the kernel parameter systemd.hostname=");
    } else if (s->config->vm.kernel.path != NULL) {
        say(verdict, OCI_IGNORED,
            "vm.kernel.parameters has a systemd.hostname= of its own, which wins");
    } else {
        judge_told_hostname(s, verdict);
    }
    if (verdict->fate == OCI_HONOURED && strchr(s->config->hostname, '_') != NULL) {
        g_autofree char *text = g_steal_pointer(&verdict->text);
        verdict->text = g_strconcat(text, "; but systemd takes no name with \"_\"", NULL);
    }
}

/* What other programs that run VMs call it. */
static const char *twin_of(const char *key)
{
    static const struct {
        const char *theirs, *ours;
    } twins[] = {
        {"krun.cpus", "cpus"},
        {"krun.ram_mib", "memory"},
        {"io.katacontainers.config.hypervisor.default_vcpus", "cpus"},
        {"io.katacontainers.config.hypervisor.default_memory", "memory"},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(twins); i++) {
        if (g_str_equal(twins[i].theirs, key)) {
            return twins[i].ours;
        }
    }
    return NULL;
}

static bool is_sandbox_size(const struct oci_situation *s, const char *key)
{
    static const char *const sizes[] = {OCI_SANDBOX_MEMORY, OCI_SANDBOX_CPU_QUOTA,
                                        OCI_SANDBOX_CPU_PERIOD, NULL};
    return g_strv_contains(sizes, key) && oci_translate_sandbox_size(s->config, key) > 0;
}

void oci_judge_annotation(const struct oci_situation *s, gsize index, struct oci_verdict *verdict)
{
    const struct oci_pair *annotation = &s->config->annotations.items[index];
    if (oci_settings_owns(annotation->key)) {
        const char *winner = oci_settings_winner(s->settings, annotation->key);
        if (winner != NULL) {
            say(verdict, OCI_IGNORED, "%s says otherwise, and wins", winner);
        } else {
            g_autofree char *value = oci_settings_describe(annotation);
            say(verdict, OCI_HONOURED, "a setting: %s", value);
        }
        return;
    }
    const char *twin = twin_of(annotation->key);
    if (twin != NULL) {
        say(verdict, OCI_HONOURED,
            "kept as metadata alone; ocivirt's word for it is "
            "org.ocivirt.%s",
            twin);
    } else if (is_sandbox_size(s, annotation->key)) {
        say(verdict, OCI_HONOURED,
            "the VM's size, where nothing else says it%s; kept as metadata, too",
            g_str_equal(annotation->key, OCI_SANDBOX_MEMORY) ? ", as far as it fits" : "");
    } else {
        say(verdict, OCI_HONOURED, "kept as metadata");
    }
}
