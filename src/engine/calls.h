// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/* Calls that may block: made on other threads, finished on the main loop's. */

#include <glib.h>
#include <stdbool.h>

typedef bool call_work(void *data, GError **error);
/* @error is NULL when the work has succeeded, and stays the callee's caller's. */
typedef void call_done(void *data, GError *error);

/* At most @threads calls at once; with one, in order. */
GThreadPool *calls_create(int threads);

/* From the main loop's thread: @work there, then @done here. */
void calls_push(GThreadPool *calls, call_work *work, call_done *done, void *data);
