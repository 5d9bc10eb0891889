// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/*
 * To run a command in the guest, in the words of the QEMU guest agent ("guest-exec" of
 * https://www.qemu.org/docs/master/interop/qemu-ga-ref.html). Pure: structs to JSON and back.
 *
 * A reply is what the guest says, and the guest is hostile: nothing in it is trusted, and what
 * comes of it has a bound.
 */

#include <glib.h>
#include <stdbool.h>

#define AGENT_EXEC_WORDS_MAX 4096                 /* in command, and in env */
#define AGENT_EXEC_COMMAND_MAX ((gsize)128 << 10) /* bytes of all of them */
#define AGENT_EXEC_INPUT_MAX ((gsize)96 << 10)    /* bytes */
/* Bytes of all that as the agent gets it. Linux takes some 200 KiB into a socket at once, and with
 * a message that does not fit libvirt (9.0) lost the agent: 300,000 bytes of input were seen to do
 * that, 100,000 not. */
#define AGENT_EXEC_MESSAGE_MAX ((gsize)160 << 10)
#define AGENT_EXEC_OUTPUT_MAX ((gsize)4 << 20) /* bytes of each that are kept */
#define AGENT_EXEC_TIMEOUT_MAX_MS ((guint64)86400000)

struct agent_exec_request {
    char **command;     /* not empty; the first is looked for in the agent's PATH */
    char **env;         /* NAME=VALUE, and no others; NULL: the agent's own */
    GBytes *input;      /* the command's standard input; NULL: none */
    guint64 timeout_ms; /* after which nobody waits for its end any more; 0: never */
};

enum agent_exec_end {
    AGENT_EXEC_EXITED,
    AGENT_EXEC_KILLED,    /* by a signal; on Windows: an exception */
    AGENT_EXEC_TIMED_OUT, /* it runs on, and its output is lost */
};

/* All zero: nothing yet. */
struct agent_exec_result {
    gint64 pid; /* in the guest; 0: not known yet */
    enum agent_exec_end end;
    gint64 status;           /* of EXITED; on Linux 0 to 255 */
    gint64 signal;           /* of KILLED */
    GBytes *output, *errors; /* standard output and error; NULL: none */
    bool output_truncated;   /* there was more */
    bool errors_truncated;
};

/* The members, which are then all zero. */
void agent_exec_request_clear(struct agent_exec_request *request);
void agent_exec_result_clear(struct agent_exec_result *result);

/* A deep copy, @copy being uninitialised. */
void agent_exec_request_copy(struct agent_exec_request *copy,
                             const struct agent_exec_request *request);

/* Why the agent has not run a command. */
enum agent_exec_refusal {
    AGENT_EXEC_REFUSED,        /* it may not, it has no memory, … */
    AGENT_EXEC_NOT_EXECUTABLE, /* there is something of that name, and it cannot be executed */
    AGENT_EXEC_NOT_FOUND,      /* there is nothing */
};

/* @words: the agent's own, in which GLib's g_spawn_async() tells errno. */
enum agent_exec_refusal agent_exec_classify(const char *words);

/* Whether @request is within the limits above, and text: ERROR_USAGE. */
bool agent_exec_request_check(const struct agent_exec_request *request, GError **error);

/* The agent's commands. @request has been checked. The caller owns the string. */
char *agent_exec_encode_start(const struct agent_exec_request *request);
char *agent_exec_encode_status(gint64 pid);

/* The replies to them: ERROR_UNAVAILABLE where they are not what they should be. */
bool agent_exec_decode_start(const char *reply, gint64 *pid, GError **error);
/* *@over: the command has ended, and the rest of @result is filled in (but the pid). */
bool agent_exec_decode_status(const char *reply, bool *over, struct agent_exec_result *result,
                              GError **error);
