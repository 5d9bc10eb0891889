// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/* How much room there is for a file. */

#include <glib.h>
#include <stdbool.h>

struct room {
    char *mount_point; /* of the file system that the file is on */
    guint64 free;      /* bytes that we may use */
    guint64 size;
};

/* False: there is no telling, as for a block device. Blocks as long as the file system does. */
bool room_look(const char *path, struct room *room);
void room_clear(struct room *room);
