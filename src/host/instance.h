// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/*
 * instance.json: who runs, or ran, in a root directory. A pid in it means something only in the
 * boot and PID namespace in which it was written: a restarted container has new ones.
 */

#include <glib.h>
#include <stdbool.h>
#include <sys/types.h>

struct instance {
    char *id;
    char *boot_id;
    guint64 pid_namespace; /* inode number */
    pid_t supervisor;
    pid_t qemu;           /* 0: none yet */
    guint64 qemu_started; /* clock ticks after boot, of /proc/PID/stat: tells it from a later one */
};

/* Fills in what this process knows of itself. */
void instance_init(struct instance *instance, const char *id);
void instance_finish(struct instance *instance);

/* Atomically. */
bool instance_write(const struct instance *instance, const char *path, GError **error);
/* False, without an error, if there is none or it cannot be understood. */
bool instance_read(struct instance *instance, const char *path);

/* Whether pids in @instance mean the same processes for us. */
bool instance_is_ours(const struct instance *instance);
/* Whether its QEMU still runs; false whenever that is not certain. */
bool instance_qemu_alive(const struct instance *instance);

/* When process @pid started, in clock ticks after boot; 0 if there is none. */
guint64 instance_start_time(pid_t pid);
