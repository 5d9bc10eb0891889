// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/* What the container lets its processes use: cgroup v2 and v1, and the CPU affinity. */

#include <glib.h>

/* CPUs: the affinity mask, or less where a CPU quota is smaller (rounded up); at least 1. */
unsigned limits_cpus(void);

/* Bytes that the machine has. */
guint64 limits_physical_memory(void);

/* Bytes; the smallest limit of this cgroup and those around it that can be seen. 0: none. */
guint64 limits_memory(void);

/* How often the kernel's OOM killer has struck in this cgroup; 0 where that cannot be told. */
guint64 limits_oom_kills(void);
