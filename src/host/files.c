// SPDX-License-Identifier: LGPL-2.1-or-later
#include "src/host/files.h"
#include "src/util/error.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <sys/stat.h>
#include <unistd.h>

/* Of one file, bytes: the copies may be in the container's memory. */
#define LARGEST (16 << 20)

static int open_source(const struct vm_file *file, struct stat *status, GError **error)
{
    int fd = open(file->source, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, status) < 0) {
        error_set_errno(error, ERROR_UNAVAILABLE, errno,
                        "cannot read %s, which the guest is to "
                        "have as %s",
                        file->source, file->destination);
    } else if (!S_ISREG(status->st_mode) || status->st_size > LARGEST) {
        g_set_error(error, ERROR_DOMAIN, ERROR_CONFIG,
                    S_ISREG(status->st_mode)
                        ? "%s is too large to be shared as a single file: at most 16 MiB; share "
                          "the folder that it is in"
                        : "%s is not a file any more",
                    file->source);
    } else {
        return fd;
    }
    if (fd >= 0) {
        close(fd);
    }
    return -1;
}

/* Until its end; no more than LARGEST, even if it grows meanwhile. */
static bool copy_bytes(int from, int to)
{
    char buffer[65536];
    ssize_t length = 0;
    for (gsize copied = 0; copied <= LARGEST; copied += length) {
        length = read(from, buffer, sizeof(buffer));
        if (length <= 0) {
            return length == 0;
        }
        if (write(to, buffer, length) != length) {
            errno = ENOSPC;
            return false;
        }
    }
    errno = EFBIG;
    return false;
}

static bool copy(const struct vm_file *file, int folder, GError **error)
{
    struct stat status;
    int from = open_source(file, &status, error);
    if (from < 0) {
        return false;
    }
    mode_t mode = 0400 | (status.st_mode & 0555);
    int to = openat(folder, file->name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
    bool ok = to >= 0 && copy_bytes(from, to) && fchmod(to, mode) == 0;
    if (!ok) {
        error_set_errno(error, ERROR_UNAVAILABLE, errno, "cannot copy %s for the guest",
                        file->source);
    }
    close(from);
    if (to >= 0) {
        close(to);
    }
    return ok;
}

bool files_copy(const GPtrArray *files, const char *folder, GError **error)
{
    int fd = g_mkdir(folder, 0700) == 0 || errno == EEXIST
                 ? open(folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
                 : -1;
    if (fd < 0) {
        error_set_errno(error, ERROR_UNAVAILABLE, errno, "cannot make the folder %s", folder);
        return false;
    }
    bool ok = true;
    for (guint i = 0; i < files->len && ok; i++) {
        const struct vm_file *file = g_ptr_array_index(files, i);
        unlinkat(fd, file->name, 0);
        ok = copy(file, fd, error);
    }
    close(fd);
    return ok;
}
