// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/*
 * Runs one VM from start to end: everything that happens goes through lifecycle.h's table, on the
 * main loop's thread; every call into libvirt that may block is made on others.
 */

#include "src/engine/agent.h"
#include "src/engine/console.h"
#include "src/engine/hooks.h"
#include "src/engine/legacy.h"
#include "src/engine/root.h"
#include "src/vm/vm_spec.h"

enum engine_stop_method { ENGINE_STOP_AUTO, ENGINE_STOP_ACPI, ENGINE_STOP_AGENT };

/* When the guest counts as ready. */
enum engine_ready {
    ENGINE_READY_RUNNING, /* when its CPUs run */
    ENGINE_READY_AGENT,   /* when its agent is connected, too */
    ENGINE_READY_PORT,    /* when it accepts connections to spec->ready_port, too */
    ENGINE_READY_CONSOLE, /* when it has written a line to its console, too */
};

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
    struct vm_spec *spec;    /* but for emulator_version, which an engine fills in */
    enum engine_stop_method stop_method;
    enum console_mode console;
    enum engine_ready ready;
    const char *ready_pattern; /* of ENGINE_READY_CONSOLE, right as of pattern_compile() */
    int exit_port;             /* of exit_port_open(); stays the caller's */
    int network;               /* of netns_open_file(); the same; -1: it stays in this one */
    gint64 started_at;         /* µs, g_get_monotonic_time() when the program began */
    bool timings;              /* log how long each part of the start took */
    pid_t supervisor;
    const struct hooks_config *hooks;
    const char *bundle;    /* absolute; this and the next are for those who ask what runs here */
    char **annotations;    /* key, value, …, NULL */
    struct legacy *legacy; /* the caller's; of an engine that died, or of a VM that is adopted */
};

/* How the engine comes to begin. */
struct engine_begin {
    bool again;  /* an engine before this one has died */
    int console; /* the VM's, as an earlier engine gave it away with @keep_console; -1: none */
    /* @socket, which stays the engine's, is to be kept for an engine after this one. */
    void (*keep_console)(int socket, void *data);
    void *data;
};

struct engine;

/* Makes the engine; nothing runs yet. Both stay the caller's and must live as long. */
struct engine *engine_create(const struct engine_config *config, const struct engine_begin *begin);

/* Runs the VM to its end on the calling thread's default main context. The result is the exit
 * status; -1 and @error when there was no VM to speak of. */
int engine_run(struct engine *engine, GError **error);

/* Both only from the main loop's thread. */
void engine_request(struct engine *engine, enum engine_request request);

/* The same, of one that was made at @made_at (µs, monotonic): a stop's time counts from there. */
void engine_request_of(struct engine *engine, enum engine_request request, gint64 made_at);
void engine_process_exited(struct engine *engine, pid_t pid, int status);
/* The supervisor is gone: the VM ends in order, and nobody is there to be told of children. */
void engine_orphaned(struct engine *engine);
