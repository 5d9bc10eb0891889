// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/*
 * What the launcher has to do before it becomes QEMU: a file of this struct, followed by
 * @filter_length instructions of the seccomp filter (struct sock_filter). The engine writes it, the
 * launcher of the same build reads it; whoever can write it can run anything as this user anyway.
 */

#include <limits.h>

#define LAUNCH_MAGIC "ocivirt-launch-1"

/* Files beside the link by which the launcher is called. */
#define LAUNCH_PLAN "plan"
#define LAUNCH_NOTES                                                                               \
    "notes"                /* lines: one of the letters below, a space, and words for the user     \
                            */
#define LAUNCH_WARNING 'W' /* QEMU starts all the same */
#define LAUNCH_FAILURE 'F' /* it does not */

#define LAUNCH_LIMITS_MAX 16
#define LAUNCH_NICE_INHERITED INT_MAX
/* The kernel's BPF_MAXINSNS. */
#define LAUNCH_FILTER_MAX 4096

struct launch_limit {
    int resource;
    unsigned long long soft, hard;
};

struct launch_plan {
    char magic[16]; /* without a terminator */
    char program[PATH_MAX];
    struct launch_limit limits[LAUNCH_LIMITS_MAX];
    unsigned limit_count;
    int set_oom_score_adj;
    int oom_score_adj;
    int set_io_priority;
    int io_class, io_priority;
    int set_scheduler;
    int scheduler_policy, scheduler_priority;
    int nice; /* with the scheduler; LAUNCH_NICE_INHERITED: it stays what it is */
    unsigned filter_flags;
    unsigned filter_length;
};
