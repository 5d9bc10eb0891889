// SPDX-License-Identifier: LGPL-2.1-or-later
#include "src/host/room.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#define MOUNT_POINT_FIELD 4 /* of a line of mountinfo, from 0: proc(5) */

/* NULL: not known. */
static char *find_mount_point(const char *path)
{
    struct statx status;
    g_autofree char *text = NULL;
    if (statx(AT_FDCWD, path, 0, STATX_MNT_ID, &status) < 0 || !(status.stx_mask & STATX_MNT_ID) ||
        !g_file_get_contents("/proc/self/mountinfo", &text, NULL, NULL)) {
        return NULL;
    }
    g_auto(GStrv) lines = g_strsplit(text, "\n", 0);
    for (char **line = lines; *line != NULL; line++) {
        g_auto(GStrv) fields = g_strsplit(*line, " ", MOUNT_POINT_FIELD + 2);
        if (g_strv_length(fields) > MOUNT_POINT_FIELD &&
            g_ascii_strtoull(fields[0], NULL, 10) == status.stx_mnt_id) {
            return g_strcompress(fields[MOUNT_POINT_FIELD]); /* a space is written \040 */
        }
    }
    return NULL;
}

bool room_look(const char *path, struct room *room)
{
    struct stat file;
    struct statvfs status;
    *room = (struct room){NULL};
    if (stat(path, &file) < 0 || S_ISBLK(file.st_mode) || statvfs(path, &status) < 0) {
        return false;
    }
    room->free = (guint64)status.f_bavail * status.f_frsize;
    room->size = (guint64)status.f_blocks * status.f_frsize;
    room->mount_point = find_mount_point(path);
    if (room->mount_point == NULL) {
        room->mount_point = g_path_get_dirname(path);
    }
    return true;
}

void room_clear(struct room *room)
{
    g_clear_pointer(&room->mount_point, g_free);
}
