// SPDX-License-Identifier: LGPL-2.1-or-later
#include "cmd/ocivirt/output.h"
#include "src/util/error.h"
#include "src/util/log.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define CANNOT_PRINT "cannot write to standard output"

bool output_write(int fd, const void *bytes, gsize length)
{
    for (gsize done = 0; done < length;) {
        ssize_t n = write(fd, (const char *)bytes + done, length - done);
        if (n < 0 && errno == EAGAIN) { /* what is not ours may be non-blocking */
            struct pollfd room = {.fd = fd, .events = POLLOUT};
            poll(&room, 1, -1);
        } else if (n < 0 && errno != EINTR) {
            return false;
        }
        done += MAX(n, 0);
    }
    return true;
}

bool output_print(const char *text, GError **error)
{
    if (!output_write(STDOUT_FILENO, text, strlen(text))) {
        error_set_errno(error, ERROR_UNAVAILABLE, errno, CANNOT_PRINT);
        return false;
    }
    return true;
}

int output_finish(int status)
{
    errno = 0;
    if (fflush(stdout) == 0 && !ferror(stdout)) {
        return status;
    }
    /* Why an earlier write failed stdio does not keep. */
    log_error(CANNOT_PRINT ": %s", g_strerror(errno != 0 ? errno : EIO));
    return status != 0 ? status : ERROR_UNAVAILABLE;
}
