// SPDX-License-Identifier: LGPL-2.1-or-later
#include "cmd/ocivirt/commands.h"
#include "oci/document.h"
#include "oci/rules.h"
#include "oci/translate.h"
#include "src/host/accel.h"
#include "src/host/limits.h"
#include "src/util/error.h"
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

/* The config's own hypervisor, or one that is installed. */
static char *choose_emulator(const struct oci_config *config, enum vm_arch arch, GError **error)
{
    const char *named = config->vm.hypervisor.path;
    if (named == NULL) {
        return find_emulator(arch, error);
    }
    if (access(named, X_OK) < 0) {
        error_set_errno(error, ERROR_UNAVAILABLE, errno,
                        "cannot execute vm.hypervisor.path %s; install it, or leave the property "
                        "out to use the installed QEMU",
                        named);
        return NULL;
    }
    return g_strdup(named);
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

/* libvirt's names of domains: no '/', and no control characters. */
static char *choose_id(const char *wanted)
{
    g_autofree char *id = g_strdup(wanted != NULL ? wanted : g_get_host_name());
    for (char *c = id; *c != '\0'; c++) {
        if (!g_ascii_isalnum(*c) && strchr("._-", *c) == NULL) {
            *c = '-';
        }
    }
    return *id != '\0' ? g_steal_pointer(&id) : g_strdup("ocivirt");
}

const char *machine_file_name(const struct machine *machine)
{
    return g_str_equal(machine->file, "-") ? "standard input" : machine->file;
}

static void report_problems(const struct machine *machine, const struct oci_problems *problems)
{
    g_autofree char *text = oci_problems_format(problems, machine_file_name(machine));
    g_auto(GStrv) lines = g_strsplit(text, "\n", 0);
    for (char **line = lines; *line != NULL; line++) {
        if (**line != '\0') {
            log_error("%s", *line);
        }
    }
}

static bool decode(struct machine *machine, const struct oci_document *document,
                   struct oci_problems *problems)
{
    g_auto(GStrv) environment = g_get_environ();
    g_autoptr(GPtrArray) warnings = g_ptr_array_new_with_free_func(g_free);
    machine->config = oci_config_decode(document, machine->bundle, problems);
    oci_settings_init(&machine->settings, machine->config, environment, problems, warnings);
    oci_rules_check_files(machine->config, problems);
    for (guint i = 0; i < warnings->len; i++) {
        log_warning("%s", (const char *)g_ptr_array_index(warnings, i));
    }
    return !oci_problems_any(problems);
}

/* What only a machine that is to run needs. */
static bool find_means(struct machine *machine, struct oci_host *host, char **emulator,
                       GError **error)
{
    *emulator = choose_emulator(machine->config, host->arch, error);
    host->emulator = *emulator;
    return *emulator != NULL && choose_accel(machine->settings.accel, &host->accel, error);
}

static bool translate(struct machine *machine, const struct options *options,
                      enum machine_purpose purpose, struct oci_problems *problems, GError **error)
{
    g_autofree char *emulator = NULL;
    g_autofree char *id = choose_id(options->id);
    struct oci_host host = {
        .arch = vm_arch_native(),
        .accel = machine->settings.accel == OCI_ACCEL_TCG ? VM_ACCEL_TCG : VM_ACCEL_KVM,
        .cpus = limits_cpus(),
        .memory_limit = limits_memory(),
        .id = id,
        .root = machine->root.path,
    };
    if (purpose == MACHINE_TO_RUN && !find_means(machine, &host, &emulator, error)) {
        return false;
    }
    machine->spec = oci_translate(machine->config, &machine->settings, &host, problems);
    if (machine->spec == NULL) {
        return false;
    }
    machine->xml = domain_xml(machine->spec);
    return true;
}

static bool load(struct machine *machine, const struct options *options,
                 enum machine_purpose purpose, struct oci_problems *problems, GError **error)
{
    gsize length;
    machine->file = find_config(options, error);
    if (machine->file == NULL || !root_choose(&machine->root, options->root, error)) {
        return false;
    }
    machine->bundle = bundle_of(machine->file);
    char *text = oci_document_read(machine->file, &length, error);
    if (text == NULL) {
        return false;
    }
    struct oci_document document;
    bool ok = oci_document_init(&document, text, length, problems) &&
              decode(machine, &document, problems) &&
              translate(machine, options, purpose, problems, error);
    oci_document_finish(&document);
    problems->document = NULL;
    return ok;
}

bool machine_load(struct machine *machine, const struct options *options,
                  enum machine_purpose purpose, int *status)
{
    *machine = (struct machine){.root.lock = -1};
    struct oci_problems problems;
    oci_problems_init(&problems);
    g_autoptr(GError) error = NULL;
    bool ok = load(machine, options, purpose, &problems, &error);
    if (error != NULL) {
        *status = report_error(error);
    } else if (!ok) {
        report_problems(machine, &problems);
        *status = ERROR_CONFIG;
    }
    oci_problems_finish(&problems);
    if (!ok) {
        machine_finish(machine);
    }
    return ok;
}

void machine_finish(struct machine *machine)
{
    g_free(machine->file);
    g_free(machine->bundle);
    oci_config_free(machine->config);
    oci_settings_finish(&machine->settings);
    vm_spec_free(machine->spec);
    g_free(machine->xml);
    root_finish(&machine->root);
    *machine = (struct machine){.root.lock = -1};
}
