// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/*
 * Settings that the OCI spec has no word for: annotation org.ocivirt.NAME, and its environment twin
 * OCIVIRT_NAME (upper case, '-' and '.' become '_'), which wins. settings.c's table is the one
 * place that names them.
 */

#include "oci/config.h"
#include "oci/problems.h"
#include "oci/texts.h"

#define OCI_SETTING_PREFIX "org.ocivirt."
#define OCI_SETTING_ENV_PREFIX "OCIVIRT_"

enum oci_accel { OCI_ACCEL_AUTO, OCI_ACCEL_KVM, OCI_ACCEL_TCG };
enum oci_disk { OCI_DISK_AUTO, OCI_DISK_OVERLAY, OCI_DISK_DIRECT };
enum oci_firmware { OCI_FIRMWARE_AUTO, OCI_FIRMWARE_BIOS, OCI_FIRMWARE_UEFI };
enum oci_stop_method { OCI_STOP_AUTO, OCI_STOP_ACPI, OCI_STOP_AGENT };
enum oci_on_reboot { OCI_REBOOT_RESTART, OCI_REBOOT_EXIT };
enum oci_ready { OCI_READY_RUNNING, OCI_READY_AGENT, OCI_READY_CONSOLE, OCI_READY_PORT };
enum oci_network { OCI_NETWORK_AUTO, OCI_NETWORK_PASST, OCI_NETWORK_NONE };
enum oci_tpm { OCI_TPM_OFF, OCI_TPM_2_0 };
enum oci_publish { OCI_PUBLISH_AUTO, OCI_PUBLISH_ALL, OCI_PUBLISH_NONE, OCI_PUBLISH_LIST };
enum oci_console { OCI_CONSOLE_AUTO, OCI_CONSOLE_PLAIN, OCI_CONSOLE_OFF };

enum oci_setting_id {
    OCI_SETTING_ACCEL,
    OCI_SETTING_META_DATA,
    OCI_SETTING_NETWORK_CONFIG,
    OCI_SETTING_USER_DATA,
    OCI_SETTING_CONSOLE,
    OCI_SETTING_CPU_MODEL,
    OCI_SETTING_CPUS,
    OCI_SETTING_DISK,
    OCI_SETTING_DISK_SIZE,
    OCI_SETTING_FIRMWARE,
    OCI_SETTING_HTTP,
    OCI_SETTING_HUGEPAGES,
    OCI_SETTING_IGNITION,
    OCI_SETTING_MACHINE,
    OCI_SETTING_MEMORY,
    OCI_SETTING_NETWORK,
    OCI_SETTING_ON_REBOOT,
    OCI_SETTING_PASSWORD_HASH,
    OCI_SETTING_PUBLISH,
    OCI_SETTING_READY,
    OCI_SETTING_SECCOMP,
    OCI_SETTING_SSH_KEYS,
    OCI_SETTING_STOP_METHOD,
    OCI_SETTING_STOP_TIMEOUT,
    OCI_SETTING_TPM,
    OCI_SETTING_COUNT,
};

struct oci_settings {
    enum oci_accel accel;
    struct oci_text meta_data, network_config, user_data; /* cloud-init's */
    enum oci_console console;
    char *cpu_model; /* NULL: not set */
    guint64 cpus;    /* 0: not set */
    enum oci_disk disk;
    guint64 disk_size; /* bytes; 0: not set */
    enum oci_firmware firmware;
    char *http;        /* ADDR:PORT, right as of endpoint_parse(); NULL: off */
    guint64 hugepages; /* bytes of one page; 0: ordinary pages */
    struct oci_text ignition;
    char *machine;
    guint64 memory; /* bytes; 0: not set */
    enum oci_network network;
    enum oci_on_reboot on_reboot;
    enum oci_publish publish;
    GArray *published; /* with OCI_PUBLISH_LIST, of ports_parse(); else NULL */
    struct oci_text password_hash;
    struct oci_readiness {
        enum oci_ready kind;
        guint port;    /* of OCI_READY_PORT: the guest's; TCP */
        char *pattern; /* of OCI_READY_CONSOLE, right as of pattern_compile(); else NULL */
    } ready;
    char *seccomp; /* "default", "config", "off", or a file; NULL: the config's, else the default */
    struct oci_text ssh_keys; /* one a line */
    enum oci_stop_method stop_method;
    guint64 stop_timeout_ms;
    enum oci_tpm tpm;

    /* Families, of struct oci_named_text: any number of credential.NAME and fw-cfg.NAME. */
    GPtrArray *credentials;
    GPtrArray *fw_cfg;

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

/* Reads the files that settings name in place of text; what cannot be read is a problem. A seccomp
 * profile is read when it is chosen (seccomp_choose.h); its path becomes absolute here. */
void oci_settings_read_files(struct oci_settings *settings, const char *bundle,
                             struct oci_problems *problems);

/* Adds a problem at the place where setting @id was made. */
void oci_settings_problem(const struct oci_settings *settings, enum oci_setting_id id,
                          struct oci_problems *problems, const char *message);

/* The name of setting @id, without its prefix. */
const char *oci_settings_name(enum oci_setting_id id);

bool oci_settings_owns(const char *annotation);

/* Calls @each with the path of every file that a setting names; absolute after
 * oci_settings_read_files(). */
void oci_settings_each_file(const struct oci_settings *settings,
                            void (*each)(const char *path, void *data), void *data);

/* What an annotation that is a setting is set to, for people; of texts only what they are. The
 * caller owns it. */
char *oci_settings_describe(const struct oci_pair *annotation);

/* Of an annotation that is a setting: what has overridden it ("environment OCIVIRT_X"), or NULL. */
const char *oci_settings_winner(const struct oci_settings *settings, const char *annotation);
