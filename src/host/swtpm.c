// SPDX-License-Identifier: LGPL-2.1-or-later
#include "src/host/swtpm.h"
#include "src/host/helper.h"
#include "src/util/error.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <string.h>

char **swtpm_command(const char *state, GError **error)
{
    static const char *const candidates[] = {"swtpm", NULL};
    g_autoptr(GStrvBuilder) arguments = g_strv_builder_new();
    g_autofree char *path = helper_find(candidates);
    g_autofree char *folder = g_strconcat("dir=", state, ",mode=0600", NULL);
    if (path == NULL) {
        g_set_error(error, ERROR_DOMAIN, ERROR_UNAVAILABLE,
                    "swtpm, which the setting tpm asks for, is not in $PATH; install it (Debian: "
                    "swtpm), or leave the setting out");
        return NULL;
    }
    if (strchr(state, ',') != NULL) {
        g_set_error(error, ERROR_DOMAIN, ERROR_USAGE,
                    "swtpm cannot keep its state in %s: it has no way to name a folder with a "
                    "comma in its path; name another root directory with --root",
                    state);
        return NULL;
    }
    if (g_mkdir(state, 0700) < 0 && errno != EEXIST) {
        error_set_errno(error, ERROR_UNAVAILABLE, errno, "cannot make the folder %s", state);
        return NULL;
    }
    g_strv_builder_add_many(arguments, path, "socket", "--tpm2", "--tpmstate", folder, "--ctrl",
                            "type=unixio,fd=" HELPER_FD_TEXT, "--terminate", NULL);
    return g_strv_builder_end(arguments);
}
