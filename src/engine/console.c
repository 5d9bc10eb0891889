// SPDX-License-Identifier: LGPL-2.1-or-later
#include "src/engine/console.h"
#include "src/util/error.h"
#include "src/util/log.h"
#include "src/util/sync.h"

#include <errno.h>
#include <glib-unix.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <termios.h>
#include <unistd.h>

/*
 * Theory of operation.
 *
 * The main loop moves bytes from QEMU's socket into a queue, and a thread moves them from the queue
 * into standard output with plain blocking writes. O_NONBLOCK is not used on standard output: the
 * flag belongs to the open file, which others share (a shell, the other end of a container's log).
 *
 * When the queue is full the socket is not read, so QEMU waits, and the guest with it. A timer
 * looks whether the thread still gets rid of bytes; if it has not for STALL_MS, bytes from QEMU are
 * dropped, and counted, until it does again.
 */

#define STALL_MS 2000
#define STALL_CHECK_MS 250
#define CHUNK (64 * 1024)
/* A serial port writes each byte by itself: with a pause after each read they come by the hundred.
 * Not longer, since a socket is full after some 270 such bytes. */
#define PAUSE_MS 1
/* One write(): on a pipe it returns when all is taken, and what a slow reader takes has to show. */
#define WRITE_CHUNK 4096

#define ESCAPE_KEY 0x1d /* Ctrl-] */
#define ESCAPE_COUNT 3
#define ESCAPE_WITHIN (1 * G_USEC_PER_SEC)

struct console {
    struct console_handlers handlers;
    int socket;
    guint socket_source; /* what reads it, or will after a pause; 0: nothing */
    guint stall_timer;
    bool off;
    bool draining;
    bool drained;
    console_tap *tap; /* NULL: none */
    void *tap_data;

    GThread *writer;
    GMutex lock; /* for all until the blank line */
    GCond more;
    GByteArray *pending; /* read from QEMU; the writer has not taken it yet */
    gsize queued;        /* bytes pending, and taken but not written */
    guint64 written;     /* bytes, ever */
    bool ending;         /* the writer is to end when nothing is pending */
    bool broken;         /* standard output takes nothing any more */

    guint64 written_before; /* at the last look of the timer */
    int stalled_ms;
    guint64 dropped; /* bytes */

    bool raw;
    struct termios terminal;
    guint input_source;
    guint input_retry;
    bool input_waits;  /* standard input is not read until QEMU has taken what there is */
    GByteArray *input; /* read from standard input, not yet taken by QEMU */
    int escapes;
    gint64 first_escape; /* µs, monotonic */
};

/* --- the guest's output --- */

/* Writes all of @bytes; false: standard output is broken. Runs in the writer. */
static bool write_all(struct console *c, const GByteArray *bytes)
{
    for (gsize done = 0; done < bytes->len;) {
        ssize_t n = write(STDOUT_FILENO, bytes->data + done, MIN(bytes->len - done, WRITE_CHUNK));
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0 && errno == EAGAIN) { /* somebody else has made it non-blocking */
            g_usleep(10 * 1000);
            continue;
        }
        if (n < 0) {
            return false;
        }
        done += n;
        sync_lock(&c->lock);
        c->written += n;
        c->queued -= n;
        sync_unlock(&c->lock);
    }
    return true;
}

static gboolean report_drained(gpointer data)
{
    struct console *c = data;
    sync_take(c);
    if (!c->drained) {
        c->drained = true;
        c->handlers.drained(c->handlers.data);
    }
    return G_SOURCE_REMOVE;
}

/* All that is pending; NULL: there is nothing, and there will not be. The caller holds the lock. */
static GByteArray *take_pending(struct console *c)
{
    while (c->pending->len == 0) {
        if (c->ending) {
            return NULL;
        }
        sync_wait(&c->more, &c->lock);
    }
    GByteArray *taken = c->pending;
    c->pending = g_byte_array_new();
    return taken;
}

static gpointer write_output(gpointer data)
{
    struct console *c = data;
    GByteArray *taken;
    sync_lock(&c->lock);
    while ((taken = take_pending(c)) != NULL) {
        sync_unlock(&c->lock);
        bool ok = write_all(c, taken);
        g_byte_array_unref(taken);
        sync_lock(&c->lock);
        if (!ok) {
            /* Nobody will ever read: not a reason to stop the guest, or to keep bytes. */
            c->broken = true;
            c->queued = 0;
            g_byte_array_set_size(c->pending, 0);
        }
    }
    sync_unlock(&c->lock);
    sync_give(c);
    g_idle_add(report_drained, c);
    return NULL;
}

static void enqueue(struct console *c, const char *data, gsize length)
{
    sync_lock(&c->lock);
    if (!c->broken) {
        g_byte_array_append(c->pending, (const guint8 *)data, length);
        c->queued += length;
        g_cond_signal(&c->more);
    }
    sync_unlock(&c->lock);
}

static bool queue_is_full(struct console *c)
{
    sync_lock(&c->lock);
    bool full = c->queued >= CONSOLE_BUFFER;
    sync_unlock(&c->lock);
    return full;
}

static void end_writer(struct console *c)
{
    sync_lock(&c->lock);
    c->ending = true;
    g_cond_signal(&c->more);
    sync_unlock(&c->lock);
}

static gboolean read_socket(gint fd, GIOCondition condition, gpointer data);

static gboolean end_pause(gpointer data)
{
    struct console *c = data;
    c->socket_source = g_unix_fd_add(c->socket, G_IO_IN | G_IO_HUP, read_socket, c);
    return G_SOURCE_REMOVE;
}

static gboolean read_socket(gint fd, GIOCondition condition, gpointer data)
{
    (void)condition;
    struct console *c = data;
    bool stalled = c->stalled_ms >= STALL_MS;
    if (!stalled && queue_is_full(c)) {
        c->socket_source = 0;
        return G_SOURCE_REMOVE; /* look_for_stall() takes it up again */
    }
    char buffer[CHUNK];
    ssize_t n = read(fd, buffer, sizeof(buffer));
    if (n < 0 && (errno == EINTR || errno == EAGAIN)) {
        return G_SOURCE_CONTINUE;
    }
    if (n <= 0) {
        c->socket_source = 0;
        if (c->draining) {
            end_writer(c);
        }
        return G_SOURCE_REMOVE;
    }
    if (c->tap != NULL) {
        c->tap(buffer, n, c->tap_data);
    }
    if (c->off) {
        return G_SOURCE_CONTINUE;
    }
    if (stalled && queue_is_full(c)) {
        c->dropped += n;
    } else {
        enqueue(c, buffer, n);
    }
    if (n == sizeof(buffer)) {
        return G_SOURCE_CONTINUE;
    }
    c->socket_source = g_timeout_add(PAUSE_MS, end_pause, c);
    return G_SOURCE_REMOVE;
}

static void watch_socket(struct console *c)
{
    if (c->socket_source == 0) {
        c->socket_source = g_unix_fd_add(c->socket, G_IO_IN | G_IO_HUP, read_socket, c);
    }
}

static void give_up_draining(struct console *c)
{
    sync_lock(&c->lock);
    guint64 lost = c->queued + c->dropped;
    sync_unlock(&c->lock);
    log_warning("%" G_GUINT64_FORMAT
                " bytes of the guest's console are lost: standard output is not "
                "read, or too slowly",
                lost);
    report_drained(c);
}

static gboolean on_drain_overdue(gpointer data)
{
    struct console *c = data;
    if (!c->drained) {
        give_up_draining(c);
    }
    return G_SOURCE_REMOVE;
}

/* Every STALL_CHECK_MS: is whoever reads standard output still reading? */
static gboolean look_for_stall(gpointer data)
{
    struct console *c = data;
    sync_lock(&c->lock);
    guint64 written = c->written;
    gsize queued = c->queued;
    sync_unlock(&c->lock);

    bool moving = written != c->written_before || queued == 0;
    c->written_before = written;
    c->stalled_ms = moving ? 0 : MIN(c->stalled_ms + STALL_CHECK_MS, STALL_MS);
    if (moving && c->dropped > 0 && queued < CONSOLE_BUFFER) {
        log_warning("%" G_GUINT64_FORMAT " bytes of the guest's console were lost: nobody read "
                    "standard output",
                    c->dropped);
        c->dropped = 0;
    }
    if (c->socket_source == 0 && !c->ending && (c->stalled_ms >= STALL_MS || !queue_is_full(c))) {
        watch_socket(c);
    }
    if (c->draining && c->stalled_ms >= STALL_MS && !c->drained) {
        give_up_draining(c);
    }
    return G_SOURCE_CONTINUE;
}

/* --- its input --- */

static gboolean read_input(gint fd, GIOCondition condition, gpointer data);

static void watch_input(struct console *c)
{
    c->input_source = g_unix_fd_add(STDIN_FILENO, G_IO_IN | G_IO_HUP, read_input, c);
}

/* Sends what QEMU takes. False: there is a rest. */
static bool send_input(struct console *c)
{
    ssize_t n = send(c->socket, c->input->data, c->input->len, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (n < 0 && errno != EAGAIN && errno != EINTR) {
        n = c->input->len; /* QEMU is going: there is nobody to type to */
    }
    if (n > 0) {
        g_byte_array_remove_range(c->input, 0, n);
    }
    return c->input->len == 0;
}

static gboolean retry_input(gint fd, GIOCondition condition, gpointer data)
{
    (void)fd;
    (void)condition;
    struct console *c = data;
    if (!send_input(c)) {
        return G_SOURCE_CONTINUE;
    }
    c->input_retry = 0;
    if (c->input_waits) {
        c->input_waits = false;
        watch_input(c);
    }
    return G_SOURCE_REMOVE;
}

static void retry_later(struct console *c)
{
    if (c->input_retry == 0) {
        c->input_retry = g_unix_fd_add(c->socket, G_IO_OUT, retry_input, c);
    }
}

static void look_for_escape(struct console *c, const guint8 *bytes, gsize length)
{
    for (gsize i = 0; i < length; i++) {
        if (bytes[i] != ESCAPE_KEY) {
            c->escapes = 0;
            continue;
        }
        gint64 now = g_get_monotonic_time();
        if (c->escapes == 0 || now - c->first_escape > ESCAPE_WITHIN) {
            c->escapes = 0;
            c->first_escape = now;
        }
        if (++c->escapes == ESCAPE_COUNT) {
            c->escapes = 0;
            c->handlers.escape(c->handlers.data);
        }
    }
}

static gboolean read_input(gint fd, GIOCondition condition, gpointer data)
{
    (void)condition;
    struct console *c = data;
    guint8 buffer[4096];
    ssize_t n = read(fd, buffer, sizeof(buffer));
    if (n < 0 && (errno == EINTR || errno == EAGAIN)) {
        return G_SOURCE_CONTINUE;
    }
    if (n <= 0) { /* closed, or a terminal in whose background we are: the guest gets no input */
        c->input_source = 0;
        return G_SOURCE_REMOVE;
    }
    if (c->raw) {
        look_for_escape(c, buffer, n);
    }
    g_byte_array_append(c->input, buffer, n);
    if (send_input(c)) {
        return G_SOURCE_CONTINUE;
    }
    c->input_source = 0;
    c->input_waits = true;
    retry_later(c);
    return G_SOURCE_REMOVE;
}

static bool make_raw(struct console *c)
{
    if (!isatty(STDOUT_FILENO) || tcgetpgrp(STDIN_FILENO) != getpgrp() ||
        tcgetattr(STDIN_FILENO, &c->terminal) < 0) {
        return false;
    }
    struct termios raw = c->terminal;
    cfmakeraw(&raw);
    return tcsetattr(STDIN_FILENO, TCSANOW, &raw) == 0;
}

/* --- both --- */

struct console *console_create(int socket, enum console_mode mode,
                               const struct console_handlers *handlers)
{
    struct console *c = g_new0(struct console, 1);
    c->handlers = *handlers;
    c->socket = socket;
    c->off = mode == CONSOLE_OFF;
    c->input = g_byte_array_new();
    g_mutex_init(&c->lock);
    g_cond_init(&c->more);
    c->pending = g_byte_array_new();
    c->raw = mode == CONSOLE_AUTO && make_raw(c);
    log_set_raw_terminal(c->raw);
    c->writer = g_thread_new("console", write_output, c);
    watch_socket(c);
    if (!c->off) {
        watch_input(c);
        c->stall_timer = g_timeout_add(STALL_CHECK_MS, look_for_stall, c);
    }
    return c;
}

void console_set_tap(struct console *c, console_tap *tap, void *data)
{
    c->tap = tap;
    c->tap_data = data;
}

gsize console_type(struct console *c, const void *bytes, gsize length)
{
    if (c->input->len > 0) {
        return 0;
    }
    g_byte_array_append(c->input, bytes, length);
    if (!send_input(c)) {
        retry_later(c);
    }
    return length;
}

bool console_is_raw(const struct console *c)
{
    return c->raw;
}

void console_drain(struct console *c, guint limit_ms)
{
    if (limit_ms > 0) {
        g_timeout_add(limit_ms, on_drain_overdue, c);
    }
    c->draining = true;
    /* A reader that had stopped for long is not waited for once more. */
    watch_socket(c);
}

void console_finish(struct console *c)
{
    if (c != NULL && c->raw) {
        tcsetattr(STDIN_FILENO, TCSANOW, &c->terminal);
        log_set_raw_terminal(false);
    }
}
