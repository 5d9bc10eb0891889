// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/* What is behind a path that is to be a disk: a file, a block device, or a folder with the one file
 * in it that is the image, as container-disk images have it. */

#include <glib.h>
#include <stdbool.h>

/* So many names of a folder are worth telling. */
#define IMAGE_FILE_NAMES_MAX 8

struct image_file {
    char *path;   /* of the file, or of the device; NULL: there is none, or more than one */
    char **names; /* of the files in a folder that has not exactly one: sorted, the first of them */
    bool block;
    int read_error;  /* errno of who wants to read it, or of the folder; 0: none */
    int write_error; /* of who wants to write it */
    bool volume;     /* it is mounted into the container, and no part of its image */
    bool direct_io;  /* its file system takes O_DIRECT */
    bool allocated;  /* no hole in it: writing it makes no new blocks */
    bool in_use; /* a block device that somebody holds for himself: a mounted file system does */
    guint64 device, inode; /* st_dev and st_ino of a file, st_rdev and 0 of a device */
};

/* Looks at what is at @path, and changes nothing. Symbolic links in a folder are passed over: who
 * may write the folder is not to say which file of ours becomes a disk. */
void image_file_look(const char *path, struct image_file *file);
void image_file_clear(struct image_file *file);
