// SPDX-License-Identifier: LGPL-2.1-or-later
#include "src/engine/root_lock.h"
#include "src/host/instance.h"
#include "src/util/error.h"
#include "src/util/log.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

/* In microseconds: how long a lock is waited for whose owner is gone, how long an owner whose VM
 * has ended, and between two attempts. */
#define LOCK_PATIENCE G_USEC_PER_SEC
#define END_PATIENCE (60 * G_USEC_PER_SEC)
#define INTERVAL (20 * 1000)

bool root_is_locked(const char *path)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    bool locked = fd >= 0 && flock(fd, LOCK_SH | LOCK_NB) < 0 && errno == EWOULDBLOCK;
    if (fd >= 0) {
        close(fd);
    }
    return locked;
}

static void set_busy(const struct root *root, GError **error)
{
    g_autofree char *file = root_file(root, "instance.json");
    struct instance owner;
    if (!instance_read(&owner, file)) {
        g_set_error(error, ERROR_DOMAIN, ERROR_BUSY,
                    "the root directory %s is in use by another ocivirt; give this one another "
                    "with --root",
                    root->path);
    } else if (owner.status == INSTANCE_STOPPED) {
        g_set_error(error, ERROR_DOMAIN, ERROR_BUSY,
                    "the root directory %s is in use by ocivirt with pid %d (%s) still, though its "
                    "VM has ended; try again in some seconds, or give this one another with --root",
                    root->path, owner.supervisor, owner.id);
    } else if (instance_is_ours(&owner) && !instance_supervisor_alive(&owner)) {
        g_set_error(error, ERROR_DOMAIN, ERROR_BUSY,
                    "the root directory %s is in use by what is left of ocivirt with pid %d (%s), "
                    "which ends its guest; try again in some seconds, or give this one another "
                    "with --root",
                    root->path, owner.supervisor, owner.id);
    } else {
        g_set_error(error, ERROR_DOMAIN, ERROR_BUSY,
                    "the root directory %s is in use by ocivirt with pid %d (%s); give this one "
                    "another with --root",
                    root->path, owner.supervisor, owner.id);
    }
    instance_finish(&owner);
}

/* What instance.json tells of who has the lock. */
enum owner {
    OWNER_RUNS,
    OWNER_ENDS, /* its VM has ended */
    OWNER_GONE, /* or not known */
};

/* Where there was no room to note the end, QEMU's own tells it. */
static bool vm_has_ended(const struct instance *owner)
{
    return owner->status == INSTANCE_STOPPED ||
           (owner->qemu > 0 && instance_is_ours(owner) && !instance_qemu_alive(owner));
}

static enum owner look_at_owner(const char *root)
{
    g_autofree char *file = g_build_filename(root, "instance.json", NULL);
    struct instance owner;
    enum owner found = OWNER_GONE;
    if (instance_read(&owner, file) && vm_has_ended(&owner)) {
        found = OWNER_ENDS;
    } else if (owner.id != NULL && instance_supervisor_alive(&owner)) {
        found = OWNER_RUNS;
    }
    instance_finish(&owner);
    return found;
}

bool root_await_end(const char *root, bool (*is_to_stop)(void))
{
    gint64 waited = 0;
    while (waited < END_PATIENCE && look_at_owner(root) == OWNER_ENDS && root_is_locked(root)) {
        if (is_to_stop()) {
            return false;
        }
        if (waited == LOCK_PATIENCE) {
            log_info("waiting for the ocivirt whose VM has ended in the root directory %s", root);
        }
        g_usleep(INTERVAL);
        waited += INTERVAL;
    }
    return true;
}

/* A process that has been killed keeps what it has locked for a moment, and root_is_locked() locks
 * for one, too: only of an owner whose VM lives it is known at once that waiting is in vain. */
static bool take_lock(const struct root *root)
{
    gint64 deadline = g_get_monotonic_time() + LOCK_PATIENCE;
    bool locked = flock(root->lock, LOCK_EX | LOCK_NB) == 0;
    while (!locked && look_at_owner(root->path) != OWNER_RUNS &&
           g_get_monotonic_time() < deadline) {
        g_usleep(INTERVAL);
        locked = flock(root->lock, LOCK_EX | LOCK_NB) == 0;
    }
    return locked;
}

bool root_lock(struct root *root, GError **error)
{
    root->lock = open(root->path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (root->lock < 0) {
        error_set_errno(error, ERROR_UNAVAILABLE, errno, "cannot open the root directory %s",
                        root->path);
        return false;
    }
    if (!take_lock(root)) {
        set_busy(root, error);
        return false;
    }
    return true;
}
