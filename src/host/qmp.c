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
#define ANSWERS_MAX 16384

char *qmp_run_state(const char *answer, gsize length)
{
    json_t *json = json_loadb(answer, length, 0, NULL);
    const char *state =
        json_string_value(json_object_get(json_object_get(json, "return"), "status"));
    char *copy = g_strdup(state);
    json_decref(json);
    return copy;
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
static bool read_more(int fd, GByteArray *answers, gint64 deadline)
{
    guint8 bytes[2048];
    gssize count = answers->len <= ANSWERS_MAX && wait_for_more(fd, deadline)
                       ? read(fd, bytes, sizeof(bytes))
                       : 0;
    if (count > 0) {
        g_byte_array_append(answers, bytes, count);
    }
    return count > 0;
}

/* Each answer, and each event that comes between, is a line. */
static char *next_run_state(GByteArray *answers)
{
    char *state = NULL;
    const guint8 *end;
    while (state == NULL && answers->len > 0 &&
           (end = memchr(answers->data, '\n', answers->len)) != NULL) {
        gsize length = end - answers->data + 1;
        state = qmp_run_state((const char *)answers->data, length);
        g_byte_array_remove_range(answers, 0, length);
    }
    return state;
}

char *qmp_ask_run_state(int monitor)
{
    static const char words[] =
        "{\"execute\":\"qmp_capabilities\"}\n{\"execute\":\"query-status\"}\n";
    char *state = NULL;
    gint64 deadline = g_get_monotonic_time() + PATIENCE_MS * 1000;
    g_autoptr(GByteArray) answers = g_byte_array_new();
    if (send(monitor, words, strlen(words), MSG_NOSIGNAL) == (gssize)strlen(words)) {
        while (state == NULL && read_more(monitor, answers, deadline)) {
            state = next_run_state(answers);
        }
    }
    return state;
}
