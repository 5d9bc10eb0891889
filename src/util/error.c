// SPDX-License-Identifier: LGPL-2.1-or-later
#include "src/util/error.h"

#include <string.h>

GQuark error_domain(void)
{
    return g_quark_from_static_string("ocivirt-error");
}

void error_set_errno(GError **error, enum error_code code, int saved_errno, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    g_autofree char *message = g_strdup_vprintf(format, args);
    va_end(args);
    g_set_error(error, ERROR_DOMAIN, code, "%s: %s", message, g_strerror(saved_errno));
}

int error_exit_status(const GError *error)
{
    return error->domain == ERROR_DOMAIN ? error->code : ERROR_INTERNAL;
}
