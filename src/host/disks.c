// SPDX-License-Identifier: LGPL-2.1-or-later
#include "src/host/disks.h"
#include "src/host/image_check.h"
#include "src/host/overlay.h"
#include "src/util/error.h"

#include <string.h>

/* Most of the time goes into processes that are started and waited for. */
#define THREADS_MAX 8

struct work {
    const struct vm_spec *spec;
    gint next; /* number of the disk that nobody works on yet */
    GError **errors;
};

/* What the guest writes, it writes to the image: that may have changed since the last time, by the
 * guest's own doing, and is looked at each time. */
static bool prepare_direct(const struct vm_disk *disk, GError **error)
{
    struct qemu_img_info info;
    if (!image_check(disk, &info, error)) {
        return false;
    }
    guint64 size = image_check_growth(disk, info.size);
    qemu_img_info_clear(&info);
    if (size > 0 && !qemu_img_grow(disk->image, disk->format, size, error)) {
        g_prefix_error(error, "%s: cannot make %s larger: ", vm_disk_origin(disk), disk->image);
        return false;
    }
    return true;
}

static void *prepare_some(void *data)
{
    struct work *work = data;
    guint i;
    while ((i = g_atomic_int_add(&work->next, 1)) < work->spec->disks->len) {
        const struct vm_disk *disk = g_ptr_array_index(work->spec->disks, i);
        if (disk->overlay != NULL) {
            overlay_prepare(disk, &work->errors[i]);
        } else {
            prepare_direct(disk, &work->errors[i]);
        }
    }
    return NULL;
}

/* Takes the first over. */
static bool take_error(struct work *work, GError **error)
{
    bool ok = true;
    for (guint i = 0; i < work->spec->disks->len; i++) {
        if (work->errors[i] != NULL && ok) {
            g_propagate_error(error, g_steal_pointer(&work->errors[i]));
            ok = false;
        }
        g_clear_error(&work->errors[i]);
    }
    return ok;
}

bool disks_prepare(const struct vm_spec *spec, GError **error)
{
    guint count = spec->disks->len, helpers = MIN(count, THREADS_MAX);
    g_autofree GError **errors = g_new0(GError *, count + 1);
    struct work work = {spec, 0, errors};
    GThread *threads[THREADS_MAX];
    /* This thread is one of them. */
    for (guint i = 1; i < helpers; i++) {
        threads[i] = g_thread_new("disks", prepare_some, &work);
    }
    prepare_some(&work);
    for (guint i = 1; i < helpers; i++) {
        g_thread_join(threads[i]);
    }
    return take_error(&work, error);
}

/* 'Failed to get "write" lock' and the file in brackets: QEMU's block/file-posix.c. */
static bool is_about_lock(const char *message, const char *file)
{
    g_autofree char *named = g_strdup_printf("[%s]", file);
    return strstr(message, "\" lock") != NULL && strstr(message, named) != NULL;
}

void disks_explain(const struct vm_spec *spec, GError **error)
{
    for (guint i = 0; error != NULL && *error != NULL && i < spec->disks->len; i++) {
        const struct vm_disk *disk = g_ptr_array_index(spec->disks, i);
        const char *file = vm_disk_written(disk);
        if (is_about_lock((*error)->message, file)) {
            g_clear_error(error);
            g_set_error(error, ERROR_DOMAIN, ERROR_UNAVAILABLE,
                        "%s: %s is in use by another VM, or by a program such as qemu-img; two "
                        "systems on one disk destroy it: end that one first",
                        vm_disk_origin(disk), file);
        }
    }
}
