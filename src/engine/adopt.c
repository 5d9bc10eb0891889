// SPDX-License-Identifier: LGPL-2.1-or-later
#include "src/engine/adopt.h"
#include "src/host/capability.h"
#include "src/host/process.h"
#include "src/host/limits.h"
#include "src/util/error.h"
#include "src/util/log.h"

#include <string.h>

static bool end(const struct instance *survivor, GError **error)
{
    bool ended = process_end(survivor->qemu, survivor->qemu_started);
    if (!ended) {
        g_set_error(error, ERROR_DOMAIN, ERROR_BUSY,
                    "QEMU with pid %d, of an ocivirt that is gone, does not end", survivor->qemu);
    }
    return ended;
}

bool adopt(const struct root *root, const struct instance *survivor, const char *id,
           const char *ready_pattern, struct legacy *legacy, GError **error)
{
    if (survivor->status != INSTANCE_RUNNING) {
        log_info("the VM %s that an ocivirt which is gone had begun to start is ended",
                 survivor->id);
        return end(survivor, error) && root_renew(root, error);
    }
    if (!g_str_equal(survivor->id, id)) {
        g_set_error(error, ERROR_DOMAIN, ERROR_BUSY,
                    "the VM %s of an ocivirt that is gone still runs in %s (QEMU has pid %d), and "
                    "this is to be %s; go on with it with --id %s, or stop it with: kill %d",
                    survivor->id, root->path, survivor->qemu, id, survivor->id, survivor->qemu);
        return false;
    }
    if (!capability_check(error)) {
        return false;
    }
    legacy->state = LIFECYCLE_RUNNING;
    legacy->facts.guest_ran = true;
    legacy->adopted = true;
    legacy->qemu = survivor->qemu;
    legacy->qemu_started = survivor->qemu_started;
    legacy->console.seen = legacy->was_ready =
        ready_pattern != NULL && g_strcmp0(survivor->console_seen, ready_pattern) == 0;
    memcpy(legacy->helpers, survivor->helpers, sizeof(legacy->helpers));
    legacy->oom_kills = limits_oom_kills();
    log_info("the VM %s of an ocivirt that is gone still runs (QEMU has pid %d): this one goes on "
             "with it",
             id, survivor->qemu);
    return true;
}
