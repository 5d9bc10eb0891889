// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/*
 * What ocivirt itself tells cloud-init, beside what its user does.
 *
 * Data source "NoCloud" (https://docs.cloud-init.io/en/latest/reference/datasources/nocloud.html):
 * user-data is the user's alone, and is passed on as it is. meta-data says who the machine is.
 * vendor-data is for whoever runs the machine; user-data wins over it.
 *
 * All is JSON, which YAML, cloud-init's language, includes. The caller owns what is returned.
 */

#include "src/vm/vm_spec.h"

#include <glib.h>
#include <stdbool.h>

/* The user's meta-data, with what is missing in it added. @own: NULL, or text in JSON or YAML.
 * @hostname can be NULL; @keys is of char *. NULL: something is missing, and cannot be added to
 * YAML as it is written. */
char *oci_cloud_init_meta_data(const char *own, const char *instance_id, const char *hostname,
                               const GPtrArray *keys);

/* Whether meta-data has an entry @key at its top. */
bool oci_cloud_init_has_key(const char *meta_data, const char *key);

/* Mounts what @spec shares, and sets the password of @user, or with NULL of the guest's default
 * user, to what has @hash. NULL where there is nothing to do: neither folders nor a hash. */
char *oci_cloud_init_vendor_data(const struct vm_spec *spec, const char *user, const char *hash);

/* Whether cloud-init knows by its first line what user-data is. It passes over all other. */
bool oci_cloud_init_knows(GBytes *user_data);

/* What stands for user-data where there is none: without such a file a seed is none. */
#define OCI_CLOUD_INIT_NOTHING "#cloud-config\n{}\n"
