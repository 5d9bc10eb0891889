// SPDX-License-Identifier: LGPL-2.1-or-later
#include "cmd/ocivirt/commands.h"
#include "cmd/ocivirt/facts.h"
#include "oci/rules.h"
#include "oci/seccomp_choose.h"
#include "oci/translate.h"
#include "src/engine/launch.h"
#include "src/host/accel.h"
#include "src/host/firmware.h"
#include "src/host/topology.h"
#include "src/util/error.h"
#include "src/util/quantity.h"
#include "src/vm/domain_xml.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#define DEFAULT_CONFIG "/etc/ocivirt/config.json"

/* The order is a contract: --config, --bundle, $OCIVIRT_CONFIG, then the usual places. */
static char *find_config(const struct options *options, GError **error)
{
    const char *variable = g_getenv("OCIVIRT_CONFIG");
    if (options->config != NULL) {
        return g_strdup(options->config);
    }
    if (options->bundle != NULL) {
        return g_build_filename(options->bundle, "config.json", NULL);
    }
    if (variable != NULL && *variable != '\0') {
        return g_strdup(variable);
    }
    if (access(DEFAULT_CONFIG, F_OK) == 0) {
        return g_strdup(DEFAULT_CONFIG);
    }
    if (access("config.json", F_OK) == 0) {
        return g_strdup("config.json");
    }
    g_set_error(error, ERROR_DOMAIN, ERROR_CONFIG,
                "there is no config.json: neither " DEFAULT_CONFIG " nor ./config.json exists; "
                "mount one (podman: -v ./bundle:/etc/ocivirt:ro), or name it with --config");
    return NULL;
}

static char *bundle_of(const char *file)
{
    g_autofree char *absolute = g_str_equal(file, "-")
                                    ? g_canonicalize_filename("config.json", NULL)
                                    : g_canonicalize_filename(file, NULL);
    return g_path_get_dirname(absolute);
}

char *find_emulator(enum vm_arch arch, GError **error)
{
    g_autofree char *name = g_strconcat("qemu-system-", vm_arch_name(arch), NULL);
    g_autofree char *found = g_find_program_in_path(name);
    if (found == NULL && access("/usr/libexec/qemu-kvm", X_OK) == 0) {
        found = g_strdup("/usr/libexec/qemu-kvm"); /* where Fedora's relatives keep it */
    }
    if (found == NULL) {
        g_set_error(error, ERROR_DOMAIN, ERROR_UNAVAILABLE,
                    "%s is not in $PATH; install QEMU (Debian: qemu-system-%s), or name it in "
                    "vm.hypervisor.path",
                    name, arch == VM_ARCH_X86_64 ? "x86" : "arm");
    }
    return g_steal_pointer(&found);
}

/* 0, or the errno with which it cannot be executed. */
static int try_program(const char *path)
{
    if (access(path, X_OK) < 0) {
        return errno;
    }
    return g_file_test(path, G_FILE_TEST_IS_REGULAR) ? 0 : EACCES;
}

/* The config's own hypervisor; true: it names none. */
static bool check_named_emulator(const struct oci_config *config, GError **error)
{
    const char *named = config->vm.hypervisor.path;
    int reason = named != NULL ? try_program(named) : 0;
    if (reason == 0) {
        return true;
    }
    error_set_errno(error, ERROR_UNAVAILABLE, reason,
                    "cannot execute the QEMU of vm.hypervisor.path, %s; install it, or leave the "
                    "property out to use the installed QEMU",
                    named);
    return false;
}

/* Or one that is installed; the caller owns it. */
static char *choose_emulator(const struct oci_config *config, enum vm_arch arch, GError **error)
{
    if (!check_named_emulator(config, error)) {
        return NULL;
    }
    const char *named = config->vm.hypervisor.path;
    return named != NULL ? g_strdup(named) : find_emulator(arch, error);
}

static bool choose_accel(enum oci_accel wanted, enum vm_accel *accel, GError **error)
{
    g_autoptr(GError) local = NULL;
    *accel = VM_ACCEL_TCG;
    if (wanted == OCI_ACCEL_TCG) {
        return true;
    }
    if (accel_kvm_usable(&local)) {
        *accel = VM_ACCEL_KVM;
        return true;
    }
    if (wanted == OCI_ACCEL_KVM) {
        g_propagate_prefixed_error(error, g_steal_pointer(&local),
                                   "the setting accel asks for KVM, which cannot be used: ");
        return false;
    }
    log_info("KVM cannot be used, the guest is emulated (TCG) and much slower: %s", local->message);
    return true;
}

const char *machine_file_name(const struct machine *machine)
{
    return g_str_equal(machine->file, "-") ? "standard input" : machine->file;
}

void machine_report_problems(const struct machine *machine)
{
    g_autofree char *text = oci_problems_format(&machine->problems, machine_file_name(machine));
    g_auto(GStrv) lines = g_strsplit(text, "\n", 0);
    for (char **line = lines; *line != NULL; line++) {
        if (**line != '\0') {
            log_error("%s", *line);
        }
    }
}

void machine_report_warnings(const struct machine *machine)
{
    for (guint i = 0; i < machine->warnings->len; i++) {
        log_warning("%s", (const char *)g_ptr_array_index(machine->warnings, i));
    }
}

static void decode(struct machine *machine)
{
    g_auto(GStrv) environment = g_get_environ();
    machine->config = oci_config_decode(&machine->document, machine->bundle, &machine->problems);
    oci_settings_init(&machine->settings, machine->config, environment, &machine->problems,
                      machine->warnings);
    oci_settings_read_files(&machine->settings, machine->bundle, &machine->problems);
    oci_translate_first_boot_warnings(&machine->settings, machine->warnings);
    oci_rules_check_files(machine->config, &machine->problems);
}

/* What only a machine that is to run needs. */
static bool find_means(struct machine *machine, GError **error)
{
    struct facts *facts = machine->facts;
    g_autofree char *emulator = choose_emulator(machine->config, facts->host.arch, error);
    if (emulator == NULL) {
        return false;
    }
    facts->launcher = launch_emulator_path(machine->root.path, emulator, error);
    facts->host.launcher = facts->launcher;
    return facts->launcher != NULL &&
           choose_accel(machine->settings.accel, &facts->host.accel, error);
}

/* The seccomp filter of QEMU; false: there are problems. */
static bool choose_filter(struct machine *machine)
{
    struct vm_process *process = &machine->spec->process;
    process->filter =
        oci_seccomp_choose(machine->config, &machine->settings, machine->bundle, &machine->problems,
                           machine->warnings, &process->filter_flags);
    return !oci_problems_any(&machine->problems);
}

/* QEMU would say so as well, but not how many, and not what to do. */
static bool check_hugepages(const struct vm_spec *spec, GError **error)
{
    guint64 needed = spec->hugepage_kib > 0 ? spec->memory_kib / spec->hugepage_kib : 0;
    guint64 available = needed > 0 ? topology_free_hugepages(spec->hugepage_kib) : 0;
    if (available >= needed) {
        return true;
    }
    g_autofree char *size = quantity_format_size(spec->hugepage_kib * 1024);
    g_set_error(error, ERROR_DOMAIN, ERROR_UNAVAILABLE,
                "the guest needs %" G_GUINT64_FORMAT " huge pages of %s, and %" G_GUINT64_FORMAT
                " are free; reserve them on the host: echo %" G_GUINT64_FORMAT
                " > /sys/kernel/mm/hugepages/hugepages-%" G_GUINT64_FORMAT "kB/nr_hugepages",
                needed, size, available, needed, spec->hugepage_kib);
    return false;
}

/* For who only asks what is wrong; the rest is found out for a machine that is to run. */
static void check_means(struct machine *machine)
{
    g_autoptr(GError) error = NULL;
    if (!check_named_emulator(machine->config, &error)) {
        oci_problems_add(&machine->problems, "vm.hypervisor.path", "%s", error->message);
    }
}

static bool translate(struct machine *machine, const struct options *options,
                      enum machine_purpose purpose, GError **error)
{
    const char *file = g_str_equal(machine->file, "-") ? NULL : machine->file;
    machine->facts =
        facts_new(machine->config, &machine->settings, options->id, machine->root.path, file);
    machine->facts->host.accel =
        machine->settings.accel == OCI_ACCEL_TCG ? VM_ACCEL_TCG : VM_ACCEL_KVM;
    if (purpose == MACHINE_TO_CHECK) {
        check_means(machine);
    }
    if (oci_problems_any(&machine->problems)) {
        return true;
    }
    if (purpose == MACHINE_TO_RUN && !find_means(machine, error)) {
        return false;
    }
    machine->spec = oci_translate(machine->config, &machine->settings, &machine->facts->host,
                                  &machine->problems);
    if (machine->spec == NULL || !choose_filter(machine)) {
        return true;
    }
    machine->xml = domain_xml(machine->spec);
    return purpose == MACHINE_TO_CHECK ||
           ((!machine->spec->uefi || firmware_check_uefi(machine->spec->arch, error)) &&
            check_hugepages(machine->spec, error));
}

/* Who only looks writes nothing, and needs no directory that can be written. */
static bool choose_root(struct machine *machine, const struct options *options,
                        enum machine_purpose purpose, GError **error)
{
    if (root_choose(&machine->root, options->root, error)) {
        return true;
    }
    bool nominal = purpose == MACHINE_TO_CHECK && options->root == NULL;
    if (nominal) {
        g_clear_error(error);
        machine->root.path = g_strdup(ROOT_DEFAULT);
    }
    return nominal;
}

static bool examine(struct machine *machine, const struct options *options,
                    enum machine_purpose purpose, GError **error)
{
    gsize length;
    machine->file = find_config(options, error);
    if (machine->file == NULL || !choose_root(machine, options, purpose, error)) {
        return false;
    }
    machine->bundle = bundle_of(machine->file);
    char *text = oci_document_read(machine->file, &length, error);
    if (text == NULL) {
        return false;
    }
    if (!oci_document_init(&machine->document, text, length, &machine->problems)) {
        return true;
    }
    decode(machine);
    return translate(machine, options, purpose, error);
}

bool machine_examine(struct machine *machine, const struct options *options,
                     enum machine_purpose purpose, int *status)
{
    *machine = (struct machine){.root.lock = -1};
    machine->warnings = g_ptr_array_new_with_free_func(g_free);
    oci_problems_init(&machine->problems);
    g_autoptr(GError) error = NULL;
    if (examine(machine, options, purpose, &error)) {
        return true;
    }
    machine_report_warnings(machine);
    *status = report_error(error);
    machine_finish(machine);
    return false;
}

bool machine_load(struct machine *machine, const struct options *options, int *status)
{
    if (!machine_examine(machine, options, MACHINE_TO_RUN, status)) {
        return false;
    }
    machine_report_warnings(machine);
    if (machine->xml != NULL) {
        return true;
    }
    machine_report_problems(machine);
    *status = ERROR_CONFIG;
    machine_finish(machine);
    return false;
}

void machine_finish(struct machine *machine)
{
    g_free(machine->file);
    g_free(machine->bundle);
    oci_document_finish(&machine->document);
    oci_problems_finish(&machine->problems);
    g_ptr_array_unref(machine->warnings);
    oci_config_free(machine->config);
    oci_settings_finish(&machine->settings);
    facts_free(machine->facts);
    vm_spec_free(machine->spec);
    g_free(machine->xml);
    root_finish(&machine->root);
    *machine = (struct machine){.root.lock = -1};
}
