// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/* The JSON that the control API answers with, as docs/openapi.yaml describes it. Pure; the caller
 * owns every result. */

#include "src/engine/control.h"

/* {"error": MESSAGE} */
char *answer_error(const char *message);

/* The same for what the VM's @state does not allow. */
char *answer_refusal(const char *what, enum lifecycle_state state);

/* What POSTs answer: {"lifecycle": STATE}. */
char *answer_lifecycle(enum lifecycle_state state);

/* {"exit-status": N} */
char *answer_exit(int exit_status);

/* @description, of engine_describe(), with the member "vm". @exit_status: -1: not known yet. */
char *answer_state(const char *description, const struct engine_view *view, int exit_status);

/* {"live": …, "ready": …, "started": …, "reasons": […]} */
char *answer_health(const struct engine_health *health);

/* Of engine_question(). */
char *answer_statistics(GVariant *statistics);

/* A server-sent event for @news, with the blank line behind it. */
char *answer_event(enum engine_news news, const struct engine_view *view);
/* The last one. */
char *answer_end_event(const struct engine_view *view, int exit_status);
