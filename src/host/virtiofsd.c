// SPDX-License-Identifier: LGPL-2.1-or-later
#include "src/host/virtiofsd.h"
#include "src/host/capability.h"
#include "src/host/helper.h"
#include "src/util/error.h"

#include <linux/capability.h>
#include <string.h>
#include <unistd.h>

/* QEMU's own, up to 7.2, and the one that has come after it. */
#define QEMUS_PATH "/usr/lib/qemu/virtiofsd"
static const char *const candidates[] = {"/usr/libexec/virtiofsd",
                                         "/usr/lib/virtiofsd",
                                         "/usr/lib/virtiofsd/virtiofsd",
                                         "virtiofsd",
                                         QEMUS_PATH,
                                         NULL};

static char **command_of_qemus(const char *path, const struct vm_folder *folder, GError **error)
{
    if (geteuid() != 0 || !capability_is_effective(CAP_SYS_CHROOT)) {
        g_set_error(error, ERROR_DOMAIN, ERROR_UNAVAILABLE,
                    "%s cannot share %s: QEMU's own virtiofsd needs root and CAP_SYS_CHROOT; "
                    "install the newer virtiofsd, which needs neither (Debian 13: virtiofsd)",
                    path, folder->source);
        return NULL;
    }
    /* In its -o a comma would end the value. */
    if (strchr(folder->source, ',') != NULL) {
        g_set_error(error, ERROR_DOMAIN, ERROR_CONFIG,
                    "%s cannot share %s: QEMU's own virtiofsd has no way to name a folder with a "
                    "comma in its path",
                    path, folder->source);
        return NULL;
    }
    g_autofree char *options =
        g_strdup_printf("sandbox=chroot,modcaps=-mknod,announce_submounts,log_level=warn,source=%s",
                        folder->source);
    g_autoptr(GStrvBuilder) arguments = g_strv_builder_new();
    g_strv_builder_add_many(arguments, path, "-f", "--fd=" HELPER_FD_TEXT, "-o", options, NULL);
    return g_strv_builder_end(arguments);
}

/* The flags depend on what this container may do: nobody but root can chroot(2), and without it the
 * other users' files are safe by their modes alone. */
static char **command(const char *path, const struct vm_folder *folder)
{
    g_autoptr(GStrvBuilder) arguments = g_strv_builder_new();
    g_autofree char *folder_option = g_strconcat("--shared-dir=", folder->source, NULL);
    g_strv_builder_add_many(arguments, path, "--fd=" HELPER_FD_TEXT, folder_option,
                            "--log-level=warn", NULL);
    if (geteuid() == 0 && capability_is_effective(CAP_SYS_CHROOT)) {
        g_strv_builder_add_many(arguments, "--sandbox=chroot", "--modcaps=-mknod", NULL);
    } else {
        g_strv_builder_add_many(arguments, "--sandbox=none", NULL);
    }
    g_strv_builder_add(arguments, "--inode-file-handles=never");
    return g_strv_builder_end(arguments);
}

char **virtiofsd_command(const struct vm_folder *folder, GBytes **filter, GError **error)
{
    *filter = NULL;
    g_autofree char *path = helper_find(candidates);
    if (path == NULL) {
        g_set_error(error, ERROR_DOMAIN, ERROR_UNAVAILABLE,
                    "virtiofsd, which shares %s with the guest, is not installed; install it "
                    "(Debian 13: virtiofsd; Debian 12: qemu-system-common), or remove the mount",
                    folder->source);
        return NULL;
    }
    if (folder->readonly && (*filter = helper_readonly_filter(error)) == NULL) {
        return NULL;
    }
    return g_str_equal(path, QEMUS_PATH) ? command_of_qemus(path, folder, error)
                                         : command(path, folder);
}
