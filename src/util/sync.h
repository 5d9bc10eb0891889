// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/*
 * GLib's locks, and what else hands data from one thread to another, in a way that ThreadSanitizer
 * can follow: GLib makes them of futexes and queues of its own, which that does not see. Without it
 * this is GLib's locks and nothing more.
 */

#include <glib.h>

#if defined(__SANITIZE_THREAD__)
#include <sanitizer/tsan_interface.h>
#define sync_give(what) __tsan_release((void *)(what))
#define sync_take(what) __tsan_acquire((void *)(what))
#else
#define sync_give(what) (void)(what)
#define sync_take(what) (void)(what)
#endif

/* sync_give(@what) before, and sync_take(@what) after it has come to another thread through a queue
 * or a main loop: what was done before is there. */

static inline void sync_lock(GMutex *lock)
{
    g_mutex_lock(lock);
    sync_take(lock);
}

static inline void sync_unlock(GMutex *lock)
{
    sync_give(lock);
    g_mutex_unlock(lock);
}

static inline void sync_wait(GCond *condition, GMutex *lock)
{
    sync_give(lock);
    g_cond_wait(condition, lock);
    sync_take(lock);
}
