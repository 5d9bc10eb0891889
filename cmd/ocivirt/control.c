// SPDX-License-Identifier: LGPL-2.1-or-later
#include "cmd/ocivirt/client.h"
#include "cmd/ocivirt/find.h"
#include "cmd/ocivirt/reconnect.h"
#include "src/api/api.h"
#include "src/util/error.h"
#include "src/util/quantity.h"

#include <stdio.h>

/* stop, kill, pause, resume, reset, reboot and wait. */

static bool post(const char *root, const char *target, GError **error)
{
    json_t *answer = client_ask(root, "POST", target, CLIENT_PATIENCE_SECONDS, error);
    bool ok = answer != NULL;
    json_decref(answer);
    return ok;
}

/* --- to wait --- */

enum outcome {
    UNKNOWN, /* nobody has told its exit status */
    TOLD,
    REFUSED, /* the server does not tell it, or nobody is there who could */
};

/* Takes NULL, and returns @c. */
static struct client *ask_to_wait(struct client *c)
{
    if (c != NULL) {
        client_send(c, "GET", "/v1/wait", NULL, NULL); /* without that there is no answer, either */
    }
    return c;
}

/* UNKNOWN: the connection has ended before the VM. @error: REFUSED alone. */
static enum outcome read_exit_status(struct client *c, int *status, GError **error)
{
    g_autoptr(GError) local = NULL;
    json_t *answer = client_receive(c, &local) ? client_read_json(c, NULL) : NULL;
    json_t *told = json_object_get(answer, "exit-status");
    enum outcome outcome = json_is_integer(told) ? TOLD : UNKNOWN;
    *status = (int)json_integer_value(told);
    json_decref(answer);
    if (client_is_refused(c)) {
        g_propagate_error(error, g_steal_pointer(&local));
        outcome = REFUSED;
    }
    return outcome;
}

/* Who has taken the VM over from an ocivirt that is gone does not know that it is to be stopped. */
static void stop_again(const char *root, const char *target)
{
    json_t *state = client_ask(root, "GET", "/v1/state", CLIENT_PATIENCE_SECONDS, NULL);
    const char *lifecycle =
        json_string_value(json_object_get(json_object_get(state, "vm"), "lifecycle"));
    if (g_strcmp0(lifecycle, "running") == 0 || g_strcmp0(lifecycle, "paused") == 0) {
        post(root, target, NULL);
    }
    json_decref(state);
}

/* Takes @c. UNKNOWN: the VM has ended all the same. @error: REFUSED alone. @stop: what has stopped
 * it; NULL: nobody has. */
static enum outcome wait_for_end(const char *root, struct client *c, const char *stop, int *status,
                                 GError **error)
{
    enum outcome outcome = UNKNOWN;
    g_autoptr(GError) local = NULL;
    while (c != NULL && (outcome = read_exit_status(c, status, &local)) == UNKNOWN) {
        client_close(c);
        c = reconnect(root, &local);
        if (c != NULL && stop != NULL) {
            stop_again(root, stop);
        }
        c = ask_to_wait(c);
    }
    client_close(c);
    if (local != NULL) {
        g_propagate_error(error, g_steal_pointer(&local));
        outcome = REFUSED;
    }
    return outcome;
}

static bool print_exit_status(const char *root, GError **error)
{
    struct client *c = ask_to_wait(client_open(root, 0, error));
    if (c == NULL) {
        return false;
    }
    int status;
    switch (wait_for_end(root, c, NULL, &status, error)) {
    case TOLD:
        printf("%d\n", status);
        return true;
    case UNKNOWN:
        g_set_error(error, ERROR_DOMAIN, ERROR_UNAVAILABLE,
                    "the VM has ended, and nobody has told its exit status");
        return false;
    case REFUSED:
        break;
    }
    return false;
}

int command_wait(int argc, char **argv)
{
    struct options options;
    g_autoptr(GError) error = NULL;
    int status = 0;
    if (options_parse(&options, argc, argv, "wait",
                      "Wait until the VM of a root directory has ended, and print the exit status\n"
                      "of its ocivirt. Exit status: 0, or 69 if there is no VM.",
                      OPTIONS_ROOT, &status)) {
        g_autofree char *root = find_root(&options, &error);
        if (root == NULL || !print_exit_status(root, &error)) {
            status = report_error(error);
        }
    }
    options_finish(&options);
    return status;
}

/* --- to stop --- */

static bool stop(const char *root, const char *timeout, GError **error)
{
    g_autofree char *target =
        timeout != NULL ? g_strconcat("/v1/stop?timeout=", timeout, NULL) : g_strdup("/v1/stop");
    /* Before it is stopped: afterwards there may be nobody to ask. */
    struct client *c = ask_to_wait(client_open(root, 0, error));
    if (c == NULL || !post(root, target, error)) {
        client_close(c);
        return false;
    }
    int status;
    bool ok = wait_for_end(root, c, target, &status, error) != REFUSED;
    if (!ok) {
        g_prefix_error(error, "the guest is being stopped, and its end cannot be waited for: ");
    }
    return ok;
}

static bool timeout_is_right(const char *timeout)
{
    guint64 ms;
    if (timeout == NULL ||
        (quantity_parse_duration(timeout, &ms) && ms <= ENGINE_STOP_TIMEOUT_MAX_MS)) {
        return true;
    }
    log_error("--timeout is \"%s\", and must be a duration such as 500ms, 8s or 2m, at most 24h",
              timeout);
    return false;
}

int command_stop(int argc, char **argv)
{
    struct options options;
    g_autoptr(GError) error = NULL;
    int status = 0;
    if (options_parse(&options, argc, argv, "stop",
                      "Ask the guest of a root directory to power off, force it if it does not\n"
                      "within its stop-timeout, and wait until the VM has ended. Exit status: 0,\n"
                      "or 69 if there is no VM.",
                      OPTIONS_ROOT | OPTIONS_STOP, &status)) {
        if (!timeout_is_right(options.timeout)) {
            status = ERROR_USAGE;
        } else {
            g_autofree char *root = find_root(&options, &error);
            if (root == NULL || !stop(root, options.timeout, &error)) {
                status = report_error(error);
            }
        }
    }
    options_finish(&options);
    return status;
}

/* --- the rest --- */

static int command_post(int argc, char **argv, const char *name, const char *summary)
{
    struct options options;
    g_autoptr(GError) error = NULL;
    int status = 0;
    if (options_parse(&options, argc, argv, name, summary, OPTIONS_ROOT, &status)) {
        g_autofree char *root = find_root(&options, &error);
        g_autofree char *target = g_strconcat("/v1/", name, NULL);
        if (root == NULL || !post(root, target, &error)) {
            status = report_error(error);
        }
    }
    options_finish(&options);
    return status;
}

int command_kill(int argc, char **argv)
{
    return command_post(argc, argv, "kill",
                        "End the VM of a root directory at once: SIGTERM to QEMU, and SIGKILL if\n"
                        "that does not help. Exit status: 0, or 69 if there is no VM.");
}

int command_pause(int argc, char **argv)
{
    return command_post(argc, argv, "pause",
                        "Halt the guest of a root directory. Exit status: 0; 69 if there is no VM\n"
                        "that runs; 70 if it could not be done.");
}

int command_resume(int argc, char **argv)
{
    return command_post(argc, argv, "resume",
                        "Let a paused guest go on. Exit status: 0; 69 if there is no VM that is\n"
                        "paused; 70 if it could not be done.");
}

int command_reset(int argc, char **argv)
{
    return command_post(argc, argv, "reset",
                        "Reset the machine, as its reset button would: the guest is not asked.\n"
                        "Exit status: 0; 69 if there is no VM that runs; 70 if it could not be\n"
                        "done.");
}

int command_reboot(int argc, char **argv)
{
    return command_post(
        argc, argv, "reboot",
        "Ask the guest to reboot. Exit status: 0: it has been asked; 69 if there is\n"
        "no VM that runs; 70 if it could not be done.");
}
