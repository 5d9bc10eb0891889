// SPDX-License-Identifier: LGPL-2.1-or-later

/*
 * tests/fixtures: what real engines write. Each NAME.json, given a VM, must be read without a
 * problem and become a domain, and `ocivirt validate` must say of it what NAME.report holds
 * (GOLDEN_UPDATE=1 writes them anew). Run from the top of the tree.
 */

#include "oci/config.h"
#include "oci/document.h"
#include "oci/report.h"
#include "oci/translate.h"
#include "src/vm/domain_xml.h"
#include "tests/unit/expectation.h"
#include "tests/unit/schema.h"

#define DIRECTORY "tests/fixtures"
#define VM "{ \"vm\": {\"kernel\": {\"path\": \"/vmlinuz\"}},"

static struct schema schema;

static const struct oci_host host = {
    .arch = VM_ARCH_X86_64,
    .cpus = 2,
    .emulator = "/usr/bin/qemu-system-x86_64",
    .id = "fixture",
    .root = "/var/lib/ocivirt",
    .may_set_memory_policy = true,
};

/* The file with a VM in front, which leaves every line where it was. */
static char *read_with_vm(const char *name)
{
    g_autofree char *path = g_strconcat(DIRECTORY "/", name, ".json", NULL);
    g_autofree char *text = NULL;
    g_assert_true(g_file_get_contents(path, &text, NULL, NULL));
    g_assert_true(*text == '{');
    return g_strconcat(VM, text + 1, NULL);
}

static void tell(const struct oci_problems *problems, const char *name)
{
    g_autofree char *text = oci_problems_format(problems, name);
    g_test_message("%s", text);
}

static void test_fixture(gconstpointer data)
{
    const char *name = data;
    char *environment[] = {NULL};
    struct oci_problems problems;
    struct oci_document document;
    struct oci_settings settings;
    g_autoptr(GPtrArray) warnings = g_ptr_array_new_with_free_func(g_free);
    char *text = read_with_vm(name);
    oci_problems_init(&problems);
    g_assert_true(oci_document_init(&document, text, strlen(text), &problems));
    g_autoptr(oci_config) config = oci_config_decode(&document, "/bundle", &problems);
    oci_settings_init(&settings, config, environment, &problems, warnings);
    g_autoptr(vm_spec) spec = oci_translate(config, &settings, &host, &problems);
    tell(&problems, name);
    g_assert_false(oci_problems_any(&problems));
    g_assert_nonnull(spec);

    g_autofree char *xml = domain_xml(spec);
    g_assert_true(schema_accepts(&schema, xml));

    const struct oci_situation situation = {config, &settings, &host, spec};
    g_autoptr(GPtrArray) lines = oci_report_make(&document, &situation, &problems);
    g_autofree char *report = oci_report_format(lines);
    g_autofree char *expectation = g_strconcat(DIRECTORY "/", name, ".report", NULL);
    expectation_compare(expectation, report);

    oci_settings_finish(&settings);
    oci_document_finish(&document);
    oci_problems_finish(&problems);
}

static GPtrArray *find_fixtures(void)
{
    GPtrArray *names = g_ptr_array_new_with_free_func(g_free);
    g_autoptr(GDir) dir = g_dir_open(DIRECTORY, 0, NULL);
    const char *file;
    while (dir != NULL && (file = g_dir_read_name(dir)) != NULL) {
        if (g_str_has_suffix(file, ".json")) {
            g_ptr_array_add(names, g_strndup(file, strlen(file) - strlen(".json")));
        }
    }
    return names;
}

static void test_there_are_some(gconstpointer data)
{
    const GPtrArray *names = data;
    g_assert_cmpuint(names->len, >=, 20);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_set_nonfatal_assertions();
    g_autoptr(GPtrArray) names = find_fixtures();
    g_test_add_data_func("/fixtures/there-are-some", names, test_there_are_some);
    for (guint i = 0; i < names->len; i++) {
        const char *name = g_ptr_array_index(names, i);
        g_autofree char *path = g_strconcat("/fixtures/", name, NULL);
        g_test_add_data_func(path, name, test_fixture);
    }
    schema_init(&schema);
    int status = g_test_run();
    schema_finish(&schema);
    xmlCleanupParser();
    return status;
}
