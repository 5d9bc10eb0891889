// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/*
 * Which seccomp profile QEMU gets, by the setting "seccomp": the config's own, the default one
 * (seccomp.json, which is part of the program), a file's, or none.
 */

#include "oci/settings.h"

enum oci_seccomp_source {
    OCI_SECCOMP_OFF,
    OCI_SECCOMP_DEFAULT,
    OCI_SECCOMP_CONFIG, /* linux.seccomp */
    OCI_SECCOMP_FILE,   /* the one that the setting names */
};

/* Looks at no file. A setting that asks for a profile which the config does not have is CONFIG. */
enum oci_seccomp_source oci_seccomp_source(const struct oci_config *config,
                                           const struct oci_settings *settings);

/*
 * The filter of that profile and its flags, as oci_seccomp_compile() makes them. NULL: there is
 * none, or there is something new in @problems. Reads the file; a relative one is @bundle's.
 * @config has been decoded without a problem.
 */
GBytes *oci_seccomp_choose(const struct oci_config *config, const struct oci_settings *settings,
                           const char *bundle, struct oci_problems *problems, GPtrArray *warnings,
                           unsigned *flags);

/* The default profile's text, of @length bytes, with a NUL behind them. */
extern const char oci_seccomp_default[];
gsize oci_seccomp_default_length(void);
