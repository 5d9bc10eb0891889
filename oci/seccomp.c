// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * What the spec leaves open is as in runc and crun, where profiles are tried:
 *
 * - Without an errno, SCMP_ACT_ERRNO means EPERM, and so does the value that SCMP_ACT_TRACE hands
 *   to a tracer.
 * - A rule that does what happens anyway is skipped. (libseccomp would refuse it.)
 * - The args of a rule must all match. If two of them look at the same argument, though, each is
 *   taken for a rule of its own: libseccomp has no other way to look twice.
 * - SCMP_CMP_MASKED_EQ: value is the mask, valueTwo what is to be left.
 * - Calls of an architecture that is not listed kill the thread: libseccomp's own choice. The
 *   machine's own architecture is always as if listed.
 * - No flags at all mean SECCOMP_FILTER_FLAG_SPEC_ALLOW: a filter shall not slow QEMU down.
 *   An empty list of flags means none.
 */
#include "oci/seccomp.h"
#include "oci/document.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

struct word {
    const char *name;
    unsigned number;
};

static const struct word actions[] = {
    {"SCMP_ACT_KILL", SCMP_ACT_KILL_THREAD},
    {"SCMP_ACT_KILL_THREAD", SCMP_ACT_KILL_THREAD},
    {"SCMP_ACT_KILL_PROCESS", SCMP_ACT_KILL_PROCESS},
    {"SCMP_ACT_TRAP", SCMP_ACT_TRAP},
    {"SCMP_ACT_ERRNO", SCMP_ACT_ERRNO(0)},
    {"SCMP_ACT_TRACE", SCMP_ACT_TRACE(0)},
    {"SCMP_ACT_ALLOW", SCMP_ACT_ALLOW},
    {"SCMP_ACT_LOG", SCMP_ACT_LOG},
    {"SCMP_ACT_NOTIFY", SCMP_ACT_NOTIFY},
    {NULL},
};

static const struct word operators[] = {
    {"SCMP_CMP_NE", SCMP_CMP_NE},
    {"SCMP_CMP_LT", SCMP_CMP_LT},
    {"SCMP_CMP_LE", SCMP_CMP_LE},
    {"SCMP_CMP_EQ", SCMP_CMP_EQ},
    {"SCMP_CMP_GE", SCMP_CMP_GE},
    {"SCMP_CMP_GT", SCMP_CMP_GT},
    {"SCMP_CMP_MASKED_EQ", SCMP_CMP_MASKED_EQ},
    {NULL},
};

static const struct word filter_flags[] = {
    {"SECCOMP_FILTER_FLAG_TSYNC", SECCOMP_FILTER_FLAG_TSYNC},
    {"SECCOMP_FILTER_FLAG_LOG", SECCOMP_FILTER_FLAG_LOG},
    {"SECCOMP_FILTER_FLAG_SPEC_ALLOW", SECCOMP_FILTER_FLAG_SPEC_ALLOW},
    /* How a thread waits for a listener's answer. Without a listener the kernel refuses it. */
    {"SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV", 0},
    {NULL},
};

/*
 * What a condition, and a rule beside its conditions, can come to in instructions for one
 * architecture: a 64-bit value is compared in two halves, each with a load, a mask, a comparison
 * and two far jumps. Mostly it is half of that or less.
 *
 * The limit is there for libseccomp, which takes time with the third power of the conditions of
 * one system call (measured: 3 s for 750 of them), and which before 2.6.1 counts instructions in
 * 16 bits without a look. Profiles of engines come to half of it.
 */
#define CONDITION_COST 10
#define RULE_COST 3
#define COST_MAX (2 * BPF_MAXINSNS)

/* Unknown system calls that are named; the others are counted. */
#define UNKNOWN_MAX 20

#define TOO_LARGE                                                                                  \
    "is too large: the kernel takes a filter of at most %d instructions; list fewer "              \
    "architectures, or fewer system calls with args"

#define NOT_TAKEN "%s, with the errno that it has, is not known to this kernel or to libseccomp"

struct compiler {
    const struct oci_seccomp *profile;
    const char *path;
    struct oci_problems *problems;
    scmp_filter_ctx context;
    uint32_t default_action;
    gsize architectures;
    gsize cost;
    GHashTable *unknown; /* set of names, not owned */
    GPtrArray *warnings; /* may be NULL */
};

static const struct word *find(const struct word *words, const char *name)
{
    for (; words->name != NULL; words++) {
        if (g_strcmp0(words->name, name) == 0) {
            return words;
        }
    }
    return NULL;
}

static void warn(const struct compiler *c, const char *format, ...) G_GNUC_PRINTF(2, 3);

static void warn(const struct compiler *c, const char *format, ...)
{
    if (c->warnings != NULL) {
        va_list args;
        va_start(args, format);
        g_ptr_array_add(c->warnings, g_strdup_vprintf(format, args));
        va_end(args);
    }
}

/* PATH.syscalls[INDEX] with @format behind it; the caller owns it. */
static char *rule_path(const struct compiler *c, gsize index, const char *format, ...)
    G_GNUC_PRINTF(3, 4);

static char *rule_path(const struct compiler *c, gsize index, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    g_autofree char *member = g_strdup_vprintf(format, args);
    va_end(args);
    g_autofree char *syscalls = oci_path_child(c->path, "syscalls");
    g_autofree char *rule = oci_path_element(syscalls, index, NULL);
    return g_strconcat(rule, member, NULL);
}

/* libseccomp's number for an action of @where; false: there is a problem. */
static bool find_action(const struct compiler *c, const char *name, const struct oci_uint *value,
                        const char *where, uint32_t *action)
{
    const struct word *word = find(actions, name);
    if (word == NULL) {
        oci_problems_add(c->problems, where, "there is no action %s", name);
        return false;
    }
    if (word->number == SCMP_ACT_NOTIFY) {
        oci_problems_add(c->problems, where, "%s", OCI_SECCOMP_NO_AGENT);
        return false;
    }
    *action = word->number;
    if (*action == SCMP_ACT_ERRNO(0) || *action == SCMP_ACT_TRACE(0)) {
        *action |= value->set ? value->value : EPERM;
    }
    return true;
}

static bool begin(struct compiler *c)
{
    const struct oci_seccomp *profile = c->profile;
    g_autofree char *where = oci_path_child(c->path, "defaultAction");
    if (!find_action(c, profile->default_action, &profile->default_errno_ret, where,
                     &c->default_action)) {
        return false;
    }
    c->context = seccomp_init(c->default_action);
    if (c->context == NULL) {
        oci_problems_add(c->problems, where, NOT_TAKEN, profile->default_action);
        return false;
    }
    /* A tree of comparisons rather than a chain of them. libseccomp before 2.6 cannot make one
     * without rules. */
    if (profile->syscalls.length > 0) {
        seccomp_attr_set(c->context, SCMP_FLTATR_CTL_OPTIMIZE, 2);
    }
    return true;
}

/* Whether a process on this machine can make calls of that architecture. */
static bool can_be_called(uint32_t architecture)
{
    switch (seccomp_arch_native()) {
    case SCMP_ARCH_X86_64:
        return architecture == SCMP_ARCH_X86_64 || architecture == SCMP_ARCH_X86 ||
               architecture == SCMP_ARCH_X32;
    case SCMP_ARCH_AARCH64:
        return architecture == SCMP_ARCH_AARCH64 || architecture == SCMP_ARCH_ARM;
    default:
        return architecture == seccomp_arch_native();
    }
}

/* "SCMP_ARCH_X86_64" → SCMP_ARCH_X86_64; 0: libseccomp does not know it. */
static uint32_t find_architecture(const char *name)
{
    const char *prefix = "SCMP_ARCH_";
    g_autofree char *lower =
        g_ascii_strdown(g_str_has_prefix(name, prefix) ? name + strlen(prefix) : name, -1);
    return seccomp_arch_resolve_name(lower);
}

/* Those that this machine does not have are left out: they would cost instructions, and libseccomp
 * refuses to mix byte orders. */
static bool add_architectures(struct compiler *c)
{
    g_autofree char *list = oci_path_child(c->path, "architectures");
    c->architectures = 1;
    for (gsize i = 0; c->profile->architectures != NULL && c->profile->architectures[i] != NULL;
         i++) {
        const char *name = c->profile->architectures[i];
        uint32_t architecture = find_architecture(name);
        if (architecture == 0) {
            warn(c,
                 "%s: libseccomp does not know %s, and nothing on this machine can make its calls",
                 list, name);
            continue;
        }
        if (!can_be_called(architecture)) {
            continue;
        }
        int result = seccomp_arch_add(c->context, architecture);
        if (result < 0 && result != -EEXIST) {
            oci_problems_add(c->problems, list, "libseccomp refuses %s: %s", name,
                             g_strerror(-result));
            return false;
        }
        c->architectures += result == 0;
    }
    return true;
}

static bool convert_args(const struct compiler *c, gsize index, const struct oci_syscall *rule,
                         struct scmp_arg_cmp *conditions)
{
    for (gsize i = 0; i < rule->args.length; i++) {
        const struct oci_syscall_arg *arg = &rule->args.items[i];
        const struct word *operator= find(operators, arg->op);
        if (operator== NULL) {
            g_autofree char *where = rule_path(c, index, ".args[%" G_GSIZE_FORMAT "].op", i);
            oci_problems_add(c->problems, where, "there is no operator %s", arg->op);
            return false;
        }
        conditions[i] = SCMP_CMP((unsigned)arg->index.value, operator->number, arg->value.value,
                                 arg->value_two.value);
    }
    return true;
}

static bool looks_twice(const struct oci_syscall *rule)
{
    unsigned seen = 0;
    for (gsize i = 0; i < rule->args.length; i++) {
        unsigned bit = 1u << (rule->args.items[i].index.value & 31);
        if (seen & bit) {
            return true;
        }
        seen |= bit;
    }
    return false;
}

static bool add_rule(const struct compiler *c, gsize index, gsize name, uint32_t action, int number,
                     const struct scmp_arg_cmp *conditions, gsize count)
{
    int result = seccomp_rule_add_array(c->context, action, number, count, conditions);
    if (result >= 0) {
        return true;
    }
    g_autofree char *where = rule_path(c, index, ".names[%" G_GSIZE_FORMAT "]", name);
    if (result == -EEXIST) {
        oci_problems_add(c->problems, where,
                         "an earlier rule has another action for the same arguments of this system "
                         "call: remove one of the two");
    } else if (result == -EOPNOTSUPP || result == -EINVAL) {
        oci_problems_add(c->problems, where, NOT_TAKEN, c->profile->syscalls.items[index].action);
    } else {
        oci_problems_add(c->problems, where, "libseccomp refuses this rule: %s",
                         g_strerror(-result));
    }
    return false;
}

static bool add_name(struct compiler *c, gsize index, gsize name, uint32_t action,
                     const struct scmp_arg_cmp *conditions)
{
    const struct oci_syscall *rule = &c->profile->syscalls.items[index];
    int number = seccomp_syscall_resolve_name(rule->names[name]);
    if (number == __NR_SCMP_ERROR) {
        g_hash_table_add(c->unknown, rule->names[name]);
        return true;
    }
    if (!looks_twice(rule)) {
        return add_rule(c, index, name, action, number, conditions, rule->args.length);
    }
    for (gsize i = 0; i < rule->args.length; i++) {
        if (!add_rule(c, index, name, action, number, &conditions[i], 1)) {
            return false;
        }
    }
    return true;
}

/* Whether libseccomp can be trusted with this much. */
static bool can_be_afforded(struct compiler *c, const struct oci_syscall *rule)
{
    gsize rules = looks_twice(rule) ? rule->args.length : 1;
    gsize each = RULE_COST * rules + CONDITION_COST * rule->args.length;
    /* Lengths are those of a file of some MiB: nothing overflows. */
    c->cost += each * g_strv_length(rule->names) * c->architectures;
    return c->cost <= COST_MAX;
}

static bool add_syscall(struct compiler *c, gsize index)
{
    const struct oci_syscall *rule = &c->profile->syscalls.items[index];
    g_autofree char *where = rule_path(c, index, ".action");
    uint32_t action;
    if (!find_action(c, rule->action, &rule->errno_ret, where, &action)) {
        return false;
    }
    if (action == c->default_action) {
        return true;
    }
    if (!can_be_afforded(c, rule)) {
        oci_problems_add(c->problems, c->path, TOO_LARGE, BPF_MAXINSNS);
        return false;
    }
    g_autofree struct scmp_arg_cmp *conditions = g_new0(struct scmp_arg_cmp, rule->args.length);
    if (!convert_args(c, index, rule, conditions)) {
        return false;
    }
    for (gsize i = 0; rule->names[i] != NULL; i++) {
        if (!add_name(c, index, i, action, conditions)) {
            return false;
        }
    }
    return true;
}

static int by_name(gconstpointer a, gconstpointer b)
{
    return strcmp(a, b);
}

static void warn_of_unknown(const struct compiler *c)
{
    guint count = g_hash_table_size(c->unknown);
    if (count == 0 || c->warnings == NULL) {
        return;
    }
    GList *names = g_list_sort(g_hash_table_get_keys(c->unknown), by_name);
    g_autoptr(GString) list = g_string_new(NULL);
    guint named = 0;
    for (GList *name = names; name != NULL && named < UNKNOWN_MAX; name = name->next, named++) {
        g_string_append(list, named == 0 ? "" : ", ");
        oci_problems_append_visible(list, name->data);
    }
    g_list_free(names);
    if (count > named) {
        g_string_append_printf(list, " and %u more", count - named);
    }
    g_autofree char *syscalls = oci_path_child(c->path, "syscalls");
    warn(c, "%s: libseccomp does not know %s: the default action holds for what it does not know",
         syscalls, list->str);
}

static GBytes *read_whole(int fd)
{
    struct stat status;
    if (fstat(fd, &status) < 0) {
        return NULL;
    }
    g_autofree guint8 *bytes = g_malloc(status.st_size);
    if (pread(fd, bytes, status.st_size, 0) != status.st_size) {
        return NULL;
    }
    return g_bytes_new_take(g_steal_pointer(&bytes), status.st_size);
}

static GBytes *export(const struct compiler *c)
{
    int fd = memfd_create("seccomp", MFD_CLOEXEC);
    int result = fd < 0 ? -errno : seccomp_export_bpf(c->context, fd);
    g_autoptr(GBytes) filter = result < 0 ? NULL : read_whole(fd);
    if (fd >= 0) {
        close(fd);
    }
    if (filter == NULL) {
        oci_problems_add(c->problems, c->path, "cannot be compiled: %s",
                         g_strerror(result < 0 ? -result : EIO));
        return NULL;
    }
    if (g_bytes_get_size(filter) > BPF_MAXINSNS * sizeof(struct sock_filter)) {
        oci_problems_add(c->problems, c->path, TOO_LARGE, BPF_MAXINSNS);
        return NULL;
    }
    return g_steal_pointer(&filter);
}

static unsigned convert_flags(const struct oci_seccomp *profile)
{
    if (profile->flags == NULL) {
        return SECCOMP_FILTER_FLAG_SPEC_ALLOW;
    }
    unsigned flags = 0;
    for (char **name = profile->flags; *name != NULL; name++) {
        const struct word *word = find(filter_flags, *name);
        flags |= word != NULL ? word->number : 0;
    }
    return flags;
}

static bool add_syscalls(struct compiler *c)
{
    for (gsize i = 0; i < c->profile->syscalls.length; i++) {
        if (!add_syscall(c, i)) {
            return false;
        }
    }
    return true;
}

GBytes *oci_seccomp_compile(const struct oci_seccomp *seccomp, const char *path,
                            struct oci_problems *problems, GPtrArray *warnings, unsigned *flags)
{
    struct compiler c = {.profile = seccomp,
                         .path = path,
                         .problems = problems,
                         .unknown = g_hash_table_new(g_str_hash, g_str_equal),
                         .warnings = warnings};
    GBytes *filter = NULL;
    if (begin(&c) && add_architectures(&c) && add_syscalls(&c)) {
        warn_of_unknown(&c);
        *flags = convert_flags(seccomp);
        filter = export(&c);
    }
    if (c.context != NULL) {
        seccomp_release(c.context);
    }
    g_hash_table_unref(c.unknown);
    return filter;
}

/* --- templates --- */

static bool has_members(const json_t *object, const char *name)
{
    const json_t *value = json_object_get(object, name);
    /* Empty ones set no condition. */
    return json_is_object(value) ? json_object_size(value) > 0 : json_array_size(value) > 0;
}

void oci_seccomp_check_template(const json_t *profile, const char *path,
                                struct oci_problems *problems)
{
    static const char what[] =
        "this is the template from which a container engine makes the profile of each container, "
        "and no profile itself; take linux.seccomp of a config.json that the engine has written";
    if (has_members(profile, "archMap")) {
        g_autofree char *where = oci_path_child(path, "archMap");
        oci_problems_add_key(problems, where, "%s", what);
        return;
    }
    const json_t *rules = json_object_get(profile, "syscalls");
    for (gsize i = 0; i < json_array_size(rules); i++) {
        const json_t *rule = json_array_get(rules, i);
        const char *member = has_members(rule, "includes")   ? "includes"
                             : has_members(rule, "excludes") ? "excludes"
                                                             : NULL;
        if (member != NULL) {
            g_autofree char *syscalls = oci_path_child(path, "syscalls");
            g_autofree char *where = oci_path_element(syscalls, i, member);
            oci_problems_add_key(problems, where, "%s", what);
            return;
        }
    }
}
