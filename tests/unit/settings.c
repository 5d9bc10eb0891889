// SPDX-License-Identifier: LGPL-2.1-or-later
#include "src/util/ports.h"
#include "tests/unit/expect.h"
#include "tests/unit/fixture.h"
#include "tests/unit/settings_rows.h"

#define BOOT "'ociVersion':'1.0.0','vm':{'image':{'path':'/i'}}"

/* The settings of @annotations ("'KEY':'VALUE',…") and @environment. */
static void read_settings(struct fixture *f, const char *annotations,
                          const char *const *environment)
{
    g_autofree char *json = g_strdup_printf("{" BOOT ",\n'annotations':{%s}}", annotations);
    fixture_init(f, json);
    f->json = annotations;
    fixture_read_settings(f, environment);
}

#define READ(f, annotations, ...)                                                                  \
    read_settings(f, annotations, (const char *const[]){__VA_ARGS__ __VA_OPT__(, ) NULL})

static void test_defaults(void)
{
    struct fixture f;
    READ(&f, "");
    g_assert_true(fixture_is_fine(&f));
    g_assert_cmpint(f.settings.accel, ==, OCI_ACCEL_AUTO);
    g_assert_cmpint(f.settings.console, ==, OCI_CONSOLE_AUTO);
    g_assert_null(f.settings.cpu_model);
    g_assert_cmpuint(f.settings.cpus, ==, 0);
    g_assert_cmpuint(f.settings.hugepages, ==, 0);
    g_assert_null(f.settings.seccomp);
    g_assert_cmpint(f.settings.disk, ==, OCI_DISK_AUTO);
    g_assert_cmpuint(f.settings.disk_size, ==, 0);
    g_assert_null(f.settings.machine);
    g_assert_cmpuint(f.settings.memory, ==, 0);
    g_assert_cmpint(f.settings.on_reboot, ==, OCI_REBOOT_RESTART);
    g_assert_null(f.settings.http);
    g_assert_cmpint(f.settings.ready.kind, ==, OCI_READY_RUNNING);
    g_assert_null(f.settings.ready.pattern);
    g_assert_cmpint(f.settings.stop_method, ==, OCI_STOP_AUTO);
    g_assert_cmpuint(f.settings.stop_timeout_ms, ==, 8000);
    for (int i = 0; i < OCI_SETTING_COUNT; i++) {
        g_assert_null(f.settings.source[i]);
    }
    g_assert_cmpuint(f.warnings->len, ==, 0);
    fixture_finish(&f);
}

static char *publish_of(const struct oci_settings *s)
{
    static const char *const words[] = {"auto", "all", "none", "list"};
    if (s->published == NULL) {
        return g_strdup(words[s->publish]);
    }
    g_autofree char *tcp = ports_format(s->published, false);
    g_autofree char *udp = ports_format(s->published, true);
    return g_strdup_printf("%s %s %s", words[s->publish], tcp, udp);
}

/* A file has not been read yet. */
static char *text_of(const struct oci_text *text)
{
    g_autofree char *words = oci_text_dup(text);
    return text->path != NULL ? g_strconcat("file ", text->path, words, NULL)
                              : g_strconcat("text ", words, NULL);
}

/* What setting @id has become, as text. */
static char *value_of(const struct oci_settings *s, enum oci_setting_id id)
{
    static const char *const accels[] = {"auto", "kvm", "tcg"};
    static const char *const consoles[] = {"auto", "plain", "off"};
    static const char *const reboots[] = {"restart", "exit"};
    static const char *const methods[] = {"auto", "acpi", "agent"};
    static const char *const readies[] = {"running", "agent", "console", "port"};
    static const char *const networks[] = {"auto", "passt", "none"};
    static const char *const disks[] = {"auto", "overlay", "direct"};
    static const char *const firmwares[] = {"auto", "bios", "uefi"};
    switch (id) {
    case OCI_SETTING_ACCEL:
        return g_strdup(accels[s->accel]);
    case OCI_SETTING_META_DATA:
        return text_of(&s->meta_data);
    case OCI_SETTING_NETWORK_CONFIG:
        return text_of(&s->network_config);
    case OCI_SETTING_USER_DATA:
        return text_of(&s->user_data);
    case OCI_SETTING_IGNITION:
        return text_of(&s->ignition);
    case OCI_SETTING_PASSWORD_HASH:
        return text_of(&s->password_hash);
    case OCI_SETTING_SSH_KEYS:
        return text_of(&s->ssh_keys);
    case OCI_SETTING_FIRMWARE:
        return g_strdup(firmwares[s->firmware]);
    case OCI_SETTING_CONSOLE:
        return g_strdup(consoles[s->console]);
    case OCI_SETTING_CPU_MODEL:
        return g_strdup(s->cpu_model);
    case OCI_SETTING_CPUS:
        return g_strdup_printf("%" G_GUINT64_FORMAT, s->cpus);
    case OCI_SETTING_DISK:
        return g_strdup(disks[s->disk]);
    case OCI_SETTING_DISK_SIZE:
        return g_strdup_printf("%" G_GUINT64_FORMAT, s->disk_size);
    case OCI_SETTING_HUGEPAGES:
        return g_strdup_printf("%" G_GUINT64_FORMAT, s->hugepages);
    case OCI_SETTING_SECCOMP:
        return g_strdup(s->seccomp);
    case OCI_SETTING_HTTP:
        return g_strdup(s->http != NULL ? s->http : "off");
    case OCI_SETTING_READY:
        return s->ready.kind == OCI_READY_PORT
                   ? g_strdup_printf("port %u", s->ready.port)
                   : g_strconcat(readies[s->ready.kind], s->ready.pattern, NULL);
    case OCI_SETTING_MACHINE:
        return g_strdup(s->machine);
    case OCI_SETTING_MEMORY:
        return g_strdup_printf("%" G_GUINT64_FORMAT, s->memory);
    case OCI_SETTING_NETWORK:
        return g_strdup(networks[s->network]);
    case OCI_SETTING_PUBLISH:
        return publish_of(s);
    case OCI_SETTING_ON_REBOOT:
        return g_strdup(reboots[s->on_reboot]);
    case OCI_SETTING_STOP_METHOD:
        return g_strdup(methods[s->stop_method]);
    case OCI_SETTING_TPM:
        return g_strdup(s->tpm == OCI_TPM_2_0 ? "2.0" : "off");
    case OCI_SETTING_STOP_TIMEOUT:
        return g_strdup_printf("%" G_GUINT64_FORMAT, s->stop_timeout_ms);
    default:
        g_assert_not_reached();
    }
}

static char *annotation_path(const struct row *row)
{
    return g_strdup_printf("annotations[\"org.ocivirt.%s\"]", row->name);
}

/* Every setting can be made by its annotation and by its variable, and means the same. */
static void test_every_setting(void)
{
    for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
        const struct row *row = &rows[i];
        g_autofree char *annotation =
            g_strdup_printf("'org.ocivirt.%s':'%s'", row->name, row->text);
        g_autofree char *variable = g_strdup_printf("%s=%s", row->variable, row->text);
        g_autofree char *annotated = annotation_path(row);
        g_autofree char *exported = g_strdup_printf("environment %s", row->variable);
        for (int twin = 0; twin < 2; twin++) {
            const char *source = twin ? exported : annotated;
            struct fixture f;
            if (twin) {
                READ(&f, "", variable);
            } else {
                READ(&f, annotation);
            }
            if (row->value == NULL) {
                expect(variable, fixture_has_only(&f, source, row->text));
                expect(variable, f.settings.source[row->id] == NULL);
            } else {
                g_autofree char *value = value_of(&f.settings, row->id);
                expect(variable, fixture_is_fine(&f));
                expect_str(variable, value, row->value);
                expect_str(variable, f.settings.source[row->id], source);
            }
            expect_uint(variable, f.warnings->len, 0);
            fixture_finish(&f);
        }
    }
}

/* Each setting of the enum has been tried above, with something right. */
static void test_rows_are_complete(void)
{
    for (int id = 0; id < OCI_SETTING_COUNT; id++) {
        bool found = false;
        for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
            found |= (int)rows[i].id == id && rows[i].value != NULL;
        }
        g_assert_true(found);
    }
}

/* Any number of each, in their order. */
static void test_families(void)
{
    struct fixture f;
    READ(&f, "'org.ocivirt.credential.a.b':'one','org.ocivirt.fw-cfg.opt/x/y':'./two',"
             "'org.ocivirt.credential.c@d':''");
    g_assert_true(fixture_is_fine(&f));
    g_assert_cmpuint(f.settings.credentials->len, ==, 2);
    g_assert_cmpuint(f.settings.fw_cfg->len, ==, 1);
    const struct oci_named_text *first = g_ptr_array_index(f.settings.credentials, 0);
    const struct oci_named_text *second = g_ptr_array_index(f.settings.credentials, 1);
    const struct oci_named_text *third = g_ptr_array_index(f.settings.fw_cfg, 0);
    g_autofree char *one = text_of(&first->text), *none = text_of(&second->text),
                    *two = text_of(&third->text);
    g_assert_cmpstr(first->name, ==, "a.b");
    g_assert_cmpstr(first->source, ==, "annotations[\"org.ocivirt.credential.a.b\"]");
    g_assert_cmpstr(one, ==, "text one");
    g_assert_cmpstr(second->name, ==, "c@d");
    g_assert_cmpstr(none, ==, "text ");
    g_assert_cmpstr(third->name, ==, "opt/x/y");
    g_assert_cmpstr(two, ==, "file ./two");
    fixture_finish(&f);

    READ(&f, "'org.ocivirt.credential.':'x'");
    g_assert_true(fixture_has_only(&f, "annotations[\"org.ocivirt.credential.\"]",
                                   "a name must follow org.ocivirt.credential."));
    fixture_finish(&f);
    READ(&f, "'org.ocivirt.credential.a=b':'x'");
    g_assert_true(
        fixture_has_only(&f, "annotations[\"org.ocivirt.credential.a=b\"]", "\"a=b\" is no name"));
    fixture_finish(&f);
    READ(&f, "'org.ocivirt.fw-cfg.opt/a,b':'x'");
    g_assert_true(fixture_has_only(&f, "annotations[\"org.ocivirt.fw-cfg.opt/a,b\"]",
                                   "\"opt/a,b\" is no name"));
    fixture_finish(&f);
    READ(&f, "'org.ocivirt.credentials.a':'x'");
    g_assert_true(fixture_has_only(&f, "annotations[\"org.ocivirt.credentials.a\"]",
                                   "there is no such setting"));
    fixture_finish(&f);
}

/* A report is read by others than a secret is for. */
static void test_describe(void)
{
    static const char *const cases[][3] = {
        {"memory", "1G", "1G"},
        {"password-hash", "$6$a$b", "text of 6 bytes"},
        {"cloud-init.user-data", "./user-data", "the file ./user-data"},
        {"credential.x", "secret", "text of 6 bytes"},
        {"fw-cfg.opt/x", "/a", "the file /a"},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *key = g_strconcat("org.ocivirt.", cases[i][0], NULL);
        const struct oci_pair annotation = {key, (char *)cases[i][1]};
        g_autofree char *said = oci_settings_describe(&annotation);
        g_assert_cmpstr(said, ==, cases[i][2]);
    }
}

static void test_environment_wins(void)
{
    struct fixture f;
    READ(&f, "'org.ocivirt.memory':'1G','org.ocivirt.cpu-model':'max','org.ocivirt.cpus':'2'",
         "OCIVIRT_MEMORY=2G", "OCIVIRT_CPU_MODEL=host");
    g_assert_true(fixture_is_fine(&f));
    g_assert_cmpuint(f.settings.memory, ==, (guint64)2 << 30);
    g_assert_cmpstr(f.settings.cpu_model, ==, "host");
    g_assert_cmpuint(f.settings.cpus, ==, 2);
    g_assert_cmpstr(f.settings.source[OCI_SETTING_MEMORY], ==, "environment OCIVIRT_MEMORY");
    g_assert_cmpstr(f.settings.source[OCI_SETTING_CPUS], ==, "annotations[\"org.ocivirt.cpus\"]");
    fixture_finish(&f);

    /* A mistake in the image stays one, whoever overrides it. */
    READ(&f, "'org.ocivirt.memory':'x'", "OCIVIRT_MEMORY=2G");
    g_assert_true(fixture_has_only(&f, "annotations[\"org.ocivirt.memory\"]", "\"x\""));
    fixture_finish(&f);

    /* And one in the override is told of the override. */
    READ(&f, "'org.ocivirt.memory':'1G'", "OCIVIRT_MEMORY=x");
    g_assert_true(fixture_has_only(&f, "environment OCIVIRT_MEMORY", "\"x\""));
    fixture_finish(&f);
}

#define EMPTY_TEXT "must not be empty; leave it out to say nothing"

/* `-e OCIVIRT_MEMORY=` takes an override back; an empty annotation is a mistake. */
static void test_empty(void)
{
    struct fixture f;
    READ(&f, "'org.ocivirt.memory':'1G'",
         "OCIVIRT_MEMORY=", "OCIVIRT_ACCEL=", "OCIVIRT_CPU_MODEL=");
    g_assert_true(fixture_is_fine(&f));
    g_assert_cmpuint(f.settings.memory, ==, (guint64)1 << 30);
    g_assert_cmpint(f.settings.accel, ==, OCI_ACCEL_AUTO);
    g_assert_null(f.settings.cpu_model);
    fixture_finish(&f);

    static const char *const messages[OCI_SETTING_COUNT] = {
        [OCI_SETTING_ACCEL] = "\"\" is not one of auto, kvm, tcg",
        [OCI_SETTING_META_DATA] = EMPTY_TEXT,
        [OCI_SETTING_NETWORK_CONFIG] = EMPTY_TEXT,
        [OCI_SETTING_USER_DATA] = EMPTY_TEXT,
        [OCI_SETTING_IGNITION] = EMPTY_TEXT,
        [OCI_SETTING_PASSWORD_HASH] = EMPTY_TEXT,
        [OCI_SETTING_SSH_KEYS] = EMPTY_TEXT,
        [OCI_SETTING_FIRMWARE] = "\"\" is not one of auto, bios, uefi",
        [OCI_SETTING_CONSOLE] = "\"\" is not one of auto, plain, off",
        [OCI_SETTING_CPU_MODEL] = "must not be empty; leave it out",
        [OCI_SETTING_CPUS] = "\"\" is not a whole number from 1 to 255",
        [OCI_SETTING_DISK] = "\"\" is not one of auto, overlay, direct",
        [OCI_SETTING_DISK_SIZE] = "\"\" is not a size such as",
        [OCI_SETTING_HUGEPAGES] = "\"\" is not a size of huge pages such as 2M",
        [OCI_SETTING_HTTP] = "\"\" is not an address and a port such as 127.0.0.1:9100",
        [OCI_SETTING_READY] =
            "\"\" is not one of running, agent, nor port:N, a TCP port in the guest, nor "
            "console:PATTERN",
        [OCI_SETTING_MACHINE] = "must not be empty; leave it out",
        [OCI_SETTING_MEMORY] = "\"\" is not a size such as",
        [OCI_SETTING_TPM] = "\"\" is not one of off, 2.0",
        [OCI_SETTING_NETWORK] = "\"\" is not one of auto, passt, none",
        [OCI_SETTING_PUBLISH] = "\"\" is not one of auto, all, none, nor a list of ports: it names",
        [OCI_SETTING_ON_REBOOT] = "\"\" is not one of restart, exit",
        [OCI_SETTING_SECCOMP] = "\"\" is not one of default, config, off, nor a file",
        [OCI_SETTING_STOP_METHOD] = "\"\" is not one of auto, acpi, agent",
        [OCI_SETTING_STOP_TIMEOUT] = "\"\" is not a duration such as",
    };
    for (int id = 0; id < OCI_SETTING_COUNT; id++) {
        const char *name = oci_settings_name(id);
        g_autofree char *annotation = g_strdup_printf("'org.ocivirt.%s':''", name);
        g_autofree char *path = g_strdup_printf("annotations[\"org.ocivirt.%s\"]", name);
        READ(&f, annotation);
        g_assert_nonnull(messages[id]);
        expect(name, fixture_has_only(&f, path, messages[id]));
        fixture_finish(&f);
    }
}

static bool is_text(enum oci_setting_id id)
{
    return id == OCI_SETTING_META_DATA || id == OCI_SETTING_NETWORK_CONFIG ||
           id == OCI_SETTING_USER_DATA || id == OCI_SETTING_IGNITION ||
           id == OCI_SETTING_PASSWORD_HASH || id == OCI_SETTING_SSH_KEYS;
}

/* However long the value, the message says what would be right. */
static void test_long_values(void)
{
    g_autofree char *endless = g_strnfill(5000, '~');
    for (int id = 0; id < OCI_SETTING_COUNT; id++) {
        const char *name = oci_settings_name(id);
        g_autofree char *annotation = g_strdup_printf("'org.ocivirt.%s':'%s'", name, endless);
        struct fixture f;
        READ(&f, annotation);
        if (is_text(id)) { /* any text is right, so far */
            expect(name, fixture_is_fine(&f));
            fixture_finish(&f);
            continue;
        }
        g_autofree char *text = oci_problems_format(&f.problems, "FILE");
        expect(name, strstr(text, "~…\" is ") != NULL);
        expect(name, strlen(text) < 400);
        fixture_finish(&f);
    }
}

static void test_messages(void)
{
    static const struct {
        const char *annotation, *where, *message;
    } cases[] = {
        {"'org.ocivirt.accel':'kvn'", "annotations[\"org.ocivirt.accel\"]",
         "\"kvn\" is not one of auto, kvm, tcg (did you mean kvm?)"},
        {"'org.ocivirt.cpus':'0'", "annotations[\"org.ocivirt.cpus\"]",
         "\"0\" is not a whole number from 1 to 255"},
        {"'org.ocivirt.memory':'1.5G'", "annotations[\"org.ocivirt.memory\"]",
         "\"1.5G\" is not a size such as 536870912, 512M or 1GiB"},
        {"'org.ocivirt.stop-timeout':'8x'", "annotations[\"org.ocivirt.stop-timeout\"]",
         "\"8x\" is not a duration such as 500ms, 8s or 2m"},
        {"'org.ocivirt.ready':'agnet'", "annotations[\"org.ocivirt.ready\"]",
         "\"agnet\" is not one of running, agent (did you mean agent?), nor port:N"},
        {"'org.ocivirt.ready':'console:a('", "annotations[\"org.ocivirt.ready\"]",
         "\"console:a(\" is not console:PATTERN with a regular expression for a line of the "
         "console: at char 2: missing"},
        {"'org.ocivirt.ready':'console:a?'", "annotations[\"org.ocivirt.ready\"]",
         "a pattern that matches an empty line matches everything"},
        {"'org.ocivirt.machine':''", "annotations[\"org.ocivirt.machine\"]", "must not be empty"},
        {"'org.ocivirt.machine':'q35,usb=on'", "annotations[\"org.ocivirt.machine\"]",
         "\"q35,usb=on\" is not a name of QEMU's"},
        {"'org.ocivirt.cpu-model':'max ä'", "annotations[\"org.ocivirt.cpu-model\"]",
         "\"max ä\" is not a name of QEMU's"},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        struct fixture f;
        READ(&f, cases[i].annotation);
        expect(cases[i].annotation, fixture_has_only(&f, cases[i].where, cases[i].message));
        fixture_finish(&f);
    }
}

/* "1000h" is a duration; what is wrong with it is its length. */
static void test_too_long_a_duration(void)
{
    struct fixture f;
    READ(&f, "'org.ocivirt.stop-timeout':'1000h'");
    const struct oci_problem *problem = g_ptr_array_index(f.problems.list, 0);
    g_test_message("%s", problem->message);
    g_assert_null(strstr(problem->message, "is not a duration"));
    fixture_finish(&f);
}

static void test_unknown_annotation(void)
{
    static const struct {
        const char *key, *fragment;
    } cases[] = {
        {"org.ocivirt.memroy", "there is no such setting; did you mean org.ocivirt.memory?"},
        {"org.ocivirt.Memory", "did you mean org.ocivirt.memory?"},
        {"org.ocivirt.stop_timeout", "did you mean org.ocivirt.stop-timeout?"},
        {"org.ocivirt.frobnicate",
         "there is no such setting; after org.ocivirt. there can be accel, "},
        {"org.ocivirt.", "there is no such setting"},
        {"org.ocivirt.memory.max", "there is no such setting"},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *annotation = g_strdup_printf("'%s':'1'", cases[i].key);
        g_autofree char *path = oci_path_child("annotations", cases[i].key);
        struct fixture f;
        READ(&f, annotation);
        expect(cases[i].key, fixture_has_only(&f, path, cases[i].fragment));
        /* the name is at fault: line 2, behind {'annotations':{ */
        const struct oci_problem *problem = g_ptr_array_index(f.problems.list, 0);
        expect_uint(cases[i].key, problem->line, 2);
        expect_uint(cases[i].key, problem->column, strlen("'annotations':{") + 1);
        fixture_finish(&f);
    }
}

/* Names of others are theirs, however near. */
static void test_foreign_annotations(void)
{
    struct fixture f;
    READ(&f, "'org.ocivirtx.memory':'x','org.ocivirt':'x','ORG.OCIVIRT.MEMORY':'x',"
             "'io.podman.annotations.memory':'x','memory':'x',' org.ocivirt.memory':'x'");
    g_assert_true(fixture_is_fine(&f));
    g_assert_cmpuint(f.settings.memory, ==, 0);
    fixture_finish(&f);

    g_assert_true(oci_settings_owns("org.ocivirt.memory"));
    g_assert_true(oci_settings_owns("org.ocivirt."));
    g_assert_false(oci_settings_owns("org.ocivirt"));
    g_assert_false(oci_settings_owns("org.ocivirtx.memory"));
    g_assert_false(oci_settings_owns(""));
}

static void test_unknown_variables(void)
{
    struct fixture f;
    READ(&f, "", "PATH=/bin", "OCIVIRT_MEMROY=1G", "OCIVIRT_SERVICE_HOST=10.0.0.1", "OCIVIRT=1",
         "ocivirt_memory=1G", "XOCIVIRT_Y=1", "OCIVIRT_CONFIG=/c", "OCIVIRT_ROOT=/r",
         "OCIVIRT_ID=i", "OCIVIRT_LOG_FORMAT=json", "OCIVIRT_MEMORY=1G");
    g_assert_true(fixture_is_fine(&f)); /* Kubernetes makes such for a service called ocivirt */
    g_assert_cmpuint(f.warnings->len, ==, 2);
    g_assert_cmpstr(g_ptr_array_index(f.warnings, 0), ==,
                    "environment OCIVIRT_MEMROY is no setting and is ignored; did you mean "
                    "OCIVIRT_MEMORY?");
    g_assert_cmpstr(g_ptr_array_index(f.warnings, 1), ==,
                    "environment OCIVIRT_SERVICE_HOST is no setting and is ignored");
    g_assert_cmpuint(f.settings.memory, ==, (guint64)1 << 30);
    fixture_finish(&f);
}

/* The prefix, which all names share, says nothing about how near two of them are. */
static void test_far_variables(void)
{
    static const char *const variables[] = {"OCIVIRT_WXYZ=1", "OCIVIRT_UDP=1", "OCIVIRT_=1",
                                            "OCIVIRT_SERVICE=1"};
    for (gsize i = 0; i < G_N_ELEMENTS(variables); i++) {
        struct fixture f;
        READ(&f, "", variables[i]);
        g_assert_cmpuint(f.warnings->len, ==, 1);
        const char *warning = g_ptr_array_index(f.warnings, 0);
        expect(warning, g_str_has_suffix(warning, " is no setting and is ignored"));
        fixture_finish(&f);
    }
}

static void test_problem_at_its_source(void)
{
    struct fixture f;
    READ(&f, "'org.ocivirt.memory':'1G'", "OCIVIRT_CPUS=2");
    oci_settings_problem(&f.settings, OCI_SETTING_MEMORY, &f.problems, "a");
    oci_settings_problem(&f.settings, OCI_SETTING_CPUS, &f.problems, "b");
    oci_settings_problem(&f.settings, OCI_SETTING_ACCEL, &f.problems, "c");
    g_autofree char *text = oci_problems_format(&f.problems, "FILE");
    g_assert_cmpstr(text, ==,
                    "environment OCIVIRT_CPUS: b\nc\n"
                    "FILE:2:37: annotations[\"org.ocivirt.memory\"]: a\n");
    fixture_finish(&f);
}

static bool is_setting(const char *variable)
{
    for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
        if (g_str_equal(rows[i].variable, variable)) {
            return true;
        }
    }
    return false;
}

/* The manual lists the variables of all settings, and of no others. */
static void test_manual(void)
{
    static const char begin[] = "*OCIVIRT_ACCEL*", end[] = "*\n\tThe settings.";
    g_autofree char *text = NULL;
    g_assert_true(g_file_get_contents("docs/ocivirt.1.scd", &text, NULL, NULL));
    char *list = strstr(text, begin);
    char *behind = list != NULL ? strstr(list, end) : NULL;
    g_assert_nonnull(behind);
    *behind = '\0';
    g_auto(GStrv) variables = g_strsplit(list + 1, "*, *", 0);
    for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
        expect(rows[i].variable, g_strv_contains((const char *const *)variables, rows[i].variable));
    }
    for (char **variable = variables; *variable != NULL; variable++) {
        expect(*variable, is_setting(*variable));
    }
}

/* The file is read later, and by then another directory may be the working one. */
static void test_seccomp_file(void)
{
    static const struct {
        const char *variable, *seccomp;
    } cases[] = {
        {"OCIVIRT_SECCOMP=./a.json", "/bundle/a.json"},
        {"OCIVIRT_SECCOMP=/b/c.json", "/b/c.json"},
        {"OCIVIRT_SECCOMP=off", "off"},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        const char *const environment[] = {cases[i].variable, NULL};
        struct fixture f;
        fixture_init(&f, "{'ociVersion':'1.0.0','vm':{'kernel':{'path':'/k'}}}");
        fixture_read_settings(&f, environment);
        oci_settings_read_files(&f.settings, FIXTURE_BUNDLE, &f.problems);
        expect_str(cases[i].variable, f.settings.seccomp, cases[i].seccomp);
        fixture_finish(&f);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_set_nonfatal_assertions();
    g_test_add_func("/settings/defaults", test_defaults);
    g_test_add_func("/settings/every-setting", test_every_setting);
    g_test_add_func("/settings/rows-are-complete", test_rows_are_complete);
    g_test_add_func("/settings/families", test_families);
    g_test_add_func("/settings/describe", test_describe);
    g_test_add_func("/settings/environment-wins", test_environment_wins);
    g_test_add_func("/settings/empty", test_empty);
    g_test_add_func("/settings/long-values", test_long_values);
    g_test_add_func("/settings/messages", test_messages);
    g_test_add_func("/settings/too-long-a-duration", test_too_long_a_duration);
    g_test_add_func("/settings/unknown-annotation", test_unknown_annotation);
    g_test_add_func("/settings/foreign-annotations", test_foreign_annotations);
    g_test_add_func("/settings/unknown-variables", test_unknown_variables);
    g_test_add_func("/settings/far-variables", test_far_variables);
    g_test_add_func("/settings/problem-at-its-source", test_problem_at_its_source);
    g_test_add_func("/settings/manual", test_manual);
    g_test_add_func("/settings/seccomp-file", test_seccomp_file);
    return g_test_run();
}
