// SPDX-License-Identifier: LGPL-2.1-or-later
#include "cmd/ocivirt/reconnect.h"
#include "cmd/ocivirt/find.h"
#include "src/engine/root_lock.h"
#include "src/util/error.h"

#include <errno.h>
#include <unistd.h>

/* Before each attempt: who hangs up at once is not asked at full speed. */
#define PAUSE_US (100 * 1000)
/* In which somebody who restarts an ocivirt that died has done so. */
#define PATIENCE_US (5 * G_USEC_PER_SEC)

/* Its ocivirt has written that it ended. A QEMU that is gone may be one that is started anew. */
static bool has_ended_for_certain(const char *root)
{
    struct found found;
    bool ended = find_read(root, &found, NULL) && found.instance.status == INSTANCE_STOPPED;
    instance_finish(&found.instance);
    return ended;
}

/* The same where nobody is there who could start it anew. */
static bool has_ended(const char *root)
{
    g_autofree char *path = g_build_filename(root, "instance.json", NULL);
    struct found found;
    bool ended = find_read(root, &found, NULL) ? found.status == INSTANCE_STOPPED
                                               : access(path, F_OK) < 0 && errno == ENOENT;
    instance_finish(&found.instance);
    return ended;
}

/* Takes @cause, why nobody could be reached. */
static void explain(const char *root, GError *cause, GError **error)
{
    struct found found;
    if (find_read(root, &found, NULL) && !root_is_locked(root)) {
        g_set_error(error, ERROR_DOMAIN, ERROR_UNAVAILABLE,
                    "the VM %s runs on without an ocivirt (QEMU has pid %d); start it again with "
                    "the same root directory, %s, to go on with it",
                    found.instance.id, found.instance.qemu, root);
        g_error_free(cause);
    } else {
        g_propagate_error(error, cause);
    }
    instance_finish(&found.instance);
}

struct client *reconnect(const char *root, GError **error)
{
    gint64 until = g_get_monotonic_time() + PATIENCE_US;
    while (!has_ended_for_certain(root)) {
        g_autoptr(GError) cause = NULL;
        g_usleep(PAUSE_US);
        struct client *c = client_open(root, 0, &cause);
        if (c != NULL || has_ended(root)) {
            return c;
        }
        if (g_get_monotonic_time() > until) {
            explain(root, g_steal_pointer(&cause), error);
            return NULL;
        }
    }
    return NULL;
}
