// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/* What the translation of a config has to know of this machine, gathered in one place. */

#include "oci/translate.h"

struct facts {
    struct oci_host host; /* points to what follows */
    struct cpulist cpus, nodes;
    GPtrArray *vfio_arrays; /* of GArray */
    GArray *vfio_groups;    /* of struct oci_vfio_group */
    GArray *block_devices;  /* of struct oci_location */
    GArray *mounts;         /* of struct oci_source */
    GArray *found;          /* of struct interface */
    GArray *interfaces;     /* of struct oci_interface */
    GArray *unusable;       /* of struct port_range */
    GArray *in_use;         /* the same */
    GPtrArray *images;      /* of struct image_file, which those point into */
    GPtrArray *libraries;   /* of char *, with NULL at the end */
    GHashTable *ways;       /* of struct oci_host */
    char *id;
    char *root;
    char *file;
    char *emulator;
    char *launcher;
};

/* @file is config.json; NULL: it is no file. @accel and the launcher are for the caller to fill in.
 * Looks at the system, changes nothing. */
struct facts *facts_new(const struct oci_config *config, const struct oci_settings *settings,
                        const char *id, const char *root, const char *file);
void facts_free(struct facts *facts);
