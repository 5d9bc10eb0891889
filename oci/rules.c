// SPDX-License-Identifier: LGPL-2.1-or-later
#include "oci/rules.h"
#include "oci/document.h"
#include "src/util/quantity.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* https://semver.org, "Is there a suggested regular expression" */
#define SEMVER                                                                                     \
    "^(0|[1-9]\\d*)\\.(0|[1-9]\\d*)\\.(0|[1-9]\\d*)"                                               \
    "(?:-((?:0|[1-9]\\d*|\\d*[a-zA-Z-][0-9a-zA-Z-]*)"                                              \
    "(?:\\.(?:0|[1-9]\\d*|\\d*[a-zA-Z-][0-9a-zA-Z-]*))*))?"                                        \
    "(?:\\+([0-9a-zA-Z-]+(?:\\.[0-9a-zA-Z-]+)*))?$"

/* Linux's NR_CPUS is at most 8192. */
#define MAX_CPU 8191

static void check_version(const struct oci_config *config, struct oci_problems *problems)
{
    if (config->version == NULL) {
        return;
    }
    if (!g_regex_match_simple(SEMVER, config->version, G_REGEX_DOLLAR_ENDONLY, 0)) {
        oci_problems_add(problems, "ociVersion",
                         "\"%s\" is not a version of the form MAJOR.MINOR.PATCH, such as \"1.3.0\" "
                         "(Semantic Versioning 2.0.0)",
                         config->version);
    } else if (!g_str_has_prefix(config->version, "1.")) {
        oci_problems_add(problems, "ociVersion",
                         "\"%s\" is not supported; any 1.x.y of the OCI runtime-spec is",
                         config->version);
    }
}

/* hostname(7): letters, digits, '-' and '.'; and Linux keeps 64 characters of it. */
static void check_hostname(const struct oci_config *config, struct oci_problems *problems)
{
    const char *name = config->hostname;
    if (name == NULL) {
        return;
    }
    gsize length = strlen(name);
    if (length > 64) {
        oci_problems_add(problems, "hostname",
                         "must be at most 64 characters long, and has %" G_GSIZE_FORMAT, length);
    } else if (strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-.") !=
                   length ||
               *name == '-' || *name == '.') {
        oci_problems_add(problems, "hostname",
                         "\"%s\" is no host name: letters, digits, '-' and '.', and neither '-' "
                         "nor '.' in front",
                         name);
    }
}

/* Whether decoding has already complained about @path, or of something around it. */
static bool is_in_doubt(const struct oci_problems *problems, const char *path)
{
    for (guint i = 0; i < problems->list->len; i++) {
        const struct oci_problem *problem = g_ptr_array_index(problems->list, i);
        gsize length = strlen(problem->where);
        if (length > 0 && g_str_has_prefix(path, problem->where) &&
            (path[length] == '\0' || path[length] == '.')) {
            return true;
        }
    }
    return false;
}

static void check_boot(const struct oci_config *config, struct oci_problems *problems)
{
    bool kernel = config->vm.kernel.path != NULL || is_in_doubt(problems, "vm.kernel.path");
    bool image = config->vm.image.path != NULL || is_in_doubt(problems, "vm.image.path");
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

/* The part up to a separator as a CPU number; moves @text behind it. */
static bool parse_cpu(const char **text, guint64 *cpu)
{
    gsize digits = strspn(*text, "0123456789");
    g_autofree char *number = g_strndup(*text, digits);
    *text += digits;
    return quantity_parse_count(number, 0, MAX_CPU, cpu);
}

bool oci_rules_parse_cpus(const char *cpus, unsigned *count)
{
    bool seen[MAX_CPU + 1] = {false};
    *count = 0;
    for (const char *p = cpus;; p++) {
        guint64 first, last;
        if (!parse_cpu(&p, &first)) {
            return false;
        }
        last = first;
        if (*p == '-') {
            p++;
            if (!parse_cpu(&p, &last) || last < first) {
                return false;
            }
        }
        for (guint64 cpu = first; cpu <= last; cpu++) {
            *count += !seen[cpu];
            seen[cpu] = true;
        }
        if (*p == '\0') {
            return true;
        }
        if (*p != ',') {
            return false;
        }
    }
}

static void check_resources(const struct oci_config *config, struct oci_problems *problems)
{
    unsigned count;
    const char *cpus = config->resources.cpu.cpus;
    if (cpus != NULL && !oci_rules_parse_cpus(cpus, &count)) {
        oci_problems_add(problems, "linux.resources.cpu.cpus",
                         "\"%s\" is no list of CPUs such as \"0-3,5\"", cpus);
    }
    if (config->resources.cpu.quota.set && config->resources.cpu.quota.value > 0 &&
        config->resources.cpu.period.set && config->resources.cpu.period.value == 0) {
        oci_problems_add(problems, "linux.resources.cpu.period",
                         "must not be 0 beside a quota; the usual period is 100000 (µs)");
    }
}

void oci_rules_check(const struct oci_config *config, struct oci_problems *problems)
{
    check_version(config, problems);
    check_hostname(config, problems);
    check_boot(config, problems);
    check_resources(config, problems);
}

static void check_file(const char *path, const char *where, const char *what,
                       struct oci_problems *problems)
{
    if (path == NULL) {
        return;
    }
    struct stat status;
    /* AT_EACCESS: the rights that opening it will need, also under another effective uid. */
    if (stat(path, &status) < 0 || faccessat(AT_FDCWD, path, R_OK, AT_EACCESS) < 0) {
        oci_problems_add(problems, where,
                         "cannot read the %s %s: %s; put it there, make it readable, or correct "
                         "the path",
                         what, path, g_strerror(errno));
    } else if (S_ISDIR(status.st_mode)) {
        oci_problems_add(problems, where, "%s is a directory, and must be the %s itself", path,
                         what);
    }
}

void oci_rules_check_files(const struct oci_config *config, struct oci_problems *problems)
{
    check_file(config->vm.kernel.path, "vm.kernel.path", "kernel", problems);
    check_file(config->vm.kernel.initrd, "vm.kernel.initrd", "initrd", problems);
    check_file(config->vm.image.path, "vm.image.path", "disk image", problems);
    g_autofree char *device_tree = oci_path_child(config->vm.hw.path, "deviceTree");
    check_file(config->vm.hw.device_tree, device_tree, "device tree", problems);
}
