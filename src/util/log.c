// SPDX-License-Identifier: LGPL-2.1-or-later
#include "src/util/log.h"
#include "src/util/sync.h"

#include <jansson.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

/* PIPE_BUF: a pipe that polls writable takes so many bytes without blocking. */
#define LONGEST_LINE 4096

static const struct {
    const char *name;   /* in JSON */
    const char *prefix; /* in text */
    const char *color;
} levels[] = {
    [LOG_ERROR] = {"error", "error: ", "\033[1;31m"},
    [LOG_WARNING] = {"warning", "warning: ", "\033[1;33m"},
    [LOG_INFO] = {"info", "", ""},
    [LOG_DEBUG] = {"debug", "debug: ", "\033[2m"},
};

/* The log is the only global state: it belongs to the process as stderr does. */
static struct {
    GMutex lock;
    enum log_level threshold;
    enum log_format format;
    bool color;
    bool raw_terminal;
    guint64 dropped; /* lines */
} state = {.threshold = LOG_INFO};

void log_setup(enum log_level threshold, enum log_format format)
{
    const char *no_color = g_getenv("NO_COLOR");
    state.threshold = threshold;
    state.format = format;
    state.color = isatty(STDERR_FILENO) && (no_color == NULL || *no_color == '\0');
}

void log_set_raw_terminal(bool raw)
{
    sync_lock(&state.lock);
    state.raw_terminal = raw && isatty(STDERR_FILENO);
    sync_unlock(&state.lock);
}

bool log_enabled(enum log_level level)
{
    return level <= state.threshold;
}

static char *format_text(enum log_level level, const char *message)
{
    const char *color = state.color ? levels[level].color : "";
    return g_strdup_printf("ocivirt: %s%s%s%s%s", color, levels[level].prefix,
                           *color != '\0' ? "\033[0m" : "", message,
                           state.raw_terminal ? "\r\n" : "\n");
}

static char *format_json(enum log_level level, const char *message)
{
    g_autoptr(GDateTime) now = g_date_time_new_now_utc();
    g_autofree char *time = g_date_time_format(now, "%Y-%m-%dT%H:%M:%S.%fZ");
    json_t *line = json_pack("{ssssss}", "time", time, "level", levels[level].name, "msg", message);
    g_autofree char *text = json_dumps(line, JSON_COMPACT);
    json_decref(line);
    return g_strconcat(text, state.raw_terminal ? "\r\n" : "\n", NULL);
}

static char *format_line(enum log_level level, const char *message)
{
    return state.format == LOG_FORMAT_JSON ? format_json(level, message)
                                           : format_text(level, message);
}

/* Bytes that the character at @c takes in the line: JSON escapes these four. */
static gsize cost(const char *c)
{
    return state.format == LOG_FORMAT_JSON && strchr("\"\\\n\t", *c) != NULL
               ? 2
               : g_utf8_next_char(c) - c;
}

/* The line, with a message so short that it is at most LONGEST_LINE bytes. */
static char *format_fitting(enum log_level level, const char *message)
{
    static const char ellipsis[] = "…";
    g_autofree char *empty = format_line(level, ellipsis);
    gsize room = LONGEST_LINE - strlen(empty), used = 0;
    for (const char *c = message; *c != '\0'; c = g_utf8_next_char(c)) {
        used += cost(c);
        if (used > room) {
            g_autofree char *cut = g_strdup_printf("%.*s%s", (int)(c - message), message, ellipsis);
            return format_line(level, cut);
        }
    }
    return format_line(level, message);
}

/* Writes one line, or counts it as dropped. The caller holds the lock. */
static void emit(enum log_level level, const char *message)
{
    g_autofree char *text = format_fitting(level, message);
    struct pollfd out = {.fd = STDERR_FILENO, .events = POLLOUT};
    if (poll(&out, 1, 50) != 1 || !(out.revents & POLLOUT) ||
        write(STDERR_FILENO, text, strlen(text)) < 0) {
        state.dropped++;
    }
}

/*
 * A guest or a config file can have put anything into a message: nothing in it controls a terminal,
 * and what follows a newline is indented, so that it cannot pass for a line of its own.
 */
static char *make_harmless(const char *raw)
{
    g_autofree char *valid = g_utf8_make_valid(raw, -1);
    GString *out = g_string_sized_new(strlen(valid));
    for (const char *p = valid; *p != '\0'; p = g_utf8_next_char(p)) {
        gunichar c = g_utf8_get_char(p);
        if (c == '\n' && state.format == LOG_FORMAT_TEXT) {
            g_string_append(out, "\n    ");
        } else if (g_unichar_iscntrl(c) && c != '\n' && c != '\t') {
            g_string_append_c(out, '?');
        } else {
            g_string_append_unichar(out, c);
        }
    }
    return g_string_free(out, FALSE);
}

void log_line(enum log_level level, const char *format, ...)
{
    if (!log_enabled(level)) {
        return;
    }
    va_list args;
    va_start(args, format);
    g_autofree char *raw = g_strdup_vprintf(format, args);
    va_end(args);
    g_autofree char *message = make_harmless(raw);

    sync_lock(&state.lock);
    guint64 dropped = state.dropped;
    if (dropped > 0) {
        g_autofree char *note = g_strdup_printf(
            "%" G_GUINT64_FORMAT " lines of this log were lost: stderr was full", dropped);
        emit(LOG_WARNING, note);
        if (state.dropped == dropped) {
            state.dropped = 0;
        } else {
            state.dropped--; /* the note itself is no loss */
        }
    }
    emit(level, message);
    sync_unlock(&state.lock);
}
