// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/*
 * struct oci_config: what ocivirt reads of a runtime-spec config.json
 * (https://github.com/opencontainers/runtime-spec, version 1.3.0).
 *
 * Adding a property: a member here, a row in config.c's tables; a rule that needs more than one
 * property goes to rules.c. The config owns all it points to; a string that is absent, or "" where
 * Go's types write that for "absent", is NULL.
 */

#include <glib.h>
#include <stdbool.h>

struct oci_document;
struct oci_problems;

/* vCPUs: what QEMU's machine types take without more configuration. */
#define OCI_MAX_CPUS 255

struct oci_uint {
    bool set;
    guint64 value;
};

struct oci_int {
    bool set;
    gint64 value;
};

struct oci_annotation {
    char *key;
    char *value;
};

struct oci_config {
    char *version; /* ociVersion */
    char *hostname;
    GPtrArray *annotations; /* of struct oci_annotation, in the file's order */

    struct {
        struct {
            char *path;
            char **parameters;
        } hypervisor;
        struct {
            char *path;
            char **parameters;
            char *initrd;
        } kernel;
        struct {
            char *path;
            char *format; /* the spec's name: raw, qcow2, vdi, vmdk, vhd */
        } image;
        struct {
            char *device_tree;
            struct oci_uint vcpus;
            struct oci_uint memory; /* bytes */
            const char *path;       /* "vm.hwConfig", or as Go's types spell it: for messages */
        } hw;
    } vm;

    struct {
        struct {
            struct oci_int quota;   /* µs per period; negative: no limit */
            struct oci_uint period; /* µs */
            char *cpus;             /* "0-3,5" */
        } cpu;
        struct {
            struct oci_int limit; /* bytes; negative: no limit */
        } memory;
    } resources;
};

/*
 * Decodes @document. Every problem goes to @problems, also the rules' that a schema cannot express
 * (rules.h); the config is usable only if there are none. Unknown properties are no problem, as the
 * spec demands. No system calls. Relative paths are made absolute with @bundle.
 */
struct oci_config *oci_config_decode(const struct oci_document *document, const char *bundle,
                                     struct oci_problems *problems);
void oci_config_free(struct oci_config *config);
typedef struct oci_config oci_config; /* for g_autoptr alone */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(oci_config, oci_config_free)
