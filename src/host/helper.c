// SPDX-License-Identifier: LGPL-2.1-or-later
#include "src/host/helper.h"
#include "src/util/error.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* Of a log, to be quoted; more than a line or two help nobody. */
#define WORDS_READ 4096
#define WORDS_SHOWN 300

/* Between fork() and exec(): nothing but system calls. */
static void set_up_child(void *data)
{
    const struct sock_fprog *filter = data;
    sigset_t none;
    sigemptyset(&none);
    for (int number = 1; number < NSIG; number++) {
        signal(number, SIG_DFL);
    }
    sigprocmask(SIG_SETMASK, &none, NULL);
    setsid();
    if (filter->len > 0 && (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
                            prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, filter, 0, 0) < 0)) {
        _exit(126);
    }
}

static struct sock_fprog program_of(GBytes *filter)
{
    gsize size = 0;
    const void *bytes = filter != NULL ? g_bytes_get_data(filter, &size) : NULL;
    return (struct sock_fprog){.len = size / sizeof(struct sock_filter),
                               .filter = (struct sock_filter *)bytes};
}

static int open_log(const char *path)
{
    return open(path, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_NOFOLLOW | O_CLOEXEC, 0600);
}

bool helper_start(const struct helper_command *command, pid_t *pid, GError **error)
{
    static const int target = HELPER_FD;
    g_autoptr(GError) local = NULL;
    g_autofree char *path = g_strconcat("PATH=", g_getenv("PATH"), NULL);
    const char *const environment[] = {path, NULL};
    struct sock_fprog filter = program_of(command->filter);
    int log = open_log(command->log);
    if (log < 0) {
        error_set_errno(error, ERROR_UNAVAILABLE, errno, "cannot write %s", command->log);
        return false;
    }
    GPid child = 0;
    /* That nobody is to reap it makes GLib put a process in between, and us not its parent. */
    bool ok = g_spawn_async_with_pipes_and_fds("/", (const char *const *)command->argv, environment,
                                               G_SPAWN_STDIN_FROM_DEV_NULL, set_up_child, &filter,
                                               -1, log, log, &command->fd, &target, 1, &child, NULL,
                                               NULL, NULL, &local);
    close(log);
    if (!ok) {
        g_set_error(error, ERROR_DOMAIN, ERROR_UNAVAILABLE, "cannot start %s: %s", command->argv[0],
                    local->message);
    }
    *pid = child;
    return ok;
}

/* passt would rather speak to a syslog, which nobody has here, and says so after each line. */
static bool is_noise(const char *line)
{
    return *line == '\0' || g_str_has_prefix(line, "Failed to send ");
}

char *helper_last_words(const char *log)
{
    char text[WORDS_READ + 1];
    int fd = open(log, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    off_t size = fd >= 0 ? lseek(fd, 0, SEEK_END) : 0;
    ssize_t length = fd >= 0 ? pread(fd, text, WORDS_READ, MAX(0, size - WORDS_READ)) : 0;
    if (fd >= 0) {
        close(fd);
    }
    text[MAX(0, length)] = '\0';
    g_auto(GStrv) lines = g_strsplit(text, "\n", 0);
    for (guint i = g_strv_length(lines); i > 0; i--) {
        const char *line = g_strstrip(lines[i - 1]);
        if (!is_noise(line)) {
            g_autofree char *valid = g_utf8_make_valid(line, -1);
            return g_utf8_substring(valid, 0, MIN(WORDS_SHOWN, g_utf8_strlen(valid, -1)));
        }
    }
    return NULL;
}

char *helper_find(const char *const *candidates)
{
    for (const char *const *candidate = candidates; *candidate != NULL; candidate++) {
        char *path = g_find_program_in_path(*candidate);
        if (path != NULL) {
            return path;
        }
    }
    return NULL;
}

static int open_socket(const char *path, int flags, struct sockaddr_un *address, GError **error)
{
    *address = (struct sockaddr_un){.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof(address->sun_path)) {
        g_set_error(error, ERROR_DOMAIN, ERROR_USAGE, "the path %s is too long for a socket", path);
        return -1;
    }
    strcpy(address->sun_path, path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | flags, 0);
    if (fd < 0) {
        error_set_errno(error, ERROR_UNAVAILABLE, errno, "cannot make a socket");
    }
    return fd;
}

int helper_listen(const char *path, GError **error)
{
    struct sockaddr_un address;
    int fd = open_socket(path, 0, &address, error);
    if (fd < 0) {
        return -1;
    }
    unlink(path);
    if (bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 || listen(fd, 1) < 0) {
        error_set_errno(error, ERROR_UNAVAILABLE, errno, "cannot listen on %s", path);
        close(fd);
        return -1;
    }
    return fd;
}

int helper_accept(int listener, int ms, GError **error)
{
    struct pollfd pending = {.fd = listener, .events = POLLIN};
    int fd = poll(&pending, 1, ms) == 1 ? accept4(listener, NULL, NULL, SOCK_CLOEXEC) : -1;
    if (fd < 0) {
        g_set_error(error, ERROR_DOMAIN, ERROR_UNAVAILABLE,
                    "QEMU does not connect to the guest's network");
    }
    return fd;
}

static int connect_socket(const char *path, int flags, GError **error)
{
    struct sockaddr_un address;
    int fd = open_socket(path, flags, &address, error);
    if (fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
        error_set_errno(error, ERROR_UNAVAILABLE, errno, "cannot connect to %s", path);
        close(fd);
        return -1;
    }
    return fd;
}

int helper_connect(const char *path, GError **error)
{
    return connect_socket(path, 0, error);
}

int helper_connect_now(const char *path)
{
    return connect_socket(path, SOCK_NONBLOCK, NULL);
}
