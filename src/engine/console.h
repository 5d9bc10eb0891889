// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/*
 * The guest's serial console on this process's standard input and output.
 *
 * Bytes flow unchanged. What nobody reads is kept, up to CONSOLE_BUFFER; past that a slow reader
 * slows the guest down, and a reader that has stopped loses bytes: the guest goes on.
 * All functions are for the main loop's thread.
 */

#include <glib.h>
#include <stdbool.h>

#define CONSOLE_BUFFER (4u << 20)

struct console;

enum console_mode {
    CONSOLE_AUTO,  /* raw if standard input and output are a terminal in our foreground */
    CONSOLE_PLAIN, /* the terminal's line discipline stays */
    CONSOLE_OFF,   /* the guest's output goes nowhere, and it gets no input */
};

struct console_handlers {
    void (*escape)(void *data);  /* Ctrl-] three times within a second; raw mode only */
    void (*drained)(void *data); /* after console_drain(): all that could be written has been */
    void *data;
};

/* Takes @socket over, and the terminal. */
struct console *console_create(int socket, enum console_mode mode,
                               const struct console_handlers *handlers);

/* A copy of all that the guest writes from now on, also of what standard output never gets. Main
 * loop's thread; not to be slow. */
typedef void console_tap(const char *bytes, gsize length, void *data);
void console_set_tap(struct console *console, console_tap *tap, void *data);

/* Input from somewhere else. Returns how many bytes were taken: 0 while QEMU has not taken what it
 * was given before. */
gsize console_type(struct console *console, const void *bytes, gsize length);

/* Whether keys go to the guest one by one. */
bool console_is_raw(const struct console *console);

/* QEMU is gone: reads what it has left, writes all that the reader will take, and calls drained.
 * At most @limit_ms; 0: as long as it takes. */
void console_drain(struct console *console, guint limit_ms);

/* Gives the terminal its settings back. Takes NULL. What was not written is lost; a thread that
 * hangs in write() stays behind, for the end of the process. */
void console_finish(struct console *console);
