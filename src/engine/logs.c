// SPDX-License-Identifier: LGPL-2.1-or-later
#include "src/engine/logs.h"
#include "src/host/log_file.h"

/* Some guests can have QEMU write MiBs within a second. */
#define LOOK_EVERY_S 2

static gboolean bound(gpointer data)
{
    static const char *const folders[] = {"log", "log/qemu"};
    for (gsize i = 0; i < G_N_ELEMENTS(folders); i++) {
        g_autofree char *folder = root_file(data, folders[i]);
        log_file_bound_all(folder);
    }
    return G_SOURCE_CONTINUE;
}

void logs_watch(const struct root *root)
{
    g_timeout_add_seconds(LOOK_EVERY_S, bound, (gpointer)root);
}
