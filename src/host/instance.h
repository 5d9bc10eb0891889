// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/*
 * instance.json: who runs, or ran, in a root directory, and what others may know of it. A pid in it
 * means something only in the boot and PID namespace in which it was written: a restarted container
 * has new ones.
 */

#include <glib.h>
#include <stdbool.h>
#include <sys/types.h>

/* runtime.md, "State" */
enum instance_status {
    INSTANCE_CREATING,
    INSTANCE_CREATED,
    INSTANCE_RUNNING,
    INSTANCE_STOPPED,
    INSTANCE_STATUSES,
};

/* A process that may have ended since. */
struct instance_process {
    char name[64]; /* what it is for */
    pid_t pid;     /* 0: none */
    guint64 started;
};

/* Of a VM, beside QEMU. */
#define INSTANCE_HELPERS_MAX 80

/* Times of processes are clock ticks after boot, as in /proc/PID/stat: they tell a process from a
 * later one with its pid. */
struct instance {
    char *id;
    char *boot_id;
    guint64 pid_namespace; /* inode number */
    pid_t supervisor;
    guint64 supervisor_started;
    pid_t qemu; /* 0: none yet */
    guint64 qemu_started;
    struct instance_process helpers[INSTANCE_HELPERS_MAX];
    enum instance_status status; /* when it was written */
    char *console_seen;          /* a pattern of the setting ready; NULL: none was seen */
    char *bundle;                /* NULL: not known */
    char **annotations;          /* key, value, …, NULL; NULL: none */
};

/* Of a VM @id that is about to be made by @supervisor, in the boot and PID namespace of ours. */
void instance_init(struct instance *instance, const char *id, pid_t supervisor);
void instance_finish(struct instance *instance);

/* Atomically. */
bool instance_write(const struct instance *instance, const char *path, GError **error);
/* False, without an error, if there is none or it cannot be understood. */
bool instance_read(struct instance *instance, const char *path);

/* Whether pids in @instance mean the same processes for us. */
bool instance_is_ours(const struct instance *instance);
/* Whether its QEMU still runs; false whenever that is not certain. */
bool instance_qemu_alive(const struct instance *instance);
/* The same of the ocivirt whose VM it is. */
bool instance_supervisor_alive(const struct instance *instance);

/*
 * What became of it since: the status as it is now. For pids that mean nothing here @locked says
 * whether somebody has locked the root directory. As long as QEMU is there, so is the VM, even if
 * its ocivirt is gone.
 */
enum instance_status instance_status_now(const struct instance *instance, bool locked);
/* "running" */
const char *instance_status_name(enum instance_status status);
