// SPDX-License-Identifier: LGPL-2.1-or-later
#include "src/util/log.h"
#include "tests/unit/expect.h"

#include <fcntl.h>
#include <jansson.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

/* Descriptor 2 is put on a file, a pipe or a terminal while a test logs; in between GLib has it. */
static int saved_stderr;

static void redirect(int fd)
{
    saved_stderr = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 0);
    g_assert_cmpint(saved_stderr, >=, 0);
    dup2(fd, STDERR_FILENO);
}

static void restore(void)
{
    dup2(saved_stderr, STDERR_FILENO);
    close(saved_stderr);
}

/* All that can be read from @fd without waiting. */
static char *drain(int fd)
{
    GString *text = g_string_new(NULL);
    char chunk[65536];
    struct pollfd in = {.fd = fd, .events = POLLIN};
    while (poll(&in, 1, 0) == 1 && (in.revents & POLLIN)) {
        ssize_t n = read(fd, chunk, sizeof(chunk));
        if (n <= 0) {
            break;
        }
        g_string_append_len(text, chunk, n);
    }
    return g_string_free(text, FALSE);
}

/* What @message looks like in the log; the caller frees it. */
static char *logged(enum log_level threshold, enum log_format format, enum log_level level,
                    const char *message)
{
    int ends[2];
    g_assert_cmpint(pipe(ends), ==, 0);
    redirect(ends[1]);
    log_setup(threshold, format);
    log_line(level, "%s", message);
    restore();
    close(ends[1]);
    char *text = drain(ends[0]);
    close(ends[0]);
    return text;
}

static void test_text(void)
{
    static const struct {
        enum log_level level;
        const char *line;
    } cases[] = {
        {LOG_ERROR, "ocivirt: error: x 1\n"},
        {LOG_WARNING, "ocivirt: warning: x 1\n"},
        {LOG_INFO, "ocivirt: x 1\n"},
        {LOG_DEBUG, "ocivirt: debug: x 1\n"},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *text = logged(LOG_DEBUG, LOG_FORMAT_TEXT, cases[i].level, "x 1");
        g_assert_cmpstr(text, ==, cases[i].line);
    }
}

static void test_threshold(void)
{
    for (int threshold = LOG_ERROR; threshold <= LOG_DEBUG; threshold++) {
        for (int level = LOG_ERROR; level <= LOG_DEBUG; level++) {
            for (int format = LOG_FORMAT_TEXT; format <= LOG_FORMAT_JSON; format++) {
                g_autofree char *text = logged(threshold, format, level, "x");
                g_assert_cmpint(log_enabled(level), ==, level <= threshold);
                g_assert_cmpint(*text != '\0', ==, level <= threshold);
            }
        }
    }
}

/* The "msg" of @line, which must be one JSON object, on one line, with all that belongs to it. */
static char *message_of(const char *line, const char *level)
{
    json_t *object = json_loads(line, JSON_REJECT_DUPLICATES, NULL);
    const char *time, *seen_level, *message;
    if (json_unpack_ex(object, NULL, JSON_STRICT, "{s:s,s:s,s:s}", "time", &time, "level",
                       &seen_level, "msg", &message) < 0) {
        g_test_message("not a log line: %.100s", line);
        g_test_fail();
        json_decref(object);
        return NULL;
    }
    g_assert_cmpstr(seen_level, ==, level);
    g_autoptr(GDateTime) date = g_date_time_new_from_iso8601(time, NULL);
    g_assert_nonnull(date);
    g_autoptr(GDateTime) now = g_date_time_new_now_utc();
    g_assert_cmpint(llabs(g_date_time_difference(now, date)), <, 60 * G_TIME_SPAN_SECOND);
    g_assert_true(g_str_has_suffix(time, "Z"));
    const char *newline = strchr(line, '\n');
    g_assert_nonnull(newline);
    g_assert_cmpstr(newline, ==, "\n");
    char *copy = g_strdup(message);
    json_decref(object);
    return copy;
}

static void test_json(void)
{
    static const char *const levels[] = {"error", "warning", "info", "debug"};
    for (int level = LOG_ERROR; level <= LOG_DEBUG; level++) {
        g_autofree char *text = logged(LOG_DEBUG, LOG_FORMAT_JSON, level, "x 1");
        g_autofree char *message = message_of(text, levels[level]);
        g_assert_cmpstr(message, ==, "x 1");
    }
}

/* A guest or a config file can have put anything into a message. */
static void test_hostile_bytes(void)
{
    static const struct {
        const char *bytes, *message;
        const char *text; /* where it is not the message: what follows a newline is indented */
    } cases[] = {
        {"", ""},
        {"\"}\n{\"level\":\"error\"", "\"}\n{\"level\":\"error\"", "\"}\n    {\"level\":\"error\""},
        {"back\\slash", "back\\slash"},
        {"tab\tnewline\n", "tab\tnewline\n", "tab\tnewline\n    "},
        {"c1 \xc2\x9b[2J", "c1 ?[2J"},
        {"ä€𝄞", "ä€𝄞"},
        {"\x1b[2J\x07\x08\r\x7f", "?[2J????"},
        {"\x01\x02\x1f", "???"},
        {"\xff\xfe", "\xef\xbf\xbd\xef\xbf\xbd"},
        {"a\xc3", "a\xef\xbf\xbd"},
        {"\xed\xa0\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},
        {"%s%n%d", "%s%n%d"},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *row = g_strescape(cases[i].bytes, NULL);
        g_autofree char *json = logged(LOG_DEBUG, LOG_FORMAT_JSON, LOG_WARNING, cases[i].bytes);
        g_autofree char *message = message_of(json, "warning");
        expect_str(row, message, cases[i].message);

        g_autofree char *text = logged(LOG_DEBUG, LOG_FORMAT_TEXT, LOG_INFO, cases[i].bytes);
        g_autofree char *expected = g_strdup_printf(
            "ocivirt: %s\n", cases[i].text != NULL ? cases[i].text : cases[i].message);
        expect_str(row, text, expected);
        expect(row, g_utf8_validate(text, -1, NULL));
    }
    for (int byte = 1; byte < 256; byte++) {
        char bytes[] = {'a', byte, 'z', '\0'};
        g_autofree char *json = logged(LOG_DEBUG, LOG_FORMAT_JSON, LOG_INFO, bytes);
        g_autofree char *message = message_of(json, "info");
        g_assert_nonnull(message);
    }
}

/* A line may be cut, but it stays one: ended, valid, and the next one is not glued to it. */
static void test_long_lines(void)
{
    static const gsize lengths[] = {4000, 4050, 4096, 5000, 60000};
    for (gsize i = 0; i < G_N_ELEMENTS(lengths); i++) {
        g_autofree char *row = g_strdup_printf("%zu", lengths[i]);
        g_autofree char *plain = g_strnfill(lengths[i], 'x');
        g_autofree char *text = logged(LOG_DEBUG, LOG_FORMAT_TEXT, LOG_INFO, plain);
        expect(row, g_str_has_suffix(text, "\n"));
        expect(row, strlen(text) > 3900);
        g_autofree char *quotes = g_strnfill(lengths[i], '"'); /* twice as long in JSON */
        g_autofree char *json = logged(LOG_DEBUG, LOG_FORMAT_JSON, LOG_INFO, quotes);
        g_autofree char *message = message_of(json, "info");
        expect(row, message != NULL && strlen(message) > 1500);

        GString *umlauts = g_string_new("x"); /* not to be cut in the middle of one */
        while (umlauts->len < lengths[i]) {
            g_string_append(umlauts, "ä");
        }
        g_autofree char *cut = logged(LOG_DEBUG, LOG_FORMAT_TEXT, LOG_INFO, umlauts->str);
        expect(row, g_utf8_validate(cut, -1, NULL));
        g_string_free(umlauts, TRUE);
    }
}

static int open_terminal(int *master)
{
    *master = posix_openpt(O_RDWR | O_NOCTTY);
    g_assert_cmpint(*master, >=, 0);
    g_assert_cmpint(grantpt(*master), ==, 0);
    g_assert_cmpint(unlockpt(*master), ==, 0);
    int terminal = open(ptsname(*master), O_RDWR | O_NOCTTY);
    g_assert_cmpint(terminal, >=, 0);
    struct termios settings;
    tcgetattr(terminal, &settings);
    cfmakeraw(&settings); /* the bytes as they were written */
    tcsetattr(terminal, TCSANOW, &settings);
    return terminal;
}

/* The error "x" on a terminal. @no_color NULL: not set. */
static char *logged_on_terminal(const char *no_color, bool raw, enum log_format format)
{
    int master, terminal = open_terminal(&master);
    if (no_color != NULL) {
        g_setenv("NO_COLOR", no_color, TRUE);
    } else {
        g_unsetenv("NO_COLOR");
    }
    redirect(terminal);
    log_setup(LOG_INFO, format);
    log_set_raw_terminal(raw);
    log_error("x");
    log_set_raw_terminal(false);
    restore();
    char *text = drain(master);
    close(terminal);
    close(master);
    g_unsetenv("NO_COLOR");
    return text;
}

static void test_colors(void)
{
    static const struct {
        const char *no_color;
        const char *line;
    } cases[] = {
        {NULL, "ocivirt: \033[1;31merror: \033[0mx\n"},
        {"", "ocivirt: \033[1;31merror: \033[0mx\n"}, /* no-color.org: only where it is not empty */
        {"1", "ocivirt: error: x\n"},
        {"0", "ocivirt: error: x\n"},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *text = logged_on_terminal(cases[i].no_color, false, LOG_FORMAT_TEXT);
        g_assert_cmpstr(text, ==, cases[i].line);
    }
    g_autofree char *json = logged_on_terminal(NULL, false, LOG_FORMAT_JSON);
    g_assert_null(strchr(json, '\033'));
    g_autofree char *message = message_of(json, "error");
    g_assert_cmpstr(message, ==, "x");
}

static void test_raw_terminal(void)
{
    g_autofree char *text = logged_on_terminal("1", true, LOG_FORMAT_TEXT);
    g_assert_cmpstr(text, ==, "ocivirt: error: x\r\n");
    g_autofree char *json = logged_on_terminal("1", true, LOG_FORMAT_JSON);
    g_assert_true(g_str_has_suffix(json, "}\r\n"));

    /* It is the terminal that needs it, not a file beside it. */
    log_set_raw_terminal(true);
    int ends[2];
    g_assert_cmpint(pipe(ends), ==, 0);
    redirect(ends[1]);
    log_setup(LOG_INFO, LOG_FORMAT_TEXT);
    log_set_raw_terminal(true);
    log_error("x");
    log_set_raw_terminal(false);
    restore();
    g_autofree char *piped = drain(ends[0]);
    g_assert_cmpstr(piped, ==, "ocivirt: error: x\n");
    close(ends[0]);
    close(ends[1]);
}

static guint count_lines(const char *text)
{
    guint lines = 0;
    for (; *text != '\0'; text++) {
        lines += *text == '\n';
    }
    return lines;
}

/* Nobody reads: lines are lost rather than waited for, and their number is told afterwards. */
static void test_full_pipe(void)
{
    int ends[2];
    g_assert_cmpint(pipe(ends), ==, 0);
    g_assert_cmpint(fcntl(ends[1], F_SETPIPE_SZ, 16384), ==, 16384);
    g_autofree char *filler = g_strnfill(4000, 'x');
    redirect(ends[1]);
    log_setup(LOG_INFO, LOG_FORMAT_TEXT);
    gint64 start = g_get_monotonic_time();
    log_info("first");
    for (int i = 0; i < 8; i++) {
        log_info("%s", filler);
    }
    log_info("last");
    gint64 waited = g_get_monotonic_time() - start;
    g_autofree char *before = drain(ends[0]);
    log_info("after");
    log_info("later");
    g_autofree char *after = drain(ends[0]);
    restore();
    close(ends[0]);
    close(ends[1]);

    guint lost = 10 - count_lines(before);
    g_assert_cmpuint(lost, >=, 5);
    g_assert_cmpuint(lost, <, 9);
    g_assert_true(g_str_has_prefix(before, "ocivirt: first\n"));
    g_assert_null(strstr(before, "last"));
    g_assert_cmpint(waited, <, 5 * G_USEC_PER_SEC);
    g_autofree char *expected =
        g_strdup_printf("ocivirt: warning: %u lines of this log were lost: stderr was full\n"
                        "ocivirt: after\nocivirt: later\n",
                        lost);
    g_assert_cmpstr(after, ==, expected);
}

/* A closed descriptor is no reason to fall over. */
static void test_closed(void)
{
    int ends[2];
    g_assert_cmpint(pipe(ends), ==, 0);
    redirect(ends[1]);
    close(STDERR_FILENO);
    log_setup(LOG_INFO, LOG_FORMAT_TEXT);
    log_info("nobody hears this");
    restore();
    close(ends[0]);
    close(ends[1]);
    g_autofree char *text = logged(LOG_INFO, LOG_FORMAT_TEXT, LOG_INFO, "heard");
    g_assert_true(g_str_has_suffix(text, "ocivirt: heard\n"));
}

/* More than a pipe takes at once would be waited for, or cut by the kernel. */
static void test_longest_line(void)
{
    for (gsize length = 2000; length < 4200; length += length < 4000 ? 97 : 1) {
        g_autofree char *row = g_strdup_printf("%zu", length);
        g_autofree char *plain = g_strnfill(length, 'x');
        g_autofree char *quotes = g_strnfill(length, '"');
        g_autofree char *text = logged(LOG_DEBUG, LOG_FORMAT_TEXT, LOG_INFO, plain);
        g_autofree char *json = logged(LOG_DEBUG, LOG_FORMAT_JSON, LOG_INFO, plain);
        g_autofree char *escaped = logged(LOG_DEBUG, LOG_FORMAT_JSON, LOG_INFO, quotes);
        expect(row, strlen(text) <= 4096 && g_str_has_suffix(text, "\n"));
        expect(row, strlen(json) <= 4096 && g_str_has_suffix(json, "\"}\n"));
        expect(row, strlen(escaped) <= 4096 && g_str_has_suffix(escaped, "\"}\n"));
        expect(row, length > 4000 || strstr(text, plain) != NULL); /* cut only where it must be */
        expect(row, length > 4000 || strstr(json, plain) != NULL);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_set_nonfatal_assertions();
    g_unsetenv("NO_COLOR");
    g_test_add_func("/log/text", test_text);
    g_test_add_func("/log/threshold", test_threshold);
    g_test_add_func("/log/json", test_json);
    g_test_add_func("/log/hostile-bytes", test_hostile_bytes);
    g_test_add_func("/log/long-lines", test_long_lines);
    g_test_add_func("/log/longest-line", test_longest_line);
    g_test_add_func("/log/colors", test_colors);
    g_test_add_func("/log/raw-terminal", test_raw_terminal);
    g_test_add_func("/log/full-pipe", test_full_pipe);
    g_test_add_func("/log/closed", test_closed);
    return g_test_run();
}
