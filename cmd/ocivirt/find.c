// SPDX-License-Identifier: LGPL-2.1-or-later
#include "cmd/ocivirt/find.h"
#include "src/engine/root_lock.h"
#include "src/util/error.h"

#include <errno.h>
#include <unistd.h>

bool find_read(const char *root, struct found *found, GError **error)
{
    g_autofree char *path = g_build_filename(root, "instance.json", NULL);
    *found = (struct found){0};
    if (!instance_read(&found->instance, path)) {
        if (access(path, R_OK) < 0 && errno != ENOENT) {
            error_set_errno(error, ERROR_UNAVAILABLE, errno, "cannot read %s", path);
        } else if (access(path, F_OK) == 0) {
            g_set_error(error, ERROR_DOMAIN, ERROR_UNAVAILABLE,
                        "%s cannot be understood: it is no instance.json of this ocivirt", path);
        } else {
            g_set_error(error, ERROR_DOMAIN, ERROR_UNAVAILABLE,
                        "there is no VM in the root directory %s", root);
        }
        return false;
    }
    bool locked = !instance_is_ours(&found->instance) && root_is_locked(root);
    found->status = instance_status_now(&found->instance, locked);
    return true;
}

/* Of several directories the one that counts: where a VM lives, else the only one. */
static const char *choose(const GPtrArray *roots, GError **error)
{
    g_autoptr(GString) list = g_string_new(NULL);
    const char *alive = NULL;
    guint alive_count = 0;
    for (guint i = 0; i < roots->len; i++) {
        const char *root = g_ptr_array_index(roots, i);
        struct found found;
        if (find_read(root, &found, NULL) && found.status != INSTANCE_STOPPED) {
            alive = root;
            alive_count++;
        }
        instance_finish(&found.instance);
        g_string_append_printf(list, "%s%s", i > 0 ? ", " : "", root);
    }
    if (alive_count == 1) {
        return alive;
    }
    if (roots->len == 1) {
        return g_ptr_array_index(roots, 0);
    }
    if (roots->len == 0) {
        g_set_error(error, ERROR_DOMAIN, ERROR_UNAVAILABLE,
                    "there is no VM: neither in the root directory " ROOT_DEFAULT
                    " nor in a temporary one of this user's; name its own with --root");
    } else {
        g_set_error(error, ERROR_DOMAIN, ERROR_UNAVAILABLE,
                    "there are several root directories; name one of them with --root: %s",
                    list->str);
    }
    return NULL;
}

char *find_root(const struct options *options, GError **error)
{
    if (options->root != NULL) {
        return g_strdup(options->root);
    }
    g_autoptr(GPtrArray) roots = root_find();
    return g_strdup(choose(roots, error));
}
