// SPDX-License-Identifier: LGPL-2.1-or-later
#include "src/engine/legacy.h"

#include <sys/mman.h>

struct legacy *legacy_create(guint64 stop_timeout_ms)
{
    /* Zero, as it comes, is the beginning: LIFECYCLE_CREATING. */
    void *memory = mmap(NULL, sizeof(struct legacy), PROT_READ | PROT_WRITE,
                        MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) {
        return NULL;
    }
    struct legacy *legacy = memory;
    legacy->stop_timeout_ms = legacy->own_stop_timeout_ms = stop_timeout_ms;
    return legacy;
}

bool legacy_has_vm(const struct legacy *legacy)
{
    /* Before that it is quicker, and safer, to begin anew: nobody has seen the guest run. */
    return legacy->state > LIFECYCLE_PREPARING;
}
