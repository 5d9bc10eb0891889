// SPDX-License-Identifier: LGPL-2.1-or-later
#include "src/engine/root_lock.h"
#include "src/host/instance.h"
#include "src/util/error.h"
#include "src/util/log.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <unistd.h>

/* In microseconds: how long a lock is waited for whose owner is gone, or whose owner's VM has ended
 * and which runs hooks, perhaps; and between two attempts. */
#define LOCK_PATIENCE G_USEC_PER_SEC
#define LOCK_PATIENCE_AT_END (60 * G_USEC_PER_SEC)
#define LOCK_INTERVAL (20 * 1000)

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

static enum owner look_at_owner(const struct root *root)
{
    g_autofree char *file = root_file(root, "instance.json");
    struct instance owner;
    enum owner found = OWNER_GONE;
    if (instance_read(&owner, file) && owner.status == INSTANCE_STOPPED) {
        found = OWNER_ENDS;
    } else if (owner.id != NULL && instance_supervisor_alive(&owner)) {
        found = OWNER_RUNS;
    }
    instance_finish(&owner);
    return found;
}

/* Signals are blocked by now, and nobody reads them yet. */
static bool is_to_end(void)
{
    sigset_t pending;
    return sigpending(&pending) == 0 &&
           (sigismember(&pending, SIGTERM) == 1 || sigismember(&pending, SIGINT) == 1);
}

/* A process that has been killed keeps what it has locked for a moment, and root_is_locked() locks
 * for one, too; who was told that a VM has ended is not to be refused for what its ocivirt has
 * still to do. Of an owner whose VM lives it is known at once that waiting is in vain. */
static bool take_lock(const struct root *root)
{
    static const gint64 patience[] = {
        [OWNER_RUNS] = 0,
        [OWNER_ENDS] = LOCK_PATIENCE_AT_END,
        [OWNER_GONE] = LOCK_PATIENCE,
    };
    enum owner owner = OWNER_GONE;
    gint64 since = g_get_monotonic_time(); /* that is so; who ends is gone at last */
    bool locked, told = false;
    while (!(locked = flock(root->lock, LOCK_EX | LOCK_NB) == 0) && !is_to_end()) {
        enum owner before = owner;
        gint64 now = g_get_monotonic_time();
        owner = look_at_owner(root);
        since = owner != before ? now : since;
        if (now - since >= patience[owner]) {
            break;
        }
        if (!told && now - since > LOCK_PATIENCE) {
            log_info("waiting for the ocivirt that ends in the root directory %s", root->path);
            told = true;
        }
        g_usleep(LOCK_INTERVAL);
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
