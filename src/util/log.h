// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/*
 * The one reporter: ocivirt's own words, a line each, on stderr. The guest's console has stdout.
 *
 * A line is dropped rather than waited for when whoever reads stderr has stopped reading: the stop
 * ladder must not hang on a full pipe. The number of lines lost is told as soon as there is room.
 * All functions may be called from any thread.
 */

#include <glib.h>
#include <stdbool.h>

enum log_level { LOG_ERROR, LOG_WARNING, LOG_INFO, LOG_DEBUG };
enum log_format { LOG_FORMAT_TEXT, LOG_FORMAT_JSON };

/* Colours are used where stderr is a terminal and NO_COLOR is unset or empty. */
void log_setup(enum log_level threshold, enum log_format format);

/* While a terminal is raw a newline alone does not return the carriage. */
void log_set_raw_terminal(bool raw);

bool log_enabled(enum log_level level);
void log_line(enum log_level level, const char *format, ...) G_GNUC_PRINTF(2, 3);

#define log_error(...) log_line(LOG_ERROR, __VA_ARGS__)
#define log_warning(...) log_line(LOG_WARNING, __VA_ARGS__)
#define log_info(...) log_line(LOG_INFO, __VA_ARGS__)
#define log_debug(...) log_line(LOG_DEBUG, __VA_ARGS__)
