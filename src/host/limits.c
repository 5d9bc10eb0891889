// SPDX-License-Identifier: LGPL-2.1-or-later
#include "src/host/limits.h"
#include "src/host/topology.h"

#include <string.h>
#include <unistd.h>

/*
 * A cgroup's files lie below /sys/fs/cgroup (v2) or /sys/fs/cgroup/CONTROLLER (v1), at the path
 * that /proc/self/cgroup names. In a container that path can be the host's while the mount begins
 * at the container's own group; then the mount's root is the group.
 */
struct group {
    char *mount; /* of the hierarchy */
    char *path;  /* of our group in it, "/a/b" or "/" */
};

/* v1: "4:memory:/a/b", @controller among the names. v2: "0::/a/b", with @controller "". */
static gboolean line_matches(char **fields, const char *controller)
{
    g_auto(GStrv) names = g_strsplit(fields[1], ",", 0);
    return *controller == '\0' ? *fields[1] == '\0'
                               : g_strv_contains((const char *const *)names, controller);
}

static gboolean find_group(const char *controller, struct group *group)
{
    g_autofree char *text = NULL;
    if (!g_file_get_contents("/proc/self/cgroup", &text, NULL, NULL)) {
        return FALSE;
    }
    g_auto(GStrv) lines = g_strsplit(text, "\n", 0);
    for (char **line = lines; *line != NULL; line++) {
        g_auto(GStrv) fields = g_strsplit(*line, ":", 3);
        if (g_strv_length(fields) != 3 || !line_matches(fields, controller)) {
            continue;
        }
        group->mount = g_build_filename("/sys/fs/cgroup", controller, NULL);
        g_autofree char *directory = g_strconcat(group->mount, fields[2], NULL);
        gboolean there = g_file_test(directory, G_FILE_TEST_IS_DIR);
        group->path = g_strdup(there ? fields[2] : "/");
        return TRUE;
    }
    return FALSE;
}

/* From our group up to the hierarchy's root: calls @visit with the text of @file where it exists.
 */
static void walk_up(const char *controller, const char *file,
                    void (*visit)(const char *text, void *data), void *data)
{
    struct group group;
    if (!find_group(controller, &group)) {
        return;
    }
    for (;;) {
        g_autofree char *name = g_build_filename(group.mount, group.path, file, NULL);
        g_autofree char *text = NULL;
        if (g_file_get_contents(name, &text, NULL, NULL)) {
            visit(g_strstrip(text), data);
        }
        char *slash = strrchr(group.path, '/');
        if (slash == NULL || slash[1] == '\0') {
            break;
        }
        slash[slash == group.path ? 1 : 0] = '\0';
    }
    g_free(group.mount);
    g_free(group.path);
}

/* "max" (v2), "-1" (v1) and 0 are no limits. */
static guint64 parse_limit(const char *text)
{
    guint64 value;
    return g_ascii_string_to_unsigned(text, 10, 1, G_MAXUINT64, &value, NULL) ? value : 0;
}

static void take_smaller(const char *text, void *data)
{
    guint64 *least = data;
    guint64 value = parse_limit(text);
    if (value > 0 && (*least == 0 || value < *least)) {
        *least = value;
    }
}

/* One group's CPUs by quota; the least of the groups, and 0 for none, is in @cpus. */
static void take_quota(guint64 *cpus, guint64 quota, guint64 period)
{
    if (quota > 0 && period > 0) {
        guint64 count = quota / period + (quota % period != 0);
        *cpus = *cpus == 0 ? count : MIN(*cpus, count);
    }
}

/* v2's cpu.max: "QUOTA PERIOD" or "max PERIOD". */
static void take_cpu_max(const char *text, void *data)
{
    g_auto(GStrv) words = g_strsplit(text, " ", 2);
    if (g_strv_length(words) == 2) {
        take_quota(data, parse_limit(words[0]), parse_limit(words[1]));
    }
}

/* v1 has two files, of which only those of the same group belong together: in @data, from our group
 * outwards. */
static void collect(const char *text, void *data)
{
    guint64 value = parse_limit(text);
    g_array_append_val((GArray *)data, value);
}

static guint64 quota_cpus(void)
{
    guint64 cpus = 0;
    walk_up("", "cpu.max", take_cpu_max, &cpus);

    g_autoptr(GArray) quotas = g_array_new(FALSE, FALSE, sizeof(guint64));
    g_autoptr(GArray) periods = g_array_new(FALSE, FALSE, sizeof(guint64));
    walk_up("cpu", "cpu.cfs_quota_us", collect, quotas);
    walk_up("cpu", "cpu.cfs_period_us", collect, periods);
    for (guint i = 0; i < MIN(quotas->len, periods->len); i++) {
        take_quota(&cpus, g_array_index(quotas, guint64, i), g_array_index(periods, guint64, i));
    }
    return cpus;
}

static unsigned affine_cpus(void)
{
    struct cpulist cpus;
    return topology_allowed_cpus(&cpus) ? cpulist_count(&cpus) : 1;
}

unsigned limits_cpus(void)
{
    unsigned affine = affine_cpus();
    guint64 quota = quota_cpus();
    return MAX(1, quota > 0 ? MIN(quota, affine) : affine);
}

guint64 limits_physical_memory(void)
{
    return (guint64)sysconf(_SC_PHYS_PAGES) * sysconf(_SC_PAGESIZE);
}

guint64 limits_memory(void)
{
    guint64 limit = 0;
    walk_up("", "memory.max", take_smaller, &limit);
    walk_up("memory", "memory.limit_in_bytes", take_smaller, &limit);
    /* What is more than there is limits nothing; v1 writes "no limit" as such a number. */
    return limit >= limits_physical_memory() ? 0 : limit;
}

static void count_oom_kills(const char *text, void *data)
{
    g_auto(GStrv) lines = g_strsplit(text, "\n", 0);
    for (char **line = lines; *line != NULL; line++) {
        if (g_str_has_prefix(*line, "oom_kill ")) {
            *(guint64 *)data += g_ascii_strtoull(*line + strlen("oom_kill "), NULL, 10);
        }
    }
}

guint64 limits_oom_kills(void)
{
    guint64 kills = 0;
    walk_up("", "memory.events", count_oom_kills, &kills);
    walk_up("memory", "memory.oom_control", count_oom_kills, &kills);
    return kills;
}
