// SPDX-License-Identifier: LGPL-2.1-or-later
#include "oci/translate.h"

#include "oci/document.h"
#include "oci/translation.h"

#include <string.h>

/* COMMAND_LINE_SIZE of Linux for x86_64 and aarch64, without the end. */
#define LONGEST_COMMAND_LINE 2047

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

static bool has_odd_quotes(const char *parameter)
{
    bool odd = false;
    for (const char *c = parameter; *c != '\0'; c++) {
        odd ^= *c == '"';
    }
    return odd;
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

/* What was split at its spaces, inside quotes, too, is put together as it was. A quote that does
 * not end would take in what stands behind it. */
static void add_parameters(struct translation *t, GPtrArray *words)
{
    char **parameters = t->config->vm.kernel.parameters;
    gssize opened_at = -1;
    for (gsize i = 0; parameters != NULL && parameters[i] != NULL; i++) {
        g_ptr_array_add(words,
                        opened_at >= 0 ? g_strdup(parameters[i]) : quote_parameter(parameters[i]));
        if (has_odd_quotes(parameters[i])) {
            opened_at = opened_at >= 0 ? -1 : (gssize)i;
        }
    }
    if (opened_at >= 0) {
        g_autofree char *shown = oci_problems_shorten(parameters[opened_at]);
        g_autofree char *path = oci_path_element("vm.kernel.parameters", opened_at, NULL);
        oci_problems_add(t->problems, path,
                         "%s has a quote that does not end: Linux would take all that follows for "
                         "a part of it; close it",
                         shown);
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
    add_parameters(t, words);
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

const char *translate_emulator(const struct oci_config *config, const struct oci_host *host)
{
    return config->vm.hypervisor.path != NULL ? config->vm.hypervisor.path : host->emulator;
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
    spec->emulator = g_strdup(translate_emulator(config, host));
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
    translate_size(&t);
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
