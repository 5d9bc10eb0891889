// SPDX-License-Identifier: LGPL-2.1-or-later
#include "src/host/log_file.h"
#include "src/util/log.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Who writes appends, so that no hole is left where the rest was. */
static bool keep_end(int fd, off_t size)
{
    g_autofree char *end = g_malloc(LOG_FILE_KEPT);
    ssize_t length = pread(fd, end, LOG_FILE_KEPT, size - LOG_FILE_KEPT);
    if (length < 0 || ftruncate(fd, 0) < 0) {
        return false;
    }
    const char *newline = memchr(end, '\n', length);
    const char *first = newline != NULL ? newline + 1 : end;
    length -= first - end;
    return write(fd, first, length) == length;
}

bool log_file_bound(const char *path)
{
    struct stat status;
    int fd = open(path, O_RDWR | O_APPEND | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0) {
        return false;
    }
    bool ok = fstat(fd, &status) == 0 &&
              (!S_ISREG(status.st_mode) || (gsize)status.st_size <= LOG_FILE_MAX ||
               keep_end(fd, status.st_size));
    int saved_errno = errno;
    close(fd);
    errno = saved_errno;
    return ok;
}

void log_file_bound_all(const char *folder)
{
    g_autoptr(GDir) dir = g_dir_open(folder, 0, NULL);
    const char *name;
    while (dir != NULL && (name = g_dir_read_name(dir)) != NULL) {
        g_autofree char *path = g_build_filename(folder, name, NULL);
        if (g_str_has_suffix(name, ".log") && !log_file_bound(path)) {
            log_debug("%s cannot be cut short: %s", path, g_strerror(errno));
        }
    }
}
