// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/*
 * What others may see of a VM that runs, and ask of it. All of it is for the main loop's thread,
 * and nothing here blocks, whatever libvirt or the guest does.
 */

#include "src/engine/engine.h"
#include "src/engine/lifecycle.h"
#include "src/host/instance.h"

enum engine_news {
    ENGINE_NEWS_LIFECYCLE, /* another state: look */
    ENGINE_NEWS_REBOOTED,  /* the guest, by itself or asked */
    ENGINE_NEWS_AGENT,     /* connected, or no more: look */
    ENGINE_NEWS_IO_ERROR,  /* a disk could not be written to, and the guest is halted */
};

struct engine_observer {
    void (*news)(enum engine_news news, void *data);
    /* The console's output, from now on, as it is read. */
    void (*output)(const char *bytes, gsize length, void *data);
    void *data;
};

/* @observer stays the caller's, and must live as long as the engine. */
void engine_observe(struct engine *engine, const struct engine_observer *observer);

/* As it is at this moment. */
struct engine_view {
    enum lifecycle_state state;
    enum instance_status status;
    bool guest_ran;
    bool agent_connected;
    pid_t qemu; /* 0: none yet */
    guint engines_lost;
    gint64 ms_since_start;
};

void engine_look(const struct engine *engine, struct engine_view *view);

/* As probes want to know it. */
struct engine_health {
    bool live;      /* there is a VM, or it is being made, and it goes on */
    bool ready;     /* it runs, and what the setting ready waits for is there */
    bool started;   /* it has been ready */
    char **reasons; /* why it is not live, or not ready; empty: it is both */
};

void engine_look_at_health(const struct engine *engine, struct engine_health *health);
void engine_health_clear(struct engine_health *health);

/* The state object of the OCI runtime-spec, as hooks get it: JSON. The caller owns it. */
char *engine_describe(const struct engine *engine);

/* @result is NULL with an @error, and where there is nothing to tell. Both stay the callee's
 * caller's. */
typedef void engine_answer(void *data, GVariant *result, const GError *error);

/*
 * Pauses, resumes, resets, or asks for a reboot (ENGINE_PAUSE … ENGINE_RESET); @answer comes when
 * libvirt has done it, or could not, which may be never. False: the state does not allow it,
 * nothing happens, and @answer does not come.
 */
bool engine_ask(struct engine *engine, enum engine_request request, engine_answer *answer,
                void *data);

/*
 * Asks the guest to power off, and forces it after @timeout_ms; negative: after stop-timeout. Asked
 * again it is no force, unlike a second signal; but what is negative no more is the new time, from
 * now.
 */
void engine_stop(struct engine *engine, gint64 timeout_ms);
#define ENGINE_STOP_TIMEOUT_MAX_MS (24 * 3600 * 1000)

enum engine_question {
    ENGINE_STATISTICS, /* a{sv}: libvirt's domain statistics, by its names for them */
    ENGINE_XML,        /* s: the domain's XML, as libvirt has it now */
};

/* Asks libvirt. @answer may take long, or never come, where QEMU hangs. False: there is no VM that
 * could be asked, or too much has been asked already (ENGINE_QUESTIONS_MAX); ERROR_UNAVAILABLE,
 * ERROR_BUSY. */
bool engine_question(struct engine *engine, enum engine_question question, engine_answer *answer,
                     void *data, GError **error);
#define ENGINE_QUESTIONS_MAX 16

/* The guest's agent, which stays the engine's and lives as long. NULL: there is no VM that could
 * have one, or it is being taken over; ERROR_UNAVAILABLE, ERROR_BUSY. */
struct agent *engine_agent(const struct engine *engine, GError **error);

/* Types @bytes at the guest's console. Returns how many were taken: 0 while there is no console,
 * and while the guest does not read. */
gsize engine_type(struct engine *engine, const void *bytes, gsize length);
