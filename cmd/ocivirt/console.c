// SPDX-License-Identifier: LGPL-2.1-or-later
#include "cmd/ocivirt/client.h"
#include "cmd/ocivirt/find.h"
#include "cmd/ocivirt/reconnect.h"
#include "src/util/error.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
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

/* The most that waits for a guest that takes no keys. */
#define KEYS_MAX 4096

/*
 * All is done by one poll(), and nothing else blocks: whoever takes nothing, guest or reader, does
 * not keep us from a signal or from the escape keys. Each direction has a buffer, and is read again
 * when that is empty; a terminal is read always.
 */
struct session {
    int guest;          /* the socket */
    int screen;         /* where the guest's words go */
    int signals;        /* those that end us, so that the terminal is given back first */
    sigset_t unblocked; /* the mask without them */
    bool raw;
    struct termios terminal;
    bool reads_keys;  /* standard input has not ended */
    bool takes_keys;  /* the guest's side */
    bool says_words;  /* it has not ended */
    GByteArray *keys; /* for the guest */
    GByteArray *words;
    int escapes;
    gint64 first_escape; /* µs, monotonic */
};

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

static bool is_escape(struct session *s, const guint8 *bytes, gsize length)
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

static bool is_transient(int number)
{
    return number == EINTR || number == EAGAIN;
}

static void stop_keys(struct session *s)
{
    s->takes_keys = false;
    g_byte_array_set_size(s->keys, 0);
}

/* What there is no room for is lost. */
static void keep_keys(struct session *s, const guint8 *bytes, gsize length)
{
    if (s->takes_keys) {
        g_byte_array_append(s->keys, bytes, MIN(length, KEYS_MAX - s->keys->len));
    }
}

/* False: the session is over. */
static bool read_keys(struct session *s)
{
    guint8 buffer[KEYS_MAX];
    ssize_t n = read(STDIN_FILENO, buffer, sizeof(buffer));
    if (n < 0 && is_transient(errno)) {
        return true;
    }
    if (n <= 0) { /* there is nothing more to type; what the guest says is still of interest */
        s->reads_keys = false;
        shutdown(s->guest, SHUT_WR); /* all keys are sent: no others are read before */
        return !s->raw;
    }
    keep_keys(s, buffer, n);
    return !is_escape(s, buffer, n);
}

static void send_keys(struct session *s)
{
    ssize_t n = send(s->guest, s->keys->data, s->keys->len, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (n >= 0) {
        g_byte_array_remove_range(s->keys, 0, n);
    } else if (!is_transient(errno)) {
        stop_keys(s); /* what it has said before can still be read */
    }
}

static void read_words(struct session *s)
{
    guint8 buffer[PIPE_BUF];
    ssize_t n = recv(s->guest, buffer, sizeof(buffer), MSG_DONTWAIT);
    if (n > 0) {
        g_byte_array_append(s->words, buffer, n);
    } else if (n == 0 || !is_transient(errno)) {
        s->says_words = false;
        stop_keys(s);
    }
}

/* A pipe that polls writable takes PIPE_BUF bytes without blocking. */
static bool write_words(struct session *s, GError **error)
{
    ssize_t n = write(s->screen, s->words->data, MIN(s->words->len, PIPE_BUF));
    if (n < 0 && !is_transient(errno)) {
        error_set_errno(error, ERROR_UNAVAILABLE, errno, "cannot write to standard output");
        return false;
    }
    g_byte_array_remove_range(s->words, 0, MAX(n, 0));
    return true;
}

/* Of a descriptor of which nothing is wanted poll() is not to tell anything, as it would of its
 * end. */
static struct pollfd want(int fd, short events)
{
    return (struct pollfd){.fd = events != 0 ? fd : -1, .events = events};
}

static struct pollfd want_guest(const struct session *s)
{
    bool words = s->says_words && s->words->len == 0;
    return want(s->guest, (words ? POLLIN : 0) | (s->keys->len > 0 ? POLLOUT : 0));
}

static struct pollfd want_keys(const struct session *s)
{
    bool room = s->takes_keys && s->keys->len == 0;
    return want(STDIN_FILENO, s->reads_keys && (s->raw || room) ? POLLIN : 0);
}

/* How a session ends, but for a signal, whose number it is. */
enum { LEFT = 0, FAILED = -1, DISCONNECTED = -2 };

/* FAILED: @error. */
static int run(struct session *s, GError **error)
{
    while (s->says_words || s->words->len > 0) {
        enum { SIGNALS, GUEST, KEYS, SCREEN };
        struct pollfd polled[] = {
            [SIGNALS] = want(s->signals, POLLIN),
            [GUEST] = want_guest(s),
            [KEYS] = want_keys(s),
            [SCREEN] = want(s->screen, s->words->len > 0 ? POLLOUT : 0),
        };
        if (poll(polled, G_N_ELEMENTS(polled), -1) < 0) {
            continue;
        }
        struct signalfd_siginfo info;
        if (polled[SIGNALS].revents != 0 && read(s->signals, &info, sizeof(info)) == sizeof(info)) {
            return (int)info.ssi_signo;
        }
        if (polled[KEYS].revents != 0 && !read_keys(s)) {
            return LEFT;
        }
        if (polled[SCREEN].revents != 0 && !write_words(s, error)) {
            return FAILED;
        }
        if (polled[GUEST].revents != 0 && (polled[GUEST].events & POLLOUT)) {
            send_keys(s);
        }
        if (polled[GUEST].revents != 0 && (polled[GUEST].events & POLLIN)) {
            read_words(s);
        }
    }
    return DISCONNECTED;
}

/* A terminal that polls writable takes a byte, and blocks for the others. That it does not is a
 * matter of how it was opened, and standard output is not ours alone. */
static int open_screen(void)
{
    int own = isatty(STDOUT_FILENO)
                  ? open("/proc/self/fd/1", O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC)
                  : -1;
    return own >= 0 ? own : dup(STDOUT_FILENO);
}

static int open_signals(sigset_t *unblocked)
{
    static const int ending[] = {SIGTERM, SIGINT, SIGHUP, SIGQUIT};
    sigset_t set;
    sigemptyset(&set);
    for (gsize i = 0; i < G_N_ELEMENTS(ending); i++) {
        sigaddset(&set, ending[i]);
    }
    sigprocmask(SIG_BLOCK, &set, unblocked);
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

/* As run(). Afterwards terminal and signals are as they were before. */
static int converse(struct client *c, GError **error)
{
    g_autoptr(GBytes) early = NULL;
    struct session s = {
        .guest = client_descriptor(c, &early),
        .screen = open_screen(),
        .reads_keys = true,
        .takes_keys = true,
        .says_words = true,
        .keys = g_byte_array_new(),
    };
    s.signals = open_signals(&s.unblocked);
    s.words = g_bytes_unref_to_array(g_steal_pointer(&early));
    make_raw(&s);
    bool raw = s.raw;
    if (raw) {
        log_info("attached to the guest's console; Ctrl-] three times within a second leaves it");
    }
    int end = run(&s, error);
    restore(&s);
    if (raw) {
        log_info("left the guest's console");
    }
    g_byte_array_unref(s.keys);
    g_byte_array_unref(s.words);
    close(s.signals);
    close(s.screen);
    if (end <= 0) { /* else they are die_of()'s */
        sigprocmask(SIG_SETMASK, &s.unblocked, NULL);
    }
    return end;
}

static bool ask_for_console(struct client *c, GError **error)
{
    return client_send(c, "GET", "/v1/console", "ocivirt-console", error) &&
           client_receive(c, error);
}

/* As run(), but that a connection that is lost before it is there is one that is lost, too. */
static int attach_again(struct client *c, GError **error)
{
    g_autoptr(GError) local = NULL;
    if (ask_for_console(c, &local)) {
        log_warning("the connection to the guest's console was lost, and is there again; what the "
                    "guest has said and been told meanwhile may be missing");
        return converse(c, error);
    }
    if (client_is_refused(c)) {
        g_propagate_error(error, g_steal_pointer(&local));
        return FAILED;
    }
    return DISCONNECTED;
}

/* Returns a signal that has ended it, or something else: @error, if any. The server hangs up when
 * the VM has ended, and on who reads too slowly, and when it dies: instance.json tells which. */
static int attach(const struct options *options, GError **error)
{
    g_autofree char *root = find_root(options, error);
    struct client *c = root != NULL ? client_open(root, 0, error) : NULL;
    int end = c != NULL && ask_for_console(c, error) ? converse(c, error) : FAILED;
    while (end == DISCONNECTED) {
        client_close(c);
        c = reconnect(root, error);
        end = c != NULL ? attach_again(c, error) : LEFT;
    }
    client_close(c);
    return end;
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
        int end = attach(&options, &error);
        status = end > 0 ? die_of(end) : report_error(error);
    }
    options_finish(&options);
    return status;
}
