// SPDX-License-Identifier: LGPL-2.1-or-later
#include "src/host/exit_port.h"
#include "src/util/error.h"
#include "src/util/log.h"
#include "src/vm/vm_spec.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* More than a pipe holds that nobody has made larger. */
#define PORT_MAX (1u << 20)
/* Of a line that is shown. */
#define SHOWN_MAX 40

static bool make_fifo(const char *path, GError **error)
{
    if (mkfifo(path, 0600) == 0 || errno == EEXIST) {
        return true;
    }
    error_set_errno(error, ERROR_UNAVAILABLE, errno, "cannot create the FIFO %s", path);
    return false;
}

int exit_port_open(const char *path, GError **error)
{
    g_autofree char *in = g_strconcat(path, ".in", NULL);
    g_autofree char *out = g_strconcat(path, ".out", NULL);
    if (!make_fifo(in, error) || !make_fifo(out, error)) {
        return -1;
    }
    /* For writing too, though we never do: so it can tell whether there is room. */
    int fd = open(out, O_RDWR | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC);
    struct stat status;
    if (fd < 0 || fstat(fd, &status) < 0) {
        error_set_errno(error, ERROR_UNAVAILABLE, errno, "cannot open the FIFO %s", out);
    } else if (!S_ISFIFO(status.st_mode)) {
        g_set_error(error, ERROR_DOMAIN, ERROR_UNAVAILABLE, "%s is no FIFO; remove it", out);
    } else {
        return fd;
    }
    if (fd >= 0) {
        close(fd);
    }
    return -1;
}

/* --- what it says --- */

static void trim(const char **line, gsize *length)
{
    while (*length > 0 && g_ascii_isspace((*line)[*length - 1])) {
        --*length;
    }
    while (*length > 0 && g_ascii_isspace(**line)) {
        ++*line;
        --*length;
    }
}

static bool parse_status(const char *line, gsize length, int *status)
{
    int number = 0;
    for (gsize i = 0; i < length; i++) {
        if (!g_ascii_isdigit(line[i])) {
            return false;
        }
        number = number * 10 + (line[i] - '0');
        if (number > 255) {
            return false;
        }
    }
    *status = number;
    return true;
}

static char *show(const char *line, gsize length)
{
    GString *shown = g_string_new(NULL);
    for (gsize i = 0; i < MIN(length, SHOWN_MAX); i++) {
        if (line[i] == '"' || line[i] == '\\') {
            g_string_append_printf(shown, "\\%c", line[i]);
        } else if (g_ascii_isprint(line[i])) {
            g_string_append_c(shown, line[i]);
        } else {
            g_string_append_printf(shown, "\\x%02x", (guchar)line[i]);
        }
    }
    if (length > SHOWN_MAX) {
        g_string_append(shown, "…");
    }
    return g_string_free(shown, FALSE);
}

bool exit_port_parse(const char *text, gsize length, bool cut_off, int *status, char **rejected)
{
    bool reported = false;
    *rejected = NULL;
    for (const char *end = text + length; text < end;) {
        const char *newline = memchr(text, '\n', end - text);
        const char *line = text;
        gsize left = (newline != NULL ? newline : end) - text;
        text += left + (newline != NULL);
        trim(&line, &left);
        if (left == 0 || (newline == NULL && cut_off)) {
            continue;
        }
        if (parse_status(line, left, status)) {
            reported = true;
        } else {
            g_free(*rejected);
            *rejected = show(line, left);
        }
    }
    return reported;
}

static bool has_room(int fd)
{
    struct pollfd port = {.fd = fd, .events = POLLOUT};
    return poll(&port, 1, 0) == 1 && (port.revents & POLLOUT) != 0;
}

static GByteArray *read_all(int fd)
{
    GByteArray *all = g_byte_array_new();
    guint8 part[4096];
    ssize_t n;
    while (all->len < PORT_MAX &&
           ((n = read(fd, part, sizeof(part))) > 0 || (n < 0 && errno == EINTR))) {
        if (n > 0) {
            g_byte_array_append(all, part, n);
        }
    }
    return all;
}

bool exit_port_read(int fd, int *status)
{
    bool cut_off = !has_room(fd);
    g_autoptr(GByteArray) all = read_all(fd);
    g_autofree char *rejected = NULL;
    bool reported = exit_port_parse((const char *)all->data, all->len, cut_off, status, &rejected);
    if (cut_off) {
        log_warning("the guest has written more to " VM_EXIT_PORT " than the %u bytes that it "
                    "takes; what came after them is lost",
                    all->len);
    }
    if (rejected != NULL) {
        log_warning("the guest has written \"%s\" to " VM_EXIT_PORT ", which is no number from 0 "
                    "to 255 and is passed over",
                    rejected);
    }
    return reported;
}
