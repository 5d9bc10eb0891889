// SPDX-License-Identifier: LGPL-2.1-or-later
#include "oci/translation.h"
#include "oci/values.h"

#include <string.h>

static void set_limits(struct translation *t)
{
    struct vm_process *process = &t->spec->process;
    /* No type is there twice (rules.c), so that there are never too many. */
    for (gsize i = 0; i < t->config->process.rlimits.length && i < VM_LIMITS_MAX; i++) {
        const struct oci_rlimit *limit = &t->config->process.rlimits.items[i];
        process->limits[process->limit_count++] =
            (struct vm_limit){oci_value_rlimit(limit->type), limit->soft.value, limit->hard.value};
    }
}

static void set_priorities(struct translation *t)
{
    const struct oci_process *from = &t->config->process;
    struct vm_process *process = &t->spec->process;
    process->set_oom_score_adj = from->oom_score_adj.set;
    process->oom_score_adj = from->oom_score_adj.value;
    if (from->io_priority.class != NULL) {
        process->set_io_priority = true;
        process->io_class = oci_value_io_class(from->io_priority.class);
        process->io_priority = from->io_priority.priority.value;
    }
    if (from->scheduler.policy != NULL) {
        process->set_scheduler = true;
        process->scheduler_policy = oci_value_policy(from->scheduler.policy);
        process->scheduler_priority = from->scheduler.priority.value;
        process->nice = from->scheduler.nice.set ? from->scheduler.nice.value : VM_NICE_INHERITED;
    }
}

static void set_label(struct translation *t)
{
    const char *model = t->host->security_model;
    const char *label = g_strcmp0(model, "selinux") == 0    ? t->config->process.selinux_label
                        : g_strcmp0(model, "apparmor") == 0 ? t->config->process.apparmor_profile
                                                            : NULL;
    if (label != NULL) {
        t->spec->security_model = g_strdup(model);
        t->spec->security_label = g_strdup(label);
    }
}

static void set_namespace(struct translation *t)
{
    for (gsize i = 0; i < t->config->namespaces.length; i++) {
        const struct oci_namespace *namespace = &t->config->namespaces.items[i];
        if (g_str_equal(namespace->type, "network")) {
            t->spec->network_namespace = g_strdup(namespace->path);
        }
    }
}

void translate_process(struct translation *t)
{
    set_limits(t);
    set_priorities(t);
    set_label(t);
    set_namespace(t);
}
