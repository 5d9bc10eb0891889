// SPDX-License-Identifier: LGPL-2.1-or-later
#include "src/engine/calls.h"
#include "src/engine/internal.h"
#include "src/host/room.h"
#include "src/util/log.h"
#include "src/util/quantity.h"

/*
 * A guest that QEMU has paused since a disk of its is full on the host. QEMU keeps the request that
 * did not find room, and does it again when the guest goes on: nothing is lost. Here it is said
 * which disk it is, and where there is no room; then it is looked each second whether there is, and
 * if so, the guest goes on.
 *
 * Free space may be no space for this disk: there are blocks that only root gets. (Over a quota
 * there is no halt: to QEMU that is an error like any other, and the guest's own.) A guest that
 * stops again at once therefore waits until there is more, and each time twice as long: the log
 * shall not be full as well.
 */

#define LOOK_EVERY_MS 1000
#define ENOUGH ((guint64)1 << 20)
#define AT_ONCE_MS 10000
#define WAIT_MAX_MS 60000

/* A disk without room. */
struct full_disk {
    const struct vm_disk *disk;
    struct room room; /* as it is now */
    bool known;       /* whether there is any telling */
    guint64 before;   /* free bytes when the guest went on in vain; 0: it has not */
};

/* What a worker looks at. */
struct look {
    struct engine *engine;
    guint number; /* of the halt that it is about */
    GArray *disks;
    bool first;
};

static void full_disk_clear(void *data)
{
    struct full_disk *full = data;
    room_clear(&full->room);
}

static void look_free(struct look *look)
{
    g_array_unref(look->disks);
    g_free(look);
}

static bool is_over(const struct look *look)
{
    const struct engine *e = look->engine;
    return look->number != e->halt.number || e->legacy->state >= LIFECYCLE_LEAVING;
}

/* --- what is said --- */

static void tell_of_disk(const struct full_disk *full)
{
    const char *file = vm_disk_written(full->disk);
    if (!full->known) {
        log_error("the guest is paused: there is no room for what it writes to disk %s, %s; make "
                  "room, and resume it with SIGCONT",
                  full->disk->target, file);
        return;
    }
    g_autofree char *free = quantity_format_size(full->room.free);
    g_autofree char *size = quantity_format_size(full->room.size);
    log_error("the guest is paused: there is no room for what it writes to disk %s, %s: of %s, the "
              "file system at %s has %s free; make room, and it goes on by itself",
              full->disk->target, file, size, full->room.mount_point, free);
}

static void tell(const struct look *look)
{
    for (guint i = 0; i < look->disks->len; i++) {
        tell_of_disk(&g_array_index(look->disks, struct full_disk, i));
    }
    if (look->disks->len == 0) {
        log_error("the guest is paused: a disk cannot be written to (is %s full?); make room, and "
                  "resume it with SIGCONT",
                  look->engine->config->root->path);
    }
}

/* --- whether there is room --- */

static bool has_room(const struct full_disk *full)
{
    return full->known && full->room.free >= full->before + ENOUGH;
}

static bool all_have_room(const struct look *look)
{
    bool all = look->disks->len > 0;
    for (guint i = 0; i < look->disks->len; i++) {
        all = all && has_room(&g_array_index(look->disks, struct full_disk, i));
    }
    return all;
}

/* Somebody else may have used it up in the meantime. */
static void note_less(struct look *look)
{
    for (guint i = 0; i < look->disks->len; i++) {
        struct full_disk *full = &g_array_index(look->disks, struct full_disk, i);
        full->before = MIN(full->before, full->room.free);
    }
}

static bool call_look(void *data, GError **error)
{
    (void)error;
    const struct look *look = data;
    for (guint i = 0; i < look->disks->len; i++) {
        struct full_disk *full = &g_array_index(look->disks, struct full_disk, i);
        room_clear(&full->room);
        full->known = room_look(vm_disk_written(full->disk), &full->room);
    }
    return true;
}

static void on_looked(void *data, GError *error);

static gboolean look_again(gpointer data)
{
    struct look *look = data;
    if (is_over(look)) {
        look_free(look);
    } else {
        calls_push(look->engine->workers, call_look, on_looked, look);
    }
    return G_SOURCE_REMOVE;
}

static void go_on(struct engine *e)
{
    log_info("there is room again: the guest goes on");
    engine_handle(e, LIFECYCLE_RESUME); /* and so to halt_end() */
    e->halt.resumed_at = g_get_monotonic_time();
}

static void on_looked(void *data, GError *error)
{
    (void)error;
    struct look *look = data;
    struct engine *e = look->engine;
    if (is_over(look)) {
        look_free(look);
        return;
    }
    if (look->first) {
        look->first = false;
        tell(look);
    }
    note_less(look);
    if (all_have_room(look) && engine_ms_since(e->halt.began_at) >= e->halt.wait_ms) {
        go_on(e);
        look_free(look);
    } else {
        g_timeout_add(LOOK_EVERY_MS, look_again, look);
    }
}

/* --- which disks --- */

static bool call_find(void *data, GError **error)
{
    struct look *look = data;
    const GPtrArray *disks = look->engine->config->spec->disks;
    g_autoptr(GPtrArray) targets =
        hypervisor_disks_with_errors(look->engine->hypervisor, disks->len);
    for (guint i = 0; i < disks->len; i++) {
        struct full_disk full = {.disk = g_ptr_array_index(disks, i)};
        if (g_ptr_array_find_with_equal_func(targets, full.disk->target, g_str_equal, NULL)) {
            g_array_append_val(look->disks, full);
        }
    }
    return call_look(look, error);
}

static void on_found(void *data, GError *error)
{
    struct look *look = data;
    const struct engine *e = look->engine;
    for (guint i = 0; e->halt.in_vain && i < look->disks->len; i++) {
        struct full_disk *full = &g_array_index(look->disks, struct full_disk, i);
        full->before = full->room.free;
    }
    on_looked(look, error);
}

void halt_begin(struct engine *e)
{
    e->halt.number++;
    e->halt.began_at = g_get_monotonic_time();
    e->halt.in_vain = e->halt.resumed_at != 0 && engine_ms_since(e->halt.resumed_at) < AT_ONCE_MS;
    e->halt.wait_ms =
        e->halt.in_vain ? MIN(2 * MAX(e->halt.wait_ms, LOOK_EVERY_MS), WAIT_MAX_MS) : 0;
    struct look *look = g_new0(struct look, 1);
    *look =
        (struct look){e, e->halt.number, g_array_new(FALSE, FALSE, sizeof(struct full_disk)), true};
    g_array_set_clear_func(look->disks, full_disk_clear);
    calls_push(e->workers, call_find, on_found, look);
}

void halt_end(struct engine *e)
{
    e->halt.number++;
}
