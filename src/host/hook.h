// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/*
 * Programs that run beside the VM at turns of its life (runtime-spec, config.md, "POSIX-platform
 * Hooks"). What they print goes to the log, line by line.
 */

#include <glib.h>
#include <stdbool.h>

/* In the order in which they run. */
enum hook_kind {
    HOOK_PRESTART,
    HOOK_CREATE_RUNTIME,
    HOOK_CREATE_CONTAINER,
    HOOK_POSTSTART,
    HOOK_POSTSTOP,
    HOOK_KINDS,
};

/* Owns nothing. */
struct hook {
    const char *path;        /* absolute */
    const char *const *argv; /* all of it; NULL or empty: the path alone */
    const char *const *env;  /* all of it; NULL: empty */
    guint64 timeout_ms;      /* 0: none */
};

struct hook_list {
    struct hook *items;
    gsize length;
};

/* What the hooks of one moment have in common. */
struct hook_context {
    const char *state;     /* for their standard input */
    const char *directory; /* to run in */
    int cancel;            /* a descriptor: once it can be read the hook is killed; -1: none */
};

/* "createRuntime" */
const char *hook_kind_name(enum hook_kind kind);

/*
 * Runs hook @index of @kind to its end: in a session of its own, with default signal handling and
 * no descriptors but 0, 1 and 2. It fails when it cannot be executed, when its exit status is not
 * 0, and when it was killed: by its timeout, by @context->cancel, together with its process group,
 * or by anybody else. The error says which hook, how, and what it said last. Processes that it
 * leaves behind are waited for by nobody.
 */
bool hook_run(const struct hook *hook, enum hook_kind kind, gsize index,
              const struct hook_context *context, GError **error);

/* All in @list, in order, until one fails. */
bool hook_run_list(const struct hook_list *list, enum hook_kind kind,
                   const struct hook_context *context, GError **error);
