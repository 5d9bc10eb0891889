// SPDX-License-Identifier: LGPL-2.1-or-later
#include "src/api/metrics.h"

#include <math.h>
#include <string.h>

struct sample {
    char *family;
    char *labels; /* with their braces; "": none */
    char *value;
    char *help;
    bool counter;
};

static void sample_free(gpointer data)
{
    struct sample *sample = data;
    g_free(sample->family);
    g_free(sample->labels);
    g_free(sample->value);
    g_free(sample->help);
    g_free(sample);
}

/* --- libvirt's --- */

/* By libvirt's names, in which # is a number; the first that matches counts. What is not here is a
 * gauge without a unit. */
static const struct rule {
    const char *pattern;
    const char *unit; /* "": none, or the name has it */
    bool counter;
} rules[] = {
    {"cpu.time", "nanoseconds", true},
    {"cpu.user", "nanoseconds", true},
    {"cpu.system", "nanoseconds", true},
    {"cpu.haltpoll.*.time", "nanoseconds", true},
    {"vcpu.#.time", "nanoseconds", true},
    {"vcpu.#.wait", "nanoseconds", true},
    {"vcpu.#.delay", "nanoseconds", true},
    {"vcpu.#.*.sum", "", true},
    {"vm.*.sum", "", true},
    {"balloon.major_fault", "", true},
    {"balloon.minor_fault", "", true},
    {"balloon.hugetlb_*", "", true},
    {"balloon.last-update", "timestamp_seconds", false},
    {"balloon.swap_*", "kibibytes", true},
    {"balloon.*", "kibibytes", false},
    {"net.#.rx.*", "", true},
    {"net.#.tx.*", "", true},
    {"block.#.*.times", "nanoseconds", true},
    {"block.#.rd.*", "", true},
    {"block.#.wr.*", "", true},
    {"block.#.fl.*", "", true},
    {"block.#.errors", "", true},
    {"block.#.allocation", "bytes", false},
    {"block.#.capacity", "bytes", false},
    {"block.#.physical", "bytes", false},
    {"block.#.threshold", "bytes", false},
    {"memory.bandwidth.*.bytes.*", "", true},
    {"perf.*", "", true},
};

static const struct rule *find_rule(const char *shape)
{
    static const struct rule none = {"", "", false};
    for (gsize i = 0; i < G_N_ELEMENTS(rules); i++) {
        if (g_pattern_match_simple(rules[i].pattern, shape)) {
            return &rules[i];
        }
    }
    return &none;
}

static void append_word(GString *name, const char *word)
{
    for (const char *c = word; *c != '\0'; c++) {
        g_string_append_c(name, g_ascii_isalnum(*c) ? *c : '_');
    }
}

static void append_label(GString *labels, const char *name, const char *suffix, const char *value)
{
    g_string_append_c(labels, labels->len == 0 ? '{' : ',');
    append_word(labels, name);
    g_string_append_printf(labels, "%s=\"", suffix);
    for (const char *c = value; *c != '\0'; c++) {
        if (*c == '\n') {
            g_string_append(labels, "\\n");
        } else {
            g_string_append_printf(labels, "%s%c", *c == '"' || *c == '\\' ? "\\" : "", *c);
        }
    }
    g_string_append_c(labels, '"');
}

static bool is_number(const char *word)
{
    return *word != '\0' && strspn(word, "0123456789") == strlen(word);
}

/* What libvirt names the thing whose number is the word @i. */
static void append_name_of(GString *labels, char **words, int i, GVariant *statistics)
{
    const char *value;
    g_autofree char *next = g_steal_pointer(&words[i + 1]);
    g_autofree char *prefix = g_strjoinv(".", words);
    g_autofree char *key = g_strconcat(prefix, ".name", NULL);
    if (g_variant_lookup(statistics, key, "&s", &value)) {
        append_label(labels, words[i - 1], "_name", value);
    }
    words[i + 1] = g_steal_pointer(&next);
}

/* Takes @name apart: family without unit, labels, and the shape that the rules are for. */
static void take_apart(const char *name, GVariant *statistics, GString *family, GString *labels,
                       GString *shape)
{
    g_auto(GStrv) words = g_strsplit(name, ".", -1);
    for (int i = 0; words[i] != NULL; i++) {
        bool number = i > 0 && is_number(words[i]);
        g_string_append_printf(shape, "%s%s", i > 0 ? "." : "", number ? "#" : words[i]);
        if (number) {
            append_label(labels, words[i - 1], "", words[i]);
            append_name_of(labels, words, i, statistics);
        } else {
            g_string_append_c(family, '_');
            append_word(family, words[i]);
        }
    }
    if (labels->len > 0) {
        g_string_append_c(labels, '}');
    }
}

static void append_once(GString *family, const char *suffix)
{
    g_autofree char *whole = g_strconcat("_", suffix, NULL);
    if (*suffix != '\0' && !g_str_has_suffix(family->str, whole)) {
        g_string_append(family, whole);
    }
}

static char *format_double(double value)
{
    char buffer[G_ASCII_DTOSTR_BUF_SIZE];
    if (isnan(value)) {
        return g_strdup("NaN");
    }
    return g_strdup(isinf(value) ? (value > 0 ? "+Inf" : "-Inf")
                                 : g_ascii_dtostr(buffer, sizeof(buffer), value));
}

/* NULL: it is no number. */
static char *format_value(GVariant *value)
{
    switch (g_variant_classify(value)) {
    case G_VARIANT_CLASS_INT32:
        return g_strdup_printf("%d", g_variant_get_int32(value));
    case G_VARIANT_CLASS_UINT32:
        return g_strdup_printf("%u", g_variant_get_uint32(value));
    case G_VARIANT_CLASS_INT64:
        return g_strdup_printf("%" G_GINT64_FORMAT, g_variant_get_int64(value));
    case G_VARIANT_CLASS_UINT64:
        return g_strdup_printf("%" G_GUINT64_FORMAT, g_variant_get_uint64(value));
    case G_VARIANT_CLASS_DOUBLE:
        return format_double(g_variant_get_double(value));
    case G_VARIANT_CLASS_BOOLEAN:
        return g_strdup(g_variant_get_boolean(value) ? "1" : "0");
    default:
        return NULL;
    }
}

static void add_statistic(GPtrArray *samples, const char *name, GVariant *value,
                          GVariant *statistics)
{
    g_autofree char *text = format_value(value);
    if (text == NULL) {
        return;
    }
    g_autoptr(GString) family = g_string_new("ocivirt_domain");
    g_autoptr(GString) labels = g_string_new(NULL);
    g_autoptr(GString) shape = g_string_new(NULL);
    take_apart(name, statistics, family, labels, shape);
    const struct rule *rule = find_rule(shape->str);
    append_once(family, rule->unit);
    append_once(family, rule->counter ? "total" : "");
    struct sample *sample = g_new0(struct sample, 1);
    *sample = (struct sample){
        .family = g_strdup(family->str),
        .labels = g_strdup(labels->str),
        .value = g_steal_pointer(&text),
        .help = g_strdup_printf("libvirt's domain statistic %s.", shape->str),
        .counter = rule->counter,
    };
    g_ptr_array_add(samples, sample);
}

static void add_statistics(GPtrArray *samples, GVariant *statistics)
{
    GVariantIter iterator;
    const char *name;
    GVariant *value;
    g_variant_iter_init(&iterator, statistics);
    while (g_variant_iter_loop(&iterator, "{&sv}", &name, &value)) {
        add_statistic(samples, name, value, statistics);
    }
}

/* --- ocivirt's own --- */

/* Takes @value. */
static struct sample *add(GPtrArray *samples, const char *family, const char *help, char *value)
{
    struct sample *sample = g_new0(struct sample, 1);
    *sample = (struct sample){
        .family = g_strdup(family),
        .labels = g_strdup(""),
        .value = value,
        .help = g_strdup(help),
    };
    g_ptr_array_add(samples, sample);
    return sample;
}

static void add_flag(GPtrArray *samples, const char *family, const char *help, bool value)
{
    add(samples, family, help, g_strdup(value ? "1" : "0"));
}

static void label(struct sample *sample, const char *name, const char *value)
{
    GString *labels = g_string_new(NULL);
    append_label(labels, name, "", value);
    g_string_append_c(labels, '}');
    g_free(sample->labels);
    sample->labels = g_string_free(labels, FALSE);
}

static void add_lifecycle(GPtrArray *samples, enum lifecycle_state now)
{
    for (enum lifecycle_state state = 0; state < LIFECYCLE_STATES; state++) {
        struct sample *sample =
            add(samples, "ocivirt_lifecycle", "1 for the state that the VM is in, 0 for others.",
                g_strdup(state == now ? "1" : "0"));
        label(sample, "state", lifecycle_state_name(state));
    }
}

static void add_own(GPtrArray *samples, const struct engine_view *view,
                    const struct engine_health *health, bool told)
{
    struct sample *info =
        add(samples, "ocivirt_build_info", "The version of ocivirt.", g_strdup("1"));
    label(info, "version", OCIVIRT_VERSION);
    struct sample *lost = add(samples, "ocivirt_engine_losses_total",
                              "Engine processes that died, and were followed by another one.",
                              g_strdup_printf("%u", view->engines_lost));
    lost->counter = true;
    add(samples, "ocivirt_uptime_seconds", "Since ocivirt was started.",
        format_double((double)view->ms_since_start / 1000));
    add_flag(samples, "ocivirt_live", "Whether the VM is alive.", health->live);
    add_flag(samples, "ocivirt_ready", "Whether the guest is ready, by the setting ready.",
             health->ready);
    add_flag(samples, "ocivirt_started", "Whether the guest has been ready once.", health->started);
    add_flag(samples, "ocivirt_agent_connected", "Whether a guest agent is connected.",
             view->agent_connected);
    add_flag(samples, "ocivirt_domain_statistics_told",
             "Whether libvirt has told its statistics this time.", told);
    add_lifecycle(samples, view->state);
}

/* --- the text --- */

static int compare(gconstpointer a, gconstpointer b)
{
    const struct sample *one = *(struct sample *const *)a, *other = *(struct sample *const *)b;
    int order = strcmp(one->family, other->family);
    return order != 0 ? order : strcmp(one->labels, other->labels);
}

static void append_head(GString *text, const struct sample *sample)
{
    g_string_append_printf(text, "# HELP %s ", sample->family);
    for (const char *c = sample->help; *c != '\0'; c++) {
        g_string_append_printf(text, "%s%c", *c == '\\' ? "\\" : "", *c == '\n' ? ' ' : *c);
    }
    g_string_append_printf(text, "\n# TYPE %s %s\n", sample->family,
                           sample->counter ? "counter" : "gauge");
}

char *metrics_format(const struct engine_view *view, const struct engine_health *health,
                     GVariant *statistics)
{
    g_autoptr(GPtrArray) samples = g_ptr_array_new_with_free_func(sample_free);
    GString *text = g_string_new(NULL);
    const struct sample *before = NULL;
    add_own(samples, view, health, statistics != NULL);
    if (statistics != NULL) {
        add_statistics(samples, statistics);
    }
    g_ptr_array_sort(samples, compare);
    for (guint i = 0; i < samples->len; i++) {
        const struct sample *sample = g_ptr_array_index(samples, i);
        bool another = before == NULL || !g_str_equal(before->family, sample->family);
        if (another) {
            append_head(text, sample);
        } else if (g_str_equal(before->labels, sample->labels)) {
            continue; /* two of libvirt's names that the rule makes one of */
        }
        g_string_append_printf(text, "%s%s %s\n", sample->family, sample->labels, sample->value);
        before = sample;
    }
    return g_string_free(text, FALSE);
}
