// SPDX-License-Identifier: LGPL-2.1-or-later
#include "oci/settings.h"
#include "oci/document.h"
#include "oci/words.h"
#include "src/util/quantity.h"

#include <string.h>

enum kind {
    WORD,     /* one of words; the member is an enum, whose values count the words */
    STRING,   /* char *, not empty */
    COUNT,    /* guint64, from 1 */
    SIZE,     /* guint64, bytes, from 1 */
    DURATION, /* guint64, ms */
};

#define AT(member) G_STRUCT_OFFSET(struct oci_settings, member)
#define WORDS(...)                                                                                 \
    (const char *const[])                                                                          \
    {                                                                                              \
        __VA_ARGS__, NULL                                                                          \
    }

static const struct setting {
    const char *name;
    enum kind kind;
    gsize offset;
    const char *const *words;
} table[] = {
    [OCI_SETTING_ACCEL] = {"accel", WORD, AT(accel), WORDS("auto", "kvm", "tcg")},
    [OCI_SETTING_CONSOLE] = {"console", WORD, AT(console), WORDS("auto", "plain", "off")},
    [OCI_SETTING_CPU_MODEL] = {"cpu-model", STRING, AT(cpu_model), NULL},
    [OCI_SETTING_CPUS] = {"cpus", COUNT, AT(cpus), NULL},
    [OCI_SETTING_MACHINE] = {"machine", STRING, AT(machine), NULL},
    [OCI_SETTING_MEMORY] = {"memory", SIZE, AT(memory), NULL},
    [OCI_SETTING_ON_REBOOT] = {"on-reboot", WORD, AT(on_reboot), WORDS("restart", "exit")},
    [OCI_SETTING_STOP_METHOD] = {"stop-method", WORD, AT(stop_method),
                                 WORDS("auto", "acpi", "agent")},
    [OCI_SETTING_STOP_TIMEOUT] = {"stop-timeout", DURATION, AT(stop_timeout_ms), NULL},
};
G_STATIC_ASSERT(G_N_ELEMENTS(table) == OCI_SETTING_COUNT);

/* Inside the 10 s after which podman and docker kill a container. */
#define DEFAULT_STOP_TIMEOUT_MS 8000

/* Names with the prefix that are no settings but twins of command line options. */
static const char *const option_twins[] = {"OCIVIRT_CONFIG", "OCIVIRT_ROOT", "OCIVIRT_ID",
                                           "OCIVIRT_LOG_FORMAT", NULL};

static const struct setting *find(const char *name)
{
    for (gsize i = 0; i < G_N_ELEMENTS(table); i++) {
        if (g_str_equal(table[i].name, name)) {
            return &table[i];
        }
    }
    return NULL;
}

static char *variable_name(const struct setting *setting)
{
    g_autofree char *upper = g_ascii_strup(setting->name, -1);
    return g_strconcat(OCI_SETTING_ENV_PREFIX, g_strdelimit(upper, "-.", '_'), NULL);
}

static char *parse_word(const struct setting *setting, const char *text, int *member)
{
    for (int i = 0; setting->words[i] != NULL; i++) {
        if (g_str_equal(setting->words[i], text)) {
            *member = i;
            return NULL;
        }
    }
    g_autofree char *hint = oci_words_hint(setting->words, text);
    return g_strdup_printf("\"%s\" is not one of %s", text, hint);
}

/* Sets the member from @text; returns NULL, or a new message on what would be right. */
static char *parse(const struct setting *setting, const char *text, struct oci_settings *settings)
{
    void *member = (char *)settings + setting->offset;
    switch (setting->kind) {
    case WORD:
        return parse_word(setting, text, member);
    case STRING:
        if (*text == '\0') {
            return g_strdup("must not be empty; leave it out to get the default");
        }
        g_free(*(char **)member);
        *(char **)member = g_strdup(text);
        return NULL;
    case COUNT:
        if (quantity_parse_count(text, 1, OCI_MAX_CPUS, member)) {
            return NULL;
        }
        return g_strdup_printf("\"%s\" is not a whole number from 1 to %d", text, OCI_MAX_CPUS);
    case SIZE:
        if (quantity_parse_size(text, member) && *(guint64 *)member > 0) {
            return NULL;
        }
        return g_strdup_printf("\"%s\" is not a size such as 536870912, 512M or 1GiB", text);
    case DURATION:
        if (quantity_parse_duration(text, member)) {
            return *(guint64 *)member <= G_MAXINT32
                       ? NULL
                       : g_strdup_printf("\"%s\" is too long; 24 days (576h) are possible", text);
        }
        return g_strdup_printf("\"%s\" is not a duration such as 500ms, 8s or 2m", text);
    }
    g_assert_not_reached();
}

/* Returns NULL, or a new message. On success @settings remembers @source. */
static char *set(struct oci_settings *settings, const struct setting *setting, const char *text,
                 const char *source)
{
    char *message = parse(setting, text, settings);
    if (message == NULL) {
        char **remembered = &settings->source[setting - table];
        g_free(*remembered);
        *remembered = g_strdup(source);
    }
    return message;
}

static char *unknown_name(const char *name)
{
    const char *names[G_N_ELEMENTS(table) + 1] = {NULL};
    for (gsize i = 0; i < G_N_ELEMENTS(table); i++) {
        names[i] = table[i].name;
    }
    const char *nearest = oci_words_nearest(names, name);
    if (nearest != NULL) {
        return g_strdup_printf("there is no such setting; did you mean " OCI_SETTING_PREFIX "%s?",
                               nearest);
    }
    g_autofree char *all = g_strjoinv(", ", (char **)names);
    return g_strdup_printf("there is no such setting; after " OCI_SETTING_PREFIX " there can be %s",
                           all);
}

static void read_annotations(struct oci_settings *settings, const struct oci_config *config,
                             struct oci_problems *problems)
{
    for (guint i = 0; i < config->annotations->len; i++) {
        const struct oci_annotation *annotation = g_ptr_array_index(config->annotations, i);
        if (!oci_settings_owns(annotation->key)) {
            continue;
        }
        const char *name = annotation->key + strlen(OCI_SETTING_PREFIX);
        g_autofree char *path = oci_path_child("annotations", annotation->key);
        const struct setting *setting = find(name);
        if (setting == NULL) {
            g_autofree char *message = unknown_name(name);
            oci_problems_add_key(problems, path, "%s", message);
            continue;
        }
        g_autofree char *message = set(settings, setting, annotation->value, path);
        if (message != NULL) {
            oci_problems_add(problems, path, "%s", message);
        }
    }
}

static void read_environment(struct oci_settings *settings, char **environment,
                             struct oci_problems *problems)
{
    for (gsize i = 0; i < G_N_ELEMENTS(table); i++) {
        g_autofree char *variable = variable_name(&table[i]);
        const char *value = g_environ_getenv(environment, variable);
        if (value == NULL || *value == '\0') { /* -e OCIVIRT_X= takes an override back */
            continue;
        }
        g_autofree char *source = g_strdup_printf("environment %s", variable);
        g_autofree char *message = set(settings, &table[i], value, source);
        if (message != NULL) {
            oci_problems_add_outside(problems, source, "%s", message);
        }
    }
}

static void warn_of_unknown_variables(char **environment, GPtrArray *warnings)
{
    g_autoptr(GPtrArray) known = g_ptr_array_new_with_free_func(g_free);
    for (gsize i = 0; i < G_N_ELEMENTS(table); i++) {
        g_ptr_array_add(known, variable_name(&table[i]));
    }
    for (const char *const *twin = option_twins; *twin != NULL; twin++) {
        g_ptr_array_add(known, g_strdup(*twin));
    }
    g_ptr_array_add(known, NULL);
    const char *const *names = (const char *const *)known->pdata;
    /* Without the prefix, which they all share: it would make any two of them look near. */
    g_autofree const char **suffixes = g_new0(const char *, known->len);
    for (guint i = 0; names[i] != NULL; i++) {
        suffixes[i] = names[i] + strlen(OCI_SETTING_ENV_PREFIX);
    }

    for (char **entry = environment; *entry != NULL; entry++) {
        g_autofree char *name = g_strndup(*entry, strcspn(*entry, "="));
        if (!g_str_has_prefix(name, OCI_SETTING_ENV_PREFIX) || g_strv_contains(names, name)) {
            continue;
        }
        const char *nearest = oci_words_nearest(suffixes, name + strlen(OCI_SETTING_ENV_PREFIX));
        g_ptr_array_add(warnings,
                        nearest != NULL
                            ? g_strdup_printf("environment %s is no setting and is ignored; did "
                                              "you mean " OCI_SETTING_ENV_PREFIX "%s?",
                                              name, nearest)
                            : g_strdup_printf("environment %s is no setting and is ignored", name));
    }
}

void oci_settings_init(struct oci_settings *settings, const struct oci_config *config,
                       char **environment, struct oci_problems *problems, GPtrArray *warnings)
{
    *settings = (struct oci_settings){.stop_timeout_ms = DEFAULT_STOP_TIMEOUT_MS};
    read_annotations(settings, config, problems);
    read_environment(settings, environment, problems);
    warn_of_unknown_variables(environment, warnings);
}

void oci_settings_finish(struct oci_settings *settings)
{
    g_clear_pointer(&settings->cpu_model, g_free);
    g_clear_pointer(&settings->machine, g_free);
    for (gsize i = 0; i < OCI_SETTING_COUNT; i++) {
        g_clear_pointer(&settings->source[i], g_free);
    }
}

void oci_settings_problem(const struct oci_settings *settings, enum oci_setting_id id,
                          struct oci_problems *problems, const char *message)
{
    const char *source = settings->source[id];
    if (source == NULL) {
        oci_problems_add_outside(problems, "", "%s", message);
    } else if (g_str_has_prefix(source, "environment ")) {
        oci_problems_add_outside(problems, source, "%s", message);
    } else {
        oci_problems_add(problems, source, "%s", message);
    }
}

bool oci_settings_owns(const char *annotation)
{
    return g_str_has_prefix(annotation, OCI_SETTING_PREFIX);
}
