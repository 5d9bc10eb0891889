// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/*
 * Runs one VM from start to end: everything that happens goes through lifecycle.h's table, on the
 * main loop's thread; every call into libvirt that may block is made on others.
 */

#include "src/engine/console.h"
#include "src/engine/root.h"
#include "src/vm/vm_spec.h"

enum engine_stop_method { ENGINE_STOP_AUTO, ENGINE_STOP_ACPI, ENGINE_STOP_AGENT };

/* What people, or signals, can ask for. */
enum engine_request {
    ENGINE_STOP,
    ENGINE_FORCE,
    ENGINE_PAUSE,
    ENGINE_RESUME,
    ENGINE_REBOOT,
    ENGINE_RESET,
    ENGINE_REPORT, /* a line on the state, to the log */
};

struct engine_config {
    const struct root *root; /* open */
    const struct vm_spec *spec;
    const char *xml; /* of spec */
    enum engine_stop_method stop_method;
    guint64 stop_timeout_ms;
    enum console_mode console;
    gint64 started_at; /* µs, g_get_monotonic_time() when the program began */
    bool timings;      /* log how long each part of the start took */
    pid_t supervisor;
};

struct engine;

/* Makes the engine; nothing runs yet. @config stays the caller's and must live as long. */
struct engine *engine_create(const struct engine_config *config);

/* Runs the VM to its end on the calling thread's default main context. The result is the exit
 * status; -1 and @error when there was no VM to speak of. */
int engine_run(struct engine *engine, GError **error);

/* Both only from the main loop's thread. */
void engine_request(struct engine *engine, enum engine_request request);
void engine_process_exited(struct engine *engine, pid_t pid, int status);
/* The supervisor is gone: the VM ends in order, and nobody is there to be told of children. */
void engine_orphaned(struct engine *engine);
