// SPDX-License-Identifier: LGPL-2.1-or-later
#include "src/host/image_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define BLOCK_BYTES 512 /* of st_blocks: stat(3type) */

/* Statx has no mount ids before Linux 5.8: then a volume is what has another st_dev. */
static bool is_other_mount(const char *path)
{
    struct statx root, file;
    unsigned mask = STATX_MNT_ID;
    if (statx(AT_FDCWD, "/", 0, mask, &root) < 0 || statx(AT_FDCWD, path, 0, mask, &file) < 0) {
        return false;
    }
    return root.stx_mask & file.stx_mask & STATX_MNT_ID
               ? root.stx_mnt_id != file.stx_mnt_id
               : root.stx_dev_major != file.stx_dev_major ||
                     root.stx_dev_minor != file.stx_dev_minor;
}

static bool takes_direct_io(const char *path)
{
    int fd = open(path, O_RDONLY | O_DIRECT | O_CLOEXEC | O_NONBLOCK);
    if (fd >= 0) {
        close(fd);
    }
    return fd >= 0;
}

static bool is_held(const char *path)
{
    int fd = open(path, O_RDONLY | O_EXCL | O_CLOEXEC | O_NONBLOCK);
    bool held = fd < 0 && errno == EBUSY;
    if (fd >= 0) {
        close(fd);
    }
    return held;
}

/* AT_EACCESS: the rights that opening it will need, also under another effective uid. */
static int access_error(const char *path, int mode)
{
    return faccessat(AT_FDCWD, path, mode, AT_EACCESS) < 0 ? errno : 0;
}

static void examine(struct image_file *file, const struct stat *status)
{
    file->block = S_ISBLK(status->st_mode);
    file->read_error = access_error(file->path, R_OK);
    file->write_error = access_error(file->path, W_OK);
    file->volume = is_other_mount(file->path);
    file->direct_io = file->block || takes_direct_io(file->path);
    file->allocated = file->block || status->st_blocks * BLOCK_BYTES >= status->st_size;
    file->in_use = file->block && is_held(file->path);
    file->device = file->block ? status->st_rdev : status->st_dev;
    file->inode = file->block ? 0 : status->st_ino;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The names of the regular files in @folder, sorted. A leading dot hides. */
static GPtrArray *list(const char *folder, int *error)
{
    GPtrArray *names = g_ptr_array_new_with_free_func(g_free);
    errno = 0;
    GDir *dir = g_dir_open(folder, 0, NULL);
    *error = dir == NULL ? (errno != 0 ? errno : EACCES) : 0;
    const char *name;
    while (dir != NULL && (name = g_dir_read_name(dir)) != NULL) {
        g_autofree char *path = g_build_filename(folder, name, NULL);
        struct stat status;
        if (*name != '.' && lstat(path, &status) == 0 && S_ISREG(status.st_mode)) {
            g_ptr_array_add(names, g_strdup(name));
        }
    }
    g_clear_pointer(&dir, g_dir_close);
    g_ptr_array_sort(names, by_name);
    return names;
}

static void look_into(const char *folder, struct image_file *file)
{
    g_autoptr(GPtrArray) names = list(folder, &file->read_error);
    struct stat status;
    if (names->len == 1) {
        file->path = g_build_filename(folder, g_ptr_array_index(names, 0), NULL);
        if (lstat(file->path, &status) == 0 && S_ISREG(status.st_mode)) {
            examine(file, &status);
            return;
        }
        g_clear_pointer(&file->path, g_free); /* it has gone in the meantime */
    }
    g_ptr_array_set_size(names, MIN(names->len, IMAGE_FILE_NAMES_MAX));
    g_ptr_array_add(names, NULL);
    file->names = g_strdupv((char **)names->pdata);
}

void image_file_look(const char *path, struct image_file *file)
{
    struct stat status;
    *file = (struct image_file){NULL};
    if (stat(path, &status) < 0) {
        file->read_error = errno;
    } else if (S_ISDIR(status.st_mode)) {
        look_into(path, file);
    } else if (S_ISREG(status.st_mode) || S_ISBLK(status.st_mode)) {
        file->path = g_strdup(path);
        examine(file, &status);
    }
}

void image_file_clear(struct image_file *file)
{
    g_clear_pointer(&file->path, g_free);
    g_clear_pointer(&file->names, g_strfreev);
}
