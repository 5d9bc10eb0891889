// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/*
 * One error domain for all rooms. A code is the exit status that an error which nobody handles
 * becomes; the values are sysexits.h's, and a contract (README, "Exit statuses").
 */

#include <glib.h>

#define ERROR_DOMAIN (error_domain())

enum error_code {
    ERROR_USAGE = 64,       /* wrong command line */
    ERROR_UNAVAILABLE = 69, /* something needed is not there */
    ERROR_INTERNAL = 70,    /* a bug, or libvirt failed with no better word for it */
    ERROR_BUSY = 75,        /* the root directory is in use */
    ERROR_CONFIG = 78,      /* config.json, or a setting, is wrong */
};

GQuark error_domain(void);

/* Sets an error from errno: "MESSAGE: No space left on device". Keeps errno's value out of @code.
 */
void error_set_errno(GError **error, enum error_code code, int saved_errno, const char *format, ...)
    G_GNUC_PRINTF(4, 5);

/* The exit status that @error stands for: its code, or ERROR_INTERNAL for another domain's. */
int error_exit_status(const GError *error);
