// SPDX-License-Identifier: LGPL-2.1-or-later
#include "src/host/qmp.h"
#include "src/host/helper.h"

#include <errno.h>
#include <jansson.h>
#include <poll.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define PATIENCE_MS 1000
#define LINES_MAX 16384 /* bytes */

static char *run_state_in(json_t *answer)
{
    json_t *result = json_object_get(answer, "return");
    return g_strdup(json_string_value(json_object_get(result, "status")));
}

char *qmp_run_state(const char *answer, gsize length)
{
    json_t *json = json_loadb(answer, length, 0, NULL);
    char *state = run_state_in(json);
    json_decref(json);
    return state;
}

/* libvirt names its folder after a number and a part of the VM's name. */
static char *find_monitor(const char *root)
{
    g_autofree char *parent = g_build_filename(root, "lib/qemu", NULL);
    g_autoptr(GDir) dir = g_dir_open(parent, 0, NULL);
    const char *name = NULL;
    while (dir != NULL && (name = g_dir_read_name(dir)) != NULL) {
        if (g_str_has_prefix(name, "domain-")) {
            return g_build_filename(parent, name, "monitor.sock", NULL);
        }
    }
    return NULL;
}

int qmp_connect(const char *root)
{
    g_autofree char *path = find_monitor(root);
    return path != NULL ? helper_connect_now(path) : -1;
}

static bool wait_for_more(int fd, gint64 deadline)
{
    struct pollfd pending = {.fd = fd, .events = POLLIN};
    int ready;
    do {
        gint64 ms = (deadline - g_get_monotonic_time()) / 1000;
        ready = ms > 0 ? poll(&pending, 1, (int)ms) : 0;
    } while (ready < 0 && errno == EINTR);
    return ready == 1;
}

/* False: no more will come in time, or it is no monitor that speaks. */
static bool read_more(int fd, GByteArray *lines, gint64 deadline)
{
    guint8 bytes[2048];
    gssize count =
        lines->len <= LINES_MAX && wait_for_more(fd, deadline) ? read(fd, bytes, sizeof(bytes)) : 0;
    if (count > 0) {
        g_byte_array_append(lines, bytes, count);
    }
    return count > 0;
}

/* NULL: it is no answer to @question; one that came too late for its own may be read now. */
static char *answer_to(int question, const guint8 *line, gsize length)
{
    json_t *json = json_loadb((const char *)line, length, 0, NULL);
    json_t *id = json_object_get(json, "id");
    char *state =
        json_is_integer(id) && json_integer_value(id) == question ? run_state_in(json) : NULL;
    json_decref(json);
    return state;
}

/* Each answer, and each event that comes between, is a line. */
static char *find_answer(int question, GByteArray *lines)
{
    char *state = NULL;
    const guint8 *end;
    while (state == NULL && lines->len > 0 &&
           (end = memchr(lines->data, '\n', lines->len)) != NULL) {
        gsize length = end - lines->data + 1;
        state = answer_to(question, lines->data, length);
        g_byte_array_remove_range(lines, 0, length);
    }
    return state;
}

char *qmp_ask_run_state(int monitor)
{
    static gint questions;
    int question = g_atomic_int_add(&questions, 1);
    g_autofree char *words = g_strdup_printf("{\"execute\":\"qmp_capabilities\"}\n"
                                             "{\"execute\":\"query-status\",\"id\":%d}\n",
                                             question);
    char *state = NULL;
    gint64 deadline = g_get_monotonic_time() + PATIENCE_MS * 1000;
    g_autoptr(GByteArray) lines = g_byte_array_new();
    if (send(monitor, words, strlen(words), MSG_NOSIGNAL) == (gssize)strlen(words)) {
        while (state == NULL && read_more(monitor, lines, deadline)) {
            state = find_answer(question, lines);
        }
    }
    return state;
}
