// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/* linux.seccomp from a string to a filter in one call, and the kernel's opinion of it. */

#include "oci/seccomp.h"
#include "tests/unit/fixture.h"
#include "tests/unit/seccomp_child.h"

/* A profile, compiled. */
struct profile {
    struct fixture f;
    GBytes *filter;
    unsigned flags;
};

/* @members of linux.seccomp, with ' for ". */
static inline void profile_init(struct profile *p, const char *members)
{
    g_autofree char *json = g_strdup_printf("{'ociVersion': '1.2.0', 'vm': {'kernel': {'path': "
                                            "'/vmlinuz'}}, 'linux': {'seccomp': {%s}}}",
                                            members);
    *p = (struct profile){.flags = 4711};
    fixture_init(&p->f, json);
    if (!oci_problems_any(&p->f.problems)) {
        p->filter = oci_seccomp_compile(&p->f.config->seccomp, "linux.seccomp", &p->f.problems,
                                        p->f.warnings, &p->flags);
    }
    p->f.json = members; /* for messages */
}

static inline void profile_finish(struct profile *p)
{
    g_clear_pointer(&p->filter, g_bytes_unref);
    fixture_finish(&p->f);
}

static inline gsize instructions(const struct profile *p)
{
    return p->filter != NULL ? g_bytes_get_size(p->filter) / sizeof(struct sock_filter) : 0;
}

static inline int call(const struct profile *p, long number, const guint64 *args)
{
    return seccomp_child_call(p->filter, p->flags, number, args);
}

#define RULE(action, more)                                                                         \
    "'defaultAction': 'SCMP_ACT_ALLOW', 'syscalls': [{'names': ['getppid'], 'action': '" action    \
    "'" more "}]"

#define ARG(index, op, value, two)                                                                 \
    "{'index': " #index ", 'op': 'SCMP_CMP_" #op "', 'value': " #value ", 'valueTwo': " #two "}"

#define ARCHITECTURES(list) "'defaultAction': 'SCMP_ACT_ALLOW', 'architectures': [" list "]"
