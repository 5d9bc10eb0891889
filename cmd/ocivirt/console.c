// SPDX-License-Identifier: LGPL-2.1-or-later
#include "cmd/ocivirt/client.h"
#include "cmd/ocivirt/find.h"
#include "src/util/error.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <termios.h>
#include <unistd.h>

#define ESCAPE_KEY 0x1d /* Ctrl-] */
#define ESCAPE_COUNT 3
#define ESCAPE_WITHIN (1 * G_USEC_PER_SEC)

struct session {
    int guest;   /* the socket */
    int signals; /* those that end us, so that the terminal is given back first */
    bool raw;
    struct termios terminal;
    bool reads_keys; /* standard input has not ended */
    int escapes;
    gint64 first_escape; /* µs, monotonic */
};

static bool write_all(int fd, const char *bytes, gsize length)
{
    for (gsize done = 0; done < length;) {
        ssize_t n = write(fd, bytes + done, length - done);
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

static void make_raw(struct session *s)
{
    if (tcgetattr(STDIN_FILENO, &s->terminal) == 0) {
        struct termios raw = s->terminal;
        cfmakeraw(&raw);
        s->raw = tcsetattr(STDIN_FILENO, TCSANOW, &raw) == 0;
        log_set_raw_terminal(s->raw);
    }
}

static void restore(struct session *s)
{
    if (s->raw) {
        tcsetattr(STDIN_FILENO, TCSANOW, &s->terminal);
        log_set_raw_terminal(false);
        s->raw = false;
    }
}

static bool is_escape(struct session *s, const char *bytes, gsize length)
{
    for (gsize i = 0; s->raw && i < length; i++) {
        gint64 now = g_get_monotonic_time();
        if (bytes[i] != ESCAPE_KEY) {
            s->escapes = 0;
            continue;
        }
        if (s->escapes == 0 || now - s->first_escape > ESCAPE_WITHIN) {
            s->escapes = 0;
            s->first_escape = now;
        }
        if (++s->escapes == ESCAPE_COUNT) {
            return true;
        }
    }
    return false;
}

/* False: the session is over. */
static bool read_keys(struct session *s)
{
    char buffer[4096];
    ssize_t n = read(STDIN_FILENO, buffer, sizeof(buffer));
    if (n < 0 && (errno == EINTR || errno == EAGAIN)) {
        return true;
    }
    if (n <= 0) { /* there is nothing more to type; what the guest says is still of interest */
        s->reads_keys = false;
        shutdown(s->guest, SHUT_WR);
        return !s->raw;
    }
    return !is_escape(s, buffer, n) && write_all(s->guest, buffer, n);
}

static bool read_guest(struct session *s)
{
    char buffer[4096];
    ssize_t n = read(s->guest, buffer, sizeof(buffer));
    if (n < 0 && (errno == EINTR || errno == EAGAIN)) {
        return true;
    }
    return n > 0 && write_all(STDOUT_FILENO, buffer, n);
}

/* Returns a signal that has ended it, or 0. */
static int run(struct session *s)
{
    for (;;) {
        struct pollfd polled[] = {
            {.fd = s->signals, .events = POLLIN},
            {.fd = s->guest, .events = POLLIN},
            {.fd = s->reads_keys ? STDIN_FILENO : -1, .events = POLLIN},
        };
        if (poll(polled, G_N_ELEMENTS(polled), -1) < 0) {
            continue;
        }
        struct signalfd_siginfo info;
        if (polled[0].revents != 0 && read(s->signals, &info, sizeof(info)) == sizeof(info)) {
            return (int)info.ssi_signo;
        }
        if ((polled[1].revents != 0 && !read_guest(s)) ||
            (polled[2].revents != 0 && !read_keys(s))) {
            return 0;
        }
    }
}

static int open_signals(void)
{
    static const int ending[] = {SIGTERM, SIGINT, SIGHUP, SIGQUIT};
    sigset_t set;
    sigemptyset(&set);
    for (gsize i = 0; i < G_N_ELEMENTS(ending); i++) {
        sigaddset(&set, ending[i]);
    }
    sigprocmask(SIG_BLOCK, &set, NULL);
    signal(SIGPIPE, SIG_IGN); /* a write that fails ends it in order */
    return signalfd(-1, &set, SFD_CLOEXEC);
}

/* Dies of the signal that would have ended us: whoever waits for us is to see that. */
static int die_of(int number)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, number);
    signal(number, SIG_DFL);
    raise(number);
    sigprocmask(SIG_UNBLOCK, &set, NULL);
    return 128 + number;
}

/* Returns a signal that has ended it, or 0. */
static int converse(struct client *c)
{
    g_autoptr(GBytes) early = NULL;
    struct session s = {.guest = client_descriptor(c, &early), .reads_keys = true};
    s.signals = open_signals();
    make_raw(&s);
    bool raw = s.raw;
    if (raw) {
        log_info("attached to the guest's console; Ctrl-] three times within a second leaves it");
    }
    gsize length;
    const char *bytes = g_bytes_get_data(early, &length);
    int ended_by = write_all(STDOUT_FILENO, bytes, length) ? run(&s) : 0;
    restore(&s);
    if (raw) {
        log_info("left the guest's console");
    }
    close(s.signals);
    return ended_by;
}

/* The same, or -1 and @error. */
static int attach(const struct options *options, GError **error)
{
    g_autofree char *root = find_root(options, error);
    struct client *c = root != NULL ? client_open(root, 0, error) : NULL;
    int ended_by = -1;
    if (c != NULL && client_send(c, "GET", "/v1/console", "ocivirt-console", error) &&
        client_receive(c, error)) {
        ended_by = converse(c);
    }
    client_close(c);
    return ended_by;
}

int command_console(int argc, char **argv)
{
    struct options options;
    g_autoptr(GError) error = NULL;
    int status = 0;
    if (options_parse(
            &options, argc, argv, "console",
            "Attach to the console of the guest of a root directory, until it has ended.\n"
            "On a terminal, Ctrl-] three times within a second leaves it. Exit status: 0,\n"
            "or 69 if there is no VM.",
            OPTIONS_ROOT, &status)) {
        int ended_by = attach(&options, &error);
        status = ended_by > 0 ? die_of(ended_by) : report_error(error);
    }
    options_finish(&options);
    return status;
}
