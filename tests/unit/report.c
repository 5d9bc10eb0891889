// SPDX-License-Identifier: LGPL-2.1-or-later
#include "oci/report.h"
#include "oci/rules.h"
#include "tests/unit/expect.h"
#include "tests/unit/fixture.h"

/* What `ocivirt validate` makes of a file, beside the texts of tests/golden. */

static const struct oci_host plain_host = {
    .arch = VM_ARCH_X86_64,
    .cpus = 2,
    .emulator = "/usr/bin/qemu-system-x86_64",
    .id = "golden",
    .root = "/var/lib/ocivirt",
};

/* Of struct oci_line; the caller owns it, and finishes @f. */
static GPtrArray *report_on(struct fixture *f, const char *json)
{
    fixture_init(f, json);
    fixture_read_settings(f, NULL);
    struct vm_spec *spec = oci_problems_any(&f->problems)
                               ? NULL
                               : oci_translate(f->config, &f->settings, &plain_host, &f->problems);
    const struct oci_situation situation = {f->config, &f->settings, &plain_host, spec};
    GPtrArray *lines = oci_report_make(&f->document, &situation, &f->problems);
    vm_spec_free(spec);
    return lines;
}

/* One line of each fate. */
#define EVERY_FATE                                                                                 \
    "{'ociVersion':'1.0.0','domainname':'d','vm':{'kernel':{'path':'k'}},"                         \
    "'linux':{'devices':[{'type':'c','path':'/dev/x','major':1,'minor':1}],'mountLabel':'l',"      \
    "'uidMappings':[]}}"

static void test_json(void)
{
    struct fixture f;
    g_autoptr(GPtrArray) lines = report_on(&f, EVERY_FATE);
    json_t *json = oci_report_to_json(lines);
    static const char *const expected[][2] = {
        {"ociVersion", "honoured"},      {"domainname", "needs-guest-init"},
        {"vm.kernel.path", "wrong"},     {"linux.devices[0]", "not-possible"},
        {"linux.mountLabel", "ignored"}, {"linux.uidMappings", "ignored"},
    };
    g_assert_cmpuint(json_array_size(json), ==, G_N_ELEMENTS(expected));
    for (gsize i = 0; i < G_N_ELEMENTS(expected); i++) {
        const char *path, *fate, *text;
        g_assert_cmpint(json_unpack(json_array_get(json, i), "{s:s,s:s,s:s!}", "path", &path,
                                    "fate", &fate, "text", &text),
                        ==, 0);
        expect_str(expected[i][0], path, expected[i][0]);
        expect_str(expected[i][0], fate, expected[i][1]);
        expect(expected[i][0], *text != '\0');
    }
    json_decref(json);
    fixture_finish(&f);
}

/* What must not be empty is not told to have nothing in it. */
static void test_empty_and_wrong(void)
{
    struct fixture f;
    g_autoptr(GPtrArray) lines =
        report_on(&f, "{'ociVersion':'1.0.0','process':{'args':[],'cwd':'/'},"
                      "'linux':{'seccomp':{},'maskedPaths':[]},'vm':{'image':{'path':'/i'}}}");
    static const enum oci_fate expected[] = {OCI_HONOURED, OCI_MEMBERS, OCI_GUEST_INIT,
                                             OCI_MEMBERS,  OCI_IGNORED, OCI_HONOURED};
    g_assert_cmpuint(lines->len, ==, G_N_ELEMENTS(expected));
    for (guint i = 0; i < MIN(lines->len, G_N_ELEMENTS(expected)); i++) {
        const struct oci_line *line = g_ptr_array_index(lines, i);
        expect(line->path, line->fate == expected[i]);
    }
    fixture_finish(&f);
}

/* A line for each that is neither honoured, nor wrong, nor nothing; what was wrong stays. */
static void test_strict(void)
{
    struct fixture f;
    g_autoptr(GPtrArray) lines = report_on(&f, EVERY_FATE);
    g_assert_cmpuint(f.problems.list->len, ==, 1);
    oci_report_be_strict(lines, &f.problems);
    static const char *const places[] = {"vm.kernel.path", "domainname", "linux.devices[0]",
                                         "linux.mountLabel"};
    g_assert_cmpuint(f.problems.list->len, ==, G_N_ELEMENTS(places));
    for (gsize i = 0; i < MIN(G_N_ELEMENTS(places), f.problems.list->len); i++) {
        const struct oci_problem *problem = g_ptr_array_index(f.problems.list, i);
        expect_str(places[i], problem->where, places[i]);
        expect(places[i], problem->line > 0);
    }
    fixture_finish(&f);
}

static void test_strict_fine(void)
{
    static const char *const texts[] = {
        "{'ociVersion':'1.0.0','vm':{'image':{'path':'/i','format':''}}}",
        "{'ociVersion':'1.0.0','vm':{'image':{'path':'/i'},'kernel':null,'hwConfig':{}},"
        "'hostname':'','annotations':{},'mounts':[],'linux':{'resources':{'cpu':{'mems':''}},"
        "'maskedPaths':[],'sysctl':{},'seccomp':null},'process':null}",
    };
    for (gsize i = 0; i < G_N_ELEMENTS(texts); i++) {
        struct fixture f;
        g_autoptr(GPtrArray) lines = report_on(&f, texts[i]);
        oci_report_be_strict(lines, &f.problems);
        expect(texts[i], fixture_is_fine(&f));
        fixture_finish(&f);
    }
}

/* Lists and maps that are none, elements that are none, and more problems than are kept: what was
 * not decoded is not looked at. */
static void test_not_decoded(void)
{
    static const char *const values[] = {
        "{'a':{'b':1}}", "[1]", "['x']", "[null]", "[[]]", "5", "'x'", "true", "{'a':'b'}", "[{}]"};
    static const char *const properties[] = {
        "'annotations':%s",
        "'mounts':%s",
        "'process':%s",
        "'process':{'rlimits':%s}",
        "'process':{'scheduler':%s}",
        "'hooks':{'prestart':%s}",
        "'linux':{'devices':%s}",
        "'linux':{'namespaces':%s}",
        "'linux':{'memoryPolicy':%s}",
        "'linux':{'seccomp':%s}",
        "'linux':{'resources':{'hugepageLimits':%s}}",
        "'linux':{'resources':{'blockIO':{'throttleReadBpsDevice':%s}}}",
    };
    for (gsize i = 0; i < G_N_ELEMENTS(properties); i++) {
        for (gsize k = 0; k < G_N_ELEMENTS(values); k++) {
            g_auto(GStrv) parts = g_strsplit(properties[i], "%s", 2);
            g_autofree char *json =
                g_strdup_printf("{'ociVersion':'1.0.0','vm':{'image':{'path':'/i'}},%s%s%s}",
                                parts[0], values[k], parts[1]);
            struct fixture f;
            g_autoptr(GPtrArray) lines = report_on(&f, json);
            g_autofree char *text = oci_report_format(lines);
            expect(json, lines->len >= 2);
            expect(json, strstr(text, "(null)") == NULL);
            fixture_finish(&f);
        }
    }
}

/* Text of so many lines, each with a number of its own in it; the caller owns it. */
static char *repeat(const char *format, int count)
{
    g_auto(GStrv) halves = g_strsplit(format, "%d", 2);
    GString *text = g_string_new(NULL);
    for (int i = 0; i < count; i++) {
        g_string_append_printf(text, "%s%s%d%s", i > 0 ? "," : "", halves[0], i, halves[1]);
    }
    return g_string_free(text, FALSE);
}

/* As much as a file can hold of what costs most: the runner's limit is not for waiting it out. */
static void report_on_much(const char *members)
{
    g_autofree char *json =
        g_strdup_printf("{'ociVersion':'1.0.0','vm':{'image':{'path':'/i'}},%s}", members);
    g_assert_cmpuint(strlen(json), <=, OCI_DOCUMENT_MAX_BYTES);
    struct fixture f;
    g_autoptr(GPtrArray) lines = report_on(&f, json);
    f.json = members;
    oci_rules_check_files(f.config, &f.problems);
    g_assert_cmpuint(lines->len, >, 0);
    fixture_finish(&f);
}

static void test_long_names(void)
{
    g_autofree char *dots = g_strnfill(OCI_DOCUMENT_MAX_STRING - 10, '.');
    g_autofree char *member = g_strdup_printf("'%%d%s':1", dots);
    g_autofree char *annotations = repeat(member, 15);
    g_autofree char *members = g_strdup_printf("'annotations':{%s}", annotations);
    report_on_much(members);
}

static void test_many_devices(void)
{
    static const char *const devices[] = {
        "{'type':'b','path':'/dev/null/%d','major':1,'minor':3}",
        "{'type':'c','path':'/dev/vfio/%d','major':1,'minor':3}",
    };
    g_autofree char *rules = repeat("{'allow':true,'type':'b','major':%d}", 30000);
    for (gsize i = 0; i < G_N_ELEMENTS(devices); i++) {
        g_autofree char *list = repeat(devices[i], 30000);
        g_autofree char *members =
            g_strdup_printf("'linux':{'devices':[%s],'resources':{'devices':[%s]}}", list, rules);
        report_on_much(members);
    }
}

/* No more files are looked for than a VM can have disks. */
static void test_many_disks(void)
{
    g_autofree char *list =
        repeat("{'type':'b','path':'/dev/null/%d','major':1,'minor':3}", 2 * VM_DISKS_MAX);
    g_autofree char *json = g_strdup_printf(
        "{'ociVersion':'1.0.0','vm':{'image':{'path':'/dev/null'}},'linux':{'devices':[%s]}}",
        list);
    struct fixture f;
    fixture_init(&f, json);
    oci_rules_check_files(f.config, &f.problems);
    g_assert_cmpuint(f.problems.list->len, ==, VM_DISKS_MAX);
    fixture_finish(&f);
}

/* A guess takes time: there is one for the first hundred. */
static void test_many_unknown(void)
{
    g_autofree char *unknown = repeat("'ociVersion%d':1", 200000);
    g_autofree char *json = g_strdup_printf("{%s}", unknown);
    struct fixture f;
    g_autoptr(GPtrArray) lines = report_on(&f, json);
    guint guesses = 0;
    for (guint i = 0; i < lines->len; i++) {
        const struct oci_line *line = g_ptr_array_index(lines, i);
        guesses += strstr(line->text, "did you mean") != NULL;
    }
    g_assert_cmpuint(guesses, ==, 100);
    f.json = "200000 unknown properties";
    fixture_finish(&f);
}

static void test_many_wrong_words(void)
{
    g_autofree char *words = repeat("'SCMP_ARCH_X86_64_%d'", 120000);
    g_autofree char *members = g_strdup_printf(
        "'linux':{'seccomp':{'defaultAction':'SCMP_ACT_ALLOW','architectures':[%s]}}", words);
    report_on_much(members);
    g_autofree char *settings = repeat("'org.ocivirt.memory-%d':'1'", 120000);
    g_autofree char *annotations = g_strdup_printf("'annotations':{%s}", settings);
    report_on_much(annotations);
}

/* The element with the most members. */
static json_t *fullest(json_t *array)
{
    json_t *best = NULL, *element;
    gsize index;
    json_array_foreach(array, index, element)
    {
        best = json_object_size(element) > json_object_size(best) ? element : best;
    }
    return best;
}

/* tests/golden/everything.json has every property that there is. */
static void expect_members(const struct oci_field *fields, json_t *object, const char *path)
{
    for (const struct oci_field *field = fields; field->name != NULL; field++) {
        g_autofree char *at = oci_path_child(path, field->name);
        json_t *value = json_object_get(object, field->name);
        expect(at, value != NULL);
        if (json_is_array(value)) {
            value = fullest(value);
        } else if (field->type == OCI_OBJECT_MAP) {
            value = json_object_iter_value(json_object_iter(value));
        }
        if (field->fields != NULL && !(field->flags & OCI_ONLY_EMPTY)) {
            expect_members(field->fields, value, at);
        }
    }
}

static void test_everything(void)
{
    gsize length;
    char *text = oci_document_read("tests/golden/everything.json", &length, NULL);
    struct oci_document document;
    struct oci_problems problems;
    oci_problems_init(&problems);
    g_assert_true(oci_document_init(&document, text, length, &problems));
    expect_members(oci_fields_config, document.root, "");
    oci_document_finish(&document);
    oci_problems_finish(&problems);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_set_nonfatal_assertions();
    g_test_add_func("/report/json", test_json);
    g_test_add_func("/report/empty-and-wrong", test_empty_and_wrong);
    g_test_add_func("/report/strict", test_strict);
    g_test_add_func("/report/strict-fine", test_strict_fine);
    g_test_add_func("/report/not-decoded", test_not_decoded);
    g_test_add_func("/report/everything", test_everything);
    g_test_add_func("/report/long-names", test_long_names);
    g_test_add_func("/report/many-devices", test_many_devices);
    g_test_add_func("/report/many-disks", test_many_disks);
    g_test_add_func("/report/many-unknown", test_many_unknown);
    g_test_add_func("/report/many-wrong-words", test_many_wrong_words);
    return g_test_run();
}
