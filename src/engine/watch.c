// SPDX-License-Identifier: LGPL-2.1-or-later
#include "src/engine/watch.h"
#include "src/util/log.h"
#include "src/util/pattern.h"

#include <string.h>

/* How much may be used at once, when there was nothing to do before; µs. */
#define CREDIT_MAX 200000

struct watch {
    GRegex *pattern;
    struct watch_memory *memory;
    gint64 credit; /* µs that matching may take; below 0: it has to wait */
    gint64 credited_at;
    bool warned;
};

struct watch *watch_create(const char *pattern, struct watch_memory *memory)
{
    struct watch *w = g_new0(struct watch, 1);
    *w = (struct watch){
        .pattern = pattern_compile(pattern, NULL),
        .memory = memory,
        .credit = CREDIT_MAX,
        .credited_at = g_get_monotonic_time(),
    };
    return w;
}

void watch_destroy(struct watch *w)
{
    if (w != NULL) {
        g_regex_unref(w->pattern);
        g_free(w);
    }
}

static bool has_time(struct watch *w, gint64 now)
{
    gint64 earned = (gint64)((double)(now - w->credited_at) * WATCH_SHARE);
    if (earned > 0) {
        w->credit = MIN(w->credit + earned, CREDIT_MAX);
        w->credited_at = now;
    }
    if (w->credit <= 0 && !w->warned) {
        w->warned = true;
        log_warning("to look for the setting ready's pattern takes too long: lines on the console "
                    "are passed over");
    }
    return w->credit > 0;
}

static bool match_line(struct watch *w)
{
    struct watch_memory *memory = w->memory;
    gint64 before = g_get_monotonic_time();
    if (memory->length == 0 || !has_time(w, before)) {
        return false;
    }
    memory->seen = pattern_matches(w->pattern, memory->line, memory->length);
    w->credit -= g_get_monotonic_time() - before;
    return memory->seen;
}

static void add(struct watch_memory *memory, const char *bytes, gsize length)
{
    gsize taken = MIN(length, WATCH_LINE_MAX - memory->length);
    memcpy(memory->line + memory->length, bytes, taken);
    memory->length += taken;
}

static gsize find_end(const char *bytes, gsize length)
{
    for (gsize i = 0; i < length; i++) {
        if (bytes[i] == '\n' || bytes[i] == '\r') {
            return i;
        }
    }
    return length;
}

bool watch_feed(struct watch *w, const char *bytes, gsize length)
{
    struct watch_memory *memory = w->memory;
    while (!memory->seen && length > 0) {
        gsize end = find_end(bytes, length);
        add(memory, bytes, end);
        if (end == length) {
            return false;
        }
        if (match_line(w)) {
            return true;
        }
        memory->length = 0;
        bytes += end + 1;
        length -= end + 1;
    }
    return false;
}

bool watch_look_at_rest(struct watch *w)
{
    return !w->memory->seen && match_line(w);
}

void watch_forget(struct watch *w)
{
    w->memory->seen = false;
    w->memory->length = 0;
}
