// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/*
 * Settings that the OCI spec has no word for: annotation org.ocivirt.NAME, and its environment twin
 * OCIVIRT_NAME (upper case, '-' and '.' become '_'), which wins. settings.c's table is the one
 * place that names them.
 */

#include "oci/config.h"
#include "oci/problems.h"

#define OCI_SETTING_PREFIX "org.ocivirt."
#define OCI_SETTING_ENV_PREFIX "OCIVIRT_"

enum oci_accel { OCI_ACCEL_AUTO, OCI_ACCEL_KVM, OCI_ACCEL_TCG };
enum oci_stop_method { OCI_STOP_AUTO, OCI_STOP_ACPI, OCI_STOP_AGENT };
enum oci_on_reboot { OCI_REBOOT_RESTART, OCI_REBOOT_EXIT };
enum oci_console { OCI_CONSOLE_AUTO, OCI_CONSOLE_PLAIN, OCI_CONSOLE_OFF };

enum oci_setting_id {
    OCI_SETTING_ACCEL,
    OCI_SETTING_CONSOLE,
    OCI_SETTING_CPU_MODEL,
    OCI_SETTING_CPUS,
    OCI_SETTING_MACHINE,
    OCI_SETTING_MEMORY,
    OCI_SETTING_ON_REBOOT,
    OCI_SETTING_STOP_METHOD,
    OCI_SETTING_STOP_TIMEOUT,
    OCI_SETTING_COUNT,
};

struct oci_settings {
    enum oci_accel accel;
    enum oci_console console;
    char *cpu_model; /* NULL: not set */
    guint64 cpus;    /* 0: not set */
    char *machine;
    guint64 memory; /* bytes; 0: not set */
    enum oci_on_reboot on_reboot;
    enum oci_stop_method stop_method;
    guint64 stop_timeout_ms;

    /* Where each value came from, for messages: an annotation's JSON path, or "environment X".
     * NULL: nobody said anything and the default holds. */
    char *source[OCI_SETTING_COUNT];
};

/* @environment is a NULL-terminated list of NAME=VALUE. Never fails: problems go to @problems. An
 * unknown OCIVIRT_* variable goes to @warnings (Kubernetes makes such for a service of that name).
 */
void oci_settings_init(struct oci_settings *settings, const struct oci_config *config,
                       char **environment, struct oci_problems *problems, GPtrArray *warnings);
void oci_settings_finish(struct oci_settings *settings);

/* Adds a problem at the place where setting @id was made. */
void oci_settings_problem(const struct oci_settings *settings, enum oci_setting_id id,
                          struct oci_problems *problems, const char *message);

bool oci_settings_owns(const char *annotation);
