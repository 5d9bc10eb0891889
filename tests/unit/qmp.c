// SPDX-License-Identifier: LGPL-2.1-or-later
#include "src/host/helper.h"
#include "src/host/qmp.h"
#include "tests/unit/expect.h"
#include "tests/unit/remove.h"

#include <glib/gstdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void test_answers(void)
{
    static const char *const rows[][2] = {
        {"{\"return\": {\"status\": \"shutdown\", \"running\": false}, \"id\": \"x\"}", "shutdown"},
        {"{\"return\": {\"running\": true, \"status\": \"running\"}}", "running"},
        {"{\"return\": {}}", NULL},
        {"{\"return\": {\"status\": 7}}", NULL},
        {"{\"error\": {\"class\": \"GenericError\", \"desc\": \"\\\"status\\\": \\\"x\\\"\"}}",
         NULL},
        {"{\"event\": \"SHUTDOWN\", \"data\": {\"status\": \"running\"}}", NULL},
        {"{\"return\": {\"status\": \"running\"", NULL},
        {"", NULL},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autofree char *state = qmp_run_state(rows[i][0], strlen(rows[i][0]));
        expect_str(rows[i][0], state, rows[i][1]);
    }
}

/* What the monitor says once it has been asked so many questions, before it hangs, or ends. "@1" in
 * it is the first question's id. */
struct monitor {
    int listener;
    const char *words;
    guint questions;
    guint times; /* 0: it does not even accept */
    bool hangs;
};

/* Puts the ids of @wanted questions, which it waits for, into @words. */
static void hear(int fd, guint wanted, GString *words)
{
    static const char marker[] = "\"id\":";
    g_autoptr(GString) heard = g_string_new(NULL);
    gsize from = 0;
    for (guint i = 1; i <= wanted; i++) {
        const char *id;
        while ((id = strstr(heard->str + from, marker)) == NULL || strchr(id, '\n') == NULL) {
            char byte;
            if (read(fd, &byte, 1) != 1) {
                return;
            }
            g_string_append_c(heard, byte);
        }
        from = id + strlen(marker) - heard->str;
        g_autofree char *place = g_strdup_printf("@%u", i);
        g_autofree char *number = g_strdup_printf("%d", atoi(heard->str + from));
        g_string_replace(words, place, number, 0);
    }
}

static gpointer speak(gpointer data)
{
    const struct monitor *monitor = data;
    int fd = accept(monitor->listener, NULL, NULL);
    g_autoptr(GString) words = g_string_new(monitor->words);
    hear(fd, monitor->questions, words);
    for (guint i = 0; i < monitor->times; i++) {
        if (send(fd, words->str, words->len, MSG_NOSIGNAL) < 0) {
            break;
        }
    }
    if (!monitor->hangs) {
        shutdown(fd, SHUT_WR);
    }
    char byte;
    while (read(fd, &byte, 1) > 0) {
    }
    close(fd);
    return NULL;
}

/* The answer to the last of so many questions, which are asked one after the other. */
static char *ask(const char *words, guint questions, guint times, bool hangs)
{
    g_autofree char *root = g_dir_make_tmp("ocivirt-test-XXXXXX", NULL);
    g_autofree char *folder = g_build_filename(root, "lib/qemu/domain-1-vm", NULL);
    g_autofree char *path = g_build_filename(folder, "monitor.sock", NULL);
    g_assert_cmpint(g_mkdir_with_parents(folder, 0700), ==, 0);
    struct monitor monitor = {helper_listen(path, NULL), words, questions, times, hangs};
    g_assert_cmpint(monitor.listener, >=, 0);
    GThread *thread = times > 0 ? g_thread_new("monitor", speak, &monitor) : NULL;
    int fd = qmp_connect(root);
    g_assert_cmpint(fd, >=, 0);
    for (guint i = 1; i < questions; i++) {
        g_assert_null(qmp_ask_run_state(fd));
    }
    char *state = qmp_ask_run_state(fd);
    close(fd);
    if (thread != NULL) {
        g_thread_join(thread);
    }
    close(monitor.listener);
    remove_all(root);
    return state;
}

#define GREETING "{\"QMP\": {\"version\": {}, \"capabilities\": []}}\r\n"

static void test_a_monitor(void)
{
    g_autofree char *state =
        ask(GREETING "{\"return\": {}}\r\n{\"event\": \"STOP\", \"data\": {}}\r\n"
                     "{\"return\": {\"status\": \"shutdown\"}, \"id\": @1}\r\n",
            1, 1, true);
    g_assert_cmpstr(state, ==, "shutdown");
}

static void test_late(void)
{
    g_autofree char *state =
        ask(GREETING "{\"return\": {}}\r\n"
                     "{\"return\": {\"status\": \"running\"}, \"id\": @1}\r\n"
                     "{\"error\": {\"class\": \"CommandNotFound\"}}\r\n"
                     "{\"return\": {\"status\": \"shutdown\"}, \"id\": @2}\r\n",
            2, 1, true);
    g_assert_cmpstr(state, ==, "shutdown");
}

static void test_no_answer(void)
{
    g_assert_cmpint(qmp_connect("/nonexistent"), ==, -1);
    g_assert_null(ask(GREETING, 1, 1, false));
    g_assert_null(ask("{\"return\": {\"status\": \"shutdown\"}, \"id\": @1}", 1, 1, false));
    g_assert_null(ask("{\"return\": {\"status\": \"shutdown\"}}\n", 1, 1, false));
    g_assert_null(ask("no line, and without end; ", 1, 1000000, true));
    gint64 began = g_get_monotonic_time();
    g_assert_null(ask(GREETING, 1, 1, true));
    g_assert_null(ask(GREETING, 1, 0, true));
    g_assert_cmpint(g_get_monotonic_time() - began, >=, 1900 * 1000);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/qmp/answers", test_answers);
    g_test_add_func("/qmp/a monitor", test_a_monitor);
    g_test_add_func("/qmp/late", test_late);
    g_test_add_func("/qmp/no answer", test_no_answer);
    return g_test_run();
}
