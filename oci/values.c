// SPDX-License-Identifier: LGPL-2.1-or-later
#include "oci/values.h"
#include "src/util/cpulist.h"
#include "src/util/quantity.h"
#include "src/vm/vm_spec.h"

#include <linux/ioprio.h>
#include <sched.h>
#include <string.h>
#include <sys/resource.h>

/* https://semver.org, "Is there a suggested regular expression" */
#define SEMVER                                                                                     \
    "^(0|[1-9]\\d*)\\.(0|[1-9]\\d*)\\.(0|[1-9]\\d*)"                                               \
    "(?:-((?:0|[1-9]\\d*|\\d*[a-zA-Z-][0-9a-zA-Z-]*)"                                              \
    "(?:\\.(?:0|[1-9]\\d*|\\d*[a-zA-Z-][0-9a-zA-Z-]*))*))?"                                        \
    "(?:\\+([0-9a-zA-Z-]+(?:\\.[0-9a-zA-Z-]+)*))?$"

bool oci_value_is_cpu_list(const char *text)
{
    struct cpulist list;
    return cpulist_parse(text, &list);
}

bool oci_value_is_loose_cpu_list(const char *text)
{
    g_autofree char *tight = g_strdup(text);
    char *end = tight;
    for (const char *c = text; *c != '\0'; c++) {
        if (*c != ' ') {
            *end++ = *c;
        }
    }
    *end = '\0';
    return *tight == '\0' || oci_value_is_cpu_list(tight);
}

bool oci_value_is_host_name(const char *text)
{
    gsize length = strlen(text);
    return length <= 64 && *text != '-' && *text != '.' &&
           strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.") ==
               length;
}

bool oci_value_is_interface(const char *text)
{
    gsize length = strlen(text);
    return length >= 1 && length <= 15 && strpbrk(text, "/: \t\n\v\f\r") == NULL &&
           !g_str_equal(text, ".") && !g_str_equal(text, "..");
}

bool oci_value_is_interface_template(const char *text)
{
    const char *percent = strchr(text, '%');
    return oci_value_is_interface(text) &&
           (percent == NULL || (percent[1] == 'd' && strchr(percent + 1, '%') == NULL));
}

bool oci_value_is_semver(const char *text)
{
    return g_regex_match_simple(SEMVER, text, G_REGEX_DOLLAR_ENDONLY, 0);
}

bool oci_value_is_line(const char *text)
{
    return strchr(text, '\n') == NULL;
}

bool oci_value_is_mem_bw_schema(const char *text)
{
    return g_str_has_prefix(text, "MB:") && oci_value_is_line(text);
}

bool oci_value_is_device_access(const char *text)
{
    return strspn(text, "rwm") == strlen(text);
}

struct number {
    const char *name;
    int number;
};

static int find_number(const struct number *numbers, gsize count, const char *name)
{
    for (gsize i = 0; i < count; i++) {
        if (g_strcmp0(numbers[i].name, name) == 0) {
            return numbers[i].number;
        }
    }
    return -1;
}

/* A list of words, and what they are to the kernel, from one list X. */
#define WORD(name, number) #name,
#define NUMBER(name, number) {#name, number},

#define RLIMITS(X)                                                                                 \
    X(RLIMIT_AS, RLIMIT_AS)                                                                        \
    X(RLIMIT_CORE, RLIMIT_CORE)                                                                    \
    X(RLIMIT_CPU, RLIMIT_CPU)                                                                      \
    X(RLIMIT_DATA, RLIMIT_DATA)                                                                    \
    X(RLIMIT_FSIZE, RLIMIT_FSIZE)                                                                  \
    X(RLIMIT_LOCKS, RLIMIT_LOCKS)                                                                  \
    X(RLIMIT_MEMLOCK, RLIMIT_MEMLOCK)                                                              \
    X(RLIMIT_MSGQUEUE, RLIMIT_MSGQUEUE)                                                            \
    X(RLIMIT_NICE, RLIMIT_NICE)                                                                    \
    X(RLIMIT_NOFILE, RLIMIT_NOFILE)                                                                \
    X(RLIMIT_NPROC, RLIMIT_NPROC)                                                                  \
    X(RLIMIT_RSS, RLIMIT_RSS)                                                                      \
    X(RLIMIT_RTPRIO, RLIMIT_RTPRIO)                                                                \
    X(RLIMIT_RTTIME, RLIMIT_RTTIME)                                                                \
    X(RLIMIT_SIGPENDING, RLIMIT_SIGPENDING)                                                        \
    X(RLIMIT_STACK, RLIMIT_STACK)

/* -1: not for a process like QEMU. SCHED_DEADLINE is for one thread alone; SCHED_ISO is in
 * <linux/sched.h> a comment. */
#define POLICIES(X)                                                                                \
    X(SCHED_OTHER, SCHED_OTHER)                                                                    \
    X(SCHED_FIFO, SCHED_FIFO)                                                                      \
    X(SCHED_RR, SCHED_RR)                                                                          \
    X(SCHED_BATCH, SCHED_BATCH)                                                                    \
    X(SCHED_ISO, -1)                                                                               \
    X(SCHED_IDLE, SCHED_IDLE)                                                                      \
    X(SCHED_DEADLINE, -1)

#define IO_CLASSES(X)                                                                              \
    X(IOPRIO_CLASS_RT, IOPRIO_CLASS_RT)                                                            \
    X(IOPRIO_CLASS_BE, IOPRIO_CLASS_BE)                                                            \
    X(IOPRIO_CLASS_IDLE, IOPRIO_CLASS_IDLE)

const char *const oci_value_rlimits[] = {RLIMITS(WORD) NULL};
const char *const oci_value_policies[] = {POLICIES(WORD) NULL};
const char *const oci_value_io_classes[] = {IO_CLASSES(WORD) NULL};

static const struct number rlimits[] = {RLIMITS(NUMBER)};
static const struct number policies[] = {POLICIES(NUMBER)};
static const struct number io_classes[] = {IO_CLASSES(NUMBER)};

int oci_value_rlimit(const char *text)
{
    return find_number(rlimits, G_N_ELEMENTS(rlimits), text);
}

int oci_value_policy(const char *text)
{
    return find_number(policies, G_N_ELEMENTS(policies), text);
}

int oci_value_io_class(const char *text)
{
    return find_number(io_classes, G_N_ELEMENTS(io_classes), text);
}

int oci_value_memory_policy(const char *text)
{
    static const struct number modes[] = {
        {"MPOL_BIND", VM_NUMA_STRICT},
        {"MPOL_INTERLEAVE", VM_NUMA_INTERLEAVE},
        {"MPOL_PREFERRED", VM_NUMA_PREFERRED},
    };
    return find_number(modes, G_N_ELEMENTS(modes), text);
}

guint64 oci_value_page_size(const char *text)
{
    guint64 bytes;
    gsize digits = strspn(text, "0123456789");
    bool ok = *text >= '1' && *text <= '9' && strlen(text) == digits + 2 &&
              strchr("KMG", text[digits]) != NULL && text[digits + 1] == 'B' &&
              quantity_parse_size(text, &bytes);
    return ok ? bytes : 0;
}

bool oci_value_is_page_size(const char *text)
{
    return oci_value_page_size(text) > 0;
}
