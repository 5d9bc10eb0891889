// SPDX-License-Identifier: LGPL-2.1-or-later
#include "oci/settings.h"
#include "oci/document.h"
#include "oci/words.h"
#include "src/util/endpoint.h"
#include "src/util/pattern.h"
#include "src/util/ports.h"
#include "src/util/quantity.h"

#include <string.h>

/* Bytes: what a file, or a memory, can have at most; in whole sectors, and so without overflow when
 * it is rounded up. */
#define MAX_SIZE ((guint64)G_MAXINT64 / 4096 * 4096)

enum kind {
    WORD,     /* one of words; the member is an enum, whose values count the words */
    NAME,     /* char *: one of QEMU's names */
    COUNT,    /* guint64, from 1 */
    SIZE,     /* guint64, bytes, from 1 */
    DURATION, /* guint64, ms */
    PAGES,    /* guint64, bytes of one huge page; "off": 0 */
    PROFILE,  /* char *: a word of words, or a file's path */
    ENDPOINT, /* char *: ADDR:PORT; "off": NULL */
    READY,    /* struct oci_readiness */
    PORTS,    /* enum oci_publish, with its list */
    TEXT,     /* struct oci_text */
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
    [OCI_SETTING_META_DATA] = {"cloud-init.meta-data", TEXT, AT(meta_data), NULL},
    [OCI_SETTING_NETWORK_CONFIG] = {"cloud-init.network-config", TEXT, AT(network_config), NULL},
    [OCI_SETTING_USER_DATA] = {"cloud-init.user-data", TEXT, AT(user_data), NULL},
    [OCI_SETTING_CONSOLE] = {"console", WORD, AT(console), WORDS("auto", "plain", "off")},
    [OCI_SETTING_CPU_MODEL] = {"cpu-model", NAME, AT(cpu_model), NULL},
    [OCI_SETTING_CPUS] = {"cpus", COUNT, AT(cpus), NULL},
    [OCI_SETTING_DISK] = {"disk", WORD, AT(disk), WORDS("auto", "overlay", "direct")},
    [OCI_SETTING_DISK_SIZE] = {"disk-size", SIZE, AT(disk_size), NULL},
    [OCI_SETTING_FIRMWARE] = {"firmware", WORD, AT(firmware), WORDS("auto", "bios", "uefi")},
    [OCI_SETTING_HTTP] = {"http", ENDPOINT, AT(http), NULL},
    [OCI_SETTING_HUGEPAGES] = {"hugepages", PAGES, AT(hugepages), NULL},
    [OCI_SETTING_IGNITION] = {"ignition", TEXT, AT(ignition), NULL},
    [OCI_SETTING_MACHINE] = {"machine", NAME, AT(machine), NULL},
    [OCI_SETTING_MEMORY] = {"memory", SIZE, AT(memory), NULL},
    [OCI_SETTING_NETWORK] = {"network", WORD, AT(network), WORDS("auto", "passt", "none")},
    [OCI_SETTING_ON_REBOOT] = {"on-reboot", WORD, AT(on_reboot), WORDS("restart", "exit")},
    [OCI_SETTING_PASSWORD_HASH] = {"password-hash", TEXT, AT(password_hash), NULL},
    [OCI_SETTING_PUBLISH] = {"publish", PORTS, AT(publish), WORDS("auto", "all", "none")},
    [OCI_SETTING_READY] = {"ready", READY, AT(ready), WORDS("running", "agent")},
    [OCI_SETTING_SECCOMP] = {"seccomp", PROFILE, AT(seccomp), WORDS("default", "config", "off")},
    [OCI_SETTING_SSH_KEYS] = {"ssh-authorized-keys", TEXT, AT(ssh_keys), NULL},
    [OCI_SETTING_STOP_METHOD] = {"stop-method", WORD, AT(stop_method),
                                 WORDS("auto", "acpi", "agent")},
    [OCI_SETTING_STOP_TIMEOUT] = {"stop-timeout", DURATION, AT(stop_timeout_ms), NULL},
    [OCI_SETTING_TPM] = {"tpm", WORD, AT(tpm), WORDS("off", "2.0")},
};
G_STATIC_ASSERT(G_N_ELEMENTS(table) == OCI_SETTING_COUNT);

/* Settings whose name goes on after this: PREFIXNAME. They have no twins in the environment, whose
 * names could not tell "a.b" from "a-b". */
static const struct family {
    const char *prefix;
    gsize offset;           /* of a GPtrArray of struct oci_named_text */
    const char *characters; /* beside letters and digits, that NAME is made of */
} families[] = {
    {"credential.", AT(credentials), "._-@"},
    {"fw-cfg.", AT(fw_cfg), "._-/"},
};

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

static const struct family *find_family(const char *name)
{
    for (gsize i = 0; i < G_N_ELEMENTS(families); i++) {
        if (g_str_has_prefix(name, families[i].prefix)) {
            return &families[i];
        }
    }
    return NULL;
}

static char *variable_name(const struct setting *setting)
{
    g_autofree char *upper = g_ascii_strup(setting->name, -1);
    return g_strconcat(OCI_SETTING_ENV_PREFIX, g_strdelimit(upper, "-.", '_'), NULL);
}

/* These set the member from @text; they return NULL, or a new message on what would be right, in
 * which @shown stands for it. */
static char *parse_word(const struct setting *setting, const char *text, const char *shown,
                        int *member)
{
    for (int i = 0; setting->words[i] != NULL; i++) {
        if (g_str_equal(setting->words[i], text)) {
            *member = i;
            return NULL;
        }
    }
    g_autofree char *hint = oci_words_hint(setting->words, text);
    return g_strdup_printf("\"%s\" is not one of %s", shown, hint);
}

/* libvirt's schema for a machine type, and all that QEMU's CPU models need. */
static char *parse_name(const char *text, const char *shown, char **member)
{
    if (*text == '\0') {
        return g_strdup("must not be empty; leave it out to get the default");
    }
    for (const char *c = text; *c != '\0'; c++) {
        if (!g_ascii_isalnum(*c) && strchr("._-", *c) == NULL) {
            return g_strdup_printf(
                "\"%s\" is not a name of QEMU's: letters, digits, '.', '_' and '-'", shown);
        }
    }
    g_free(*member);
    *member = g_strdup(text);
    return NULL;
}

static char *parse_pages(const char *text, const char *shown, guint64 *member)
{
    guint64 bytes = 0;
    /* Every size that Linux has, on any architecture, is a power of two from 64 KiB to 16 GiB. */
    bool ok = g_str_equal(text, "off") ||
              (quantity_parse_size(text, &bytes) && bytes >= (guint64)64 << 10 &&
               bytes <= (guint64)16 << 30 && (bytes & (bytes - 1)) == 0);
    if (!ok) {
        return g_strdup_printf("\"%s\" is not a size of huge pages such as 2M or 1G, or off",
                               shown);
    }
    *member = bytes;
    return NULL;
}

static char *parse_profile(const struct setting *setting, const char *text, const char *shown,
                           char **member)
{
    if (!g_strv_contains(setting->words, text) && strchr(text, '/') == NULL) {
        g_autofree char *hint = oci_words_hint(setting->words, text);
        return g_strdup_printf("\"%s\" is not one of %s, nor a file: that has a / in it, as in "
                               "./seccomp.json",
                               shown, hint);
    }
    g_free(*member);
    *member = g_strdup(text);
    return NULL;
}

static char *parse_endpoint(const char *text, const char *shown, char **member)
{
    struct endpoint endpoint;
    bool off = g_str_equal(text, "off");
    if (!off && !endpoint_parse(text, &endpoint)) {
        return g_strdup_printf("\"%s\" is not an address and a port such as 127.0.0.1:9100, "
                               "[::1]:9100 or, for all addresses, :9100; or off",
                               shown);
    }
    g_free(*member);
    *member = off ? NULL : g_strdup(text);
    return NULL;
}

#define CONSOLE_PREFIX "console:"
#define PORT_PREFIX "port:"

static char *parse_pattern(const char *text, const char *shown, struct oci_readiness *member)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GRegex) regex = pattern_compile(text + strlen(CONSOLE_PREFIX), &error);
    if (regex == NULL) {
        return g_strdup_printf("\"%s\" is not " CONSOLE_PREFIX
                               "PATTERN with a regular expression for a line of the console: %s",
                               shown, error->message);
    }
    g_free(member->pattern);
    *member = (struct oci_readiness){.kind = OCI_READY_CONSOLE,
                                     .pattern = g_strdup(text + strlen(CONSOLE_PREFIX))};
    return NULL;
}

static char *parse_port(const char *text, const char *shown, struct oci_readiness *member)
{
    guint64 port = 0;
    if (!quantity_parse_count(text + strlen(PORT_PREFIX), 1, G_MAXUINT16, &port)) {
        return g_strdup_printf("\"%s\" is not " PORT_PREFIX
                               "N with the number of a TCP port in the guest, 1 to 65535",
                               shown);
    }
    g_free(member->pattern);
    *member = (struct oci_readiness){.kind = OCI_READY_PORT, .port = port};
    return NULL;
}

static char *parse_ready(const struct setting *setting, const char *text, const char *shown,
                         struct oci_readiness *member)
{
    if (g_str_has_prefix(text, CONSOLE_PREFIX)) {
        return parse_pattern(text, shown, member);
    }
    if (g_str_has_prefix(text, PORT_PREFIX)) {
        return parse_port(text, shown, member);
    }
    for (int i = 0; setting->words[i] != NULL; i++) {
        if (g_str_equal(setting->words[i], text)) {
            g_free(member->pattern);
            *member = (struct oci_readiness){.kind = i};
            return NULL;
        }
    }
    g_autofree char *hint = oci_words_hint(setting->words, text);
    return g_strdup_printf("\"%s\" is not one of %s, nor " PORT_PREFIX "N, a TCP port in the "
                           "guest, nor " CONSOLE_PREFIX
                           "PATTERN, a regular expression for a line of the console",
                           shown, hint);
}

static char *parse_ports(const struct setting *setting, const char *text, const char *shown,
                         struct oci_settings *settings)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GArray) list = NULL;
    int word = 0;
    while (setting->words[word] != NULL && !g_str_equal(setting->words[word], text)) {
        word++;
    }
    if (setting->words[word] == NULL) { /* which leaves OCI_PUBLISH_LIST */
        list = ports_parse(text, &error);
        if (list == NULL) {
            g_autofree char *hint = oci_words_hint(setting->words, text);
            return g_strdup_printf("\"%s\" is not one of %s, nor a list of ports: %s", shown, hint,
                                   error->message);
        }
    }
    g_clear_pointer(&settings->published, g_array_unref);
    settings->published = g_steal_pointer(&list);
    settings->publish = word;
    return NULL;
}

static char *parse(const struct setting *setting, const char *text, struct oci_settings *settings)
{
    g_autofree char *shown = oci_problems_shorten(text);
    void *member = (char *)settings + setting->offset;
    switch (setting->kind) {
    case WORD:
        return parse_word(setting, text, shown, member);
    case NAME:
        return parse_name(text, shown, member);
    case COUNT:
        if (quantity_parse_count(text, 1, OCI_MAX_CPUS, member)) {
            return NULL;
        }
        return g_strdup_printf("\"%s\" is not a whole number from 1 to %d", shown, OCI_MAX_CPUS);
    case SIZE:
        if (quantity_parse_size(text, member) && *(guint64 *)member > 0) {
            return *(guint64 *)member <= MAX_SIZE
                       ? NULL
                       : g_strdup_printf("\"%s\" is too much; less than 8 EiB is possible", shown);
        }
        return g_strdup_printf("\"%s\" is not a size such as 536870912, 512M or 1GiB", shown);
    case DURATION:
        if (quantity_parse_duration(text, member)) {
            return *(guint64 *)member <= G_MAXINT32
                       ? NULL
                       : g_strdup_printf("\"%s\" is too long; 24 days (576h) are possible", shown);
        }
        return g_strdup_printf("\"%s\" is not a duration such as 500ms, 8s or 2m", shown);
    case PAGES:
        return parse_pages(text, shown, member);
    case PROFILE:
        return parse_profile(setting, text, shown, member);
    case ENDPOINT:
        return parse_endpoint(text, shown, member);
    case READY:
        return parse_ready(setting, text, shown, member);
    case PORTS:
        return parse_ports(setting, text, shown, settings);
    case TEXT:
        if (*text == '\0') {
            return g_strdup("must not be empty; leave it out to say nothing");
        }
        oci_text_set(member, text);
        return NULL;
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

/* Returns NULL, or a new message. */
static char *add_to_family(struct oci_settings *settings, const struct family *family,
                           const char *name, const char *text, const char *source)
{
    const char *rest = name + strlen(family->prefix);
    if (*rest == '\0') {
        return g_strdup_printf("a name must follow " OCI_SETTING_PREFIX "%s", family->prefix);
    }
    for (const char *c = rest; *c != '\0'; c++) {
        if (!g_ascii_isalnum(*c) && strchr(family->characters, *c) == NULL) {
            g_autofree char *shown = oci_problems_shorten(rest);
            return g_strdup_printf("\"%s\" is no name: it has letters, digits and any of %s", shown,
                                   family->characters);
        }
    }
    GPtrArray *texts = G_STRUCT_MEMBER(GPtrArray *, settings, family->offset);
    oci_named_texts_add(texts, rest, text, source);
    return NULL;
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
    g_autoptr(GString) all = g_string_new(NULL);
    for (gsize i = 0; i < G_N_ELEMENTS(table); i++) {
        g_string_append_printf(all, "%s, ", names[i]);
    }
    for (gsize i = 0; i < G_N_ELEMENTS(families); i++) {
        g_string_append_printf(all, "%s%sNAME", i > 0 ? ", " : "", families[i].prefix);
    }
    return g_strdup_printf("there is no such setting; after " OCI_SETTING_PREFIX " there can be %s",
                           all->str);
}

static void read_annotations(struct oci_settings *settings, const struct oci_config *config,
                             struct oci_problems *problems)
{
    for (gsize i = 0; i < config->annotations.length; i++) {
        const struct oci_pair *annotation = &config->annotations.items[i];
        if (!oci_settings_owns(annotation->key) || annotation->value == NULL) {
            continue;
        }
        const char *name = annotation->key + strlen(OCI_SETTING_PREFIX);
        g_autofree char *path = oci_path_child("annotations", annotation->key);
        const struct setting *setting = find(name);
        const struct family *family = find_family(name);
        if (family != NULL) {
            g_autofree char *message =
                add_to_family(settings, family, name, annotation->value, path);
            if (message != NULL) {
                oci_problems_add_key(problems, path, "%s", message);
            }
            continue;
        }
        if (setting == NULL && oci_problems_count(problems)) {
            continue;
        }
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
    *settings = (struct oci_settings){
        .stop_timeout_ms = DEFAULT_STOP_TIMEOUT_MS,
        .credentials = oci_named_texts_new(),
        .fw_cfg = oci_named_texts_new(),
    };
    read_annotations(settings, config, problems);
    read_environment(settings, environment, problems);
    warn_of_unknown_variables(environment, warnings);
}

void oci_settings_finish(struct oci_settings *settings)
{
    g_clear_pointer(&settings->cpu_model, g_free);
    g_clear_pointer(&settings->machine, g_free);
    g_clear_pointer(&settings->seccomp, g_free);
    g_clear_pointer(&settings->http, g_free);
    g_clear_pointer(&settings->ready.pattern, g_free);
    g_clear_pointer(&settings->published, g_array_unref);
    g_clear_pointer(&settings->credentials, g_ptr_array_unref);
    g_clear_pointer(&settings->fw_cfg, g_ptr_array_unref);
    for (gsize i = 0; i < G_N_ELEMENTS(table); i++) {
        if (table[i].kind == TEXT) {
            oci_text_clear(G_STRUCT_MEMBER_P(settings, table[i].offset));
        }
    }
    for (gsize i = 0; i < OCI_SETTING_COUNT; i++) {
        g_clear_pointer(&settings->source[i], g_free);
    }
}

static void read_family(GPtrArray *texts, const char *bundle, struct oci_problems *problems)
{
    for (guint i = 0; texts != NULL && i < texts->len; i++) {
        struct oci_named_text *named = g_ptr_array_index(texts, i);
        g_autoptr(GError) error = NULL;
        if (!oci_text_read(&named->text, bundle, &error)) {
            oci_problems_add(problems, named->source, "%s", error->message);
        }
    }
}

/* Of the setting seccomp; NULL: that is unset, or a word. */
static const char *profile_file(const struct oci_settings *settings)
{
    const char *text = settings->seccomp;
    return text != NULL && strchr(text, '/') != NULL ? text : NULL;
}

void oci_settings_read_files(struct oci_settings *settings, const char *bundle,
                             struct oci_problems *problems)
{
    if (profile_file(settings) != NULL) {
        char *absolute = g_canonicalize_filename(settings->seccomp, bundle);
        g_free(settings->seccomp);
        settings->seccomp = absolute;
    }
    for (gsize i = 0; i < G_N_ELEMENTS(table); i++) {
        g_autoptr(GError) error = NULL;
        if (table[i].kind == TEXT &&
            !oci_text_read(G_STRUCT_MEMBER_P(settings, table[i].offset), bundle, &error)) {
            oci_settings_problem(settings, i, problems, error->message);
        }
    }
    read_family(settings->credentials, bundle, problems);
    read_family(settings->fw_cfg, bundle, problems);
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

const char *oci_settings_name(enum oci_setting_id id)
{
    return table[id].name;
}

bool oci_settings_owns(const char *annotation)
{
    return g_str_has_prefix(annotation, OCI_SETTING_PREFIX);
}

void oci_settings_each_file(const struct oci_settings *settings,
                            void (*each)(const char *path, void *data), void *data)
{
    if (profile_file(settings) != NULL) {
        each(settings->seccomp, data);
    }
    for (gsize i = 0; i < G_N_ELEMENTS(table); i++) {
        const struct oci_text *text = G_STRUCT_MEMBER_P(settings, table[i].offset);
        if (table[i].kind == TEXT && text->path != NULL) {
            each(text->path, data);
        }
    }
    for (gsize i = 0; i < G_N_ELEMENTS(families); i++) {
        const GPtrArray *texts = G_STRUCT_MEMBER(GPtrArray *, settings, families[i].offset);
        for (guint j = 0; texts != NULL && j < texts->len; j++) {
            const struct oci_named_text *named = g_ptr_array_index(texts, j);
            if (named->text.path != NULL) {
                each(named->text.path, data);
            }
        }
    }
}

char *oci_settings_describe(const struct oci_pair *annotation)
{
    const char *name = annotation->key + strlen(OCI_SETTING_PREFIX);
    const struct setting *setting = find(name);
    bool is_text = find_family(name) != NULL || (setting != NULL && setting->kind == TEXT);
    return is_text ? oci_text_describe(annotation->value) : g_strdup(annotation->value);
}

const char *oci_settings_winner(const struct oci_settings *settings, const char *annotation)
{
    const struct setting *setting = find(annotation + strlen(OCI_SETTING_PREFIX));
    const char *source = setting != NULL ? settings->source[setting - table] : NULL;
    return source != NULL && g_str_has_prefix(source, "environment ") ? source : NULL;
}
