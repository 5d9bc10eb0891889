// SPDX-License-Identifier: LGPL-2.1-or-later

/*
 * tests/golden: NAME.json beside what must become of it, the domain in NAME.xml or the problems in
 * NAME.err. Run from the top of the tree.
 *
 * The world around is always the same (below), unless the file has a member "golden", which the
 * decoder ignores as it does any unknown property:
 *
 *     "golden": {
 *       "arch": "aarch64", "accel": "kvm", "cpus": 8, "memoryLimit": 536870912,
 *       "environment": ["OCIVIRT_MEMORY=1G"],
 *       "files": true         look for the files that the config names, too
 *     }
 *
 * GOLDEN_UPDATE=1 writes the expectations anew: read the diff before you believe it.
 */

#include "oci/config.h"
#include "oci/document.h"
#include "oci/rules.h"
#include "oci/settings.h"
#include "oci/translate.h"
#include "src/vm/domain_xml.h"

#include <gio/gio.h>
#include <glib/gstdio.h>
#include <libxml/parser.h>
#include <locale.h>
#include <string.h>

#define DIRECTORY "tests/golden"
#define BUNDLE "/nonexistent/bundle"

struct surroundings {
    struct oci_host host;
    char **environment;
    bool files;
};

static void take(json_t *golden, const char *name, guint64 *value)
{
    json_t *member = json_object_get(golden, name);
    if (member != NULL) {
        g_assert_true(json_is_integer(member));
        *value = json_integer_value(member);
    }
}

static bool is(json_t *golden, const char *name, const char *word)
{
    return g_strcmp0(json_string_value(json_object_get(golden, name)), word) == 0;
}

static void surroundings_init(struct surroundings *s, json_t *golden)
{
    bool aarch64 = is(golden, "arch", "aarch64");
    guint64 cpus = 2, memory_limit = 0;
    take(golden, "cpus", &cpus);
    take(golden, "memoryLimit", &memory_limit);
    *s = (struct surroundings){
        .host = {.arch = aarch64 ? VM_ARCH_AARCH64 : VM_ARCH_X86_64,
                 .accel = is(golden, "accel", "kvm") ? VM_ACCEL_KVM : VM_ACCEL_TCG,
                 .cpus = cpus,
                 .memory_limit = memory_limit,
                 .emulator =
                     aarch64 ? "/usr/bin/qemu-system-aarch64" : "/usr/bin/qemu-system-x86_64",
                 .id = "golden",
                 .root = "/var/lib/ocivirt"},
        .files = json_is_true(json_object_get(golden, "files")),
    };
    g_autoptr(GStrvBuilder) environment = g_strv_builder_new();
    size_t index;
    json_t *variable;
    json_array_foreach(json_object_get(golden, "environment"), index, variable)
    {
        g_strv_builder_add(environment, json_string_value(variable));
    }
    s->environment = g_strv_builder_end(environment);
}

/* The domain XML, or NULL with at least one problem: what ocivirt does between reading the file and
 * starting the VM. */
static char *make_domain(struct oci_document *document, struct oci_problems *problems)
{
    g_autoptr(oci_config) config = oci_config_decode(document, BUNDLE, problems);
    g_autoptr(GPtrArray) warnings = g_ptr_array_new_with_free_func(g_free);
    g_autoptr(vm_spec) spec = NULL;
    struct surroundings s;
    struct oci_settings settings;
    surroundings_init(&s, json_object_get(document->root, "golden"));
    oci_settings_init(&settings, config, s.environment, problems, warnings);
    if (s.files) {
        oci_rules_check_files(config, problems);
    }
    if (!oci_problems_any(problems)) {
        spec = oci_translate(config, &settings, &s.host, problems);
    }
    oci_settings_finish(&settings);
    g_strfreev(s.environment);
    return spec != NULL ? domain_xml(spec) : NULL;
}

/* One of them is set: the contents of NAME.xml or of NAME.err. */
struct result {
    char *xml;
    char *err;
};

static struct result run(const char *name)
{
    struct result result = {NULL, NULL};
    g_autofree char *file = g_strconcat(name, ".json", NULL);
    g_autofree char *path = g_build_filename(DIRECTORY, file, NULL);
    g_autoptr(GError) error = NULL;
    struct oci_problems problems;
    struct oci_document document;
    gsize length;
    char *text = oci_document_read(path, &length, &error);
    g_assert_no_error(error);
    oci_problems_init(&problems);
    if (oci_document_init(&document, text, length, &problems)) {
        result.xml = make_domain(&document, &problems);
    }
    if (result.xml == NULL) {
        result.err = oci_problems_format(&problems, file);
    } else {
        g_assert_false(oci_problems_any(&problems));
    }
    oci_document_finish(&document);
    oci_problems_finish(&problems);
    return result;
}

/* What @arguments print, in one message. Whether they went well; not there is not well. */
static bool command_succeeds(const char *const *arguments)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *output = NULL;
    g_autoptr(GSubprocess) process = g_subprocess_newv(
        arguments, G_SUBPROCESS_FLAGS_STDOUT_PIPE | G_SUBPROCESS_FLAGS_STDERR_MERGE, &error);
    if (process == NULL ||
        !g_subprocess_communicate_utf8(process, NULL, NULL, &output, NULL, &error)) {
        g_test_message("%s: %s", arguments[0], error->message);
        return false;
    }
    if (!g_subprocess_get_successful(process)) {
        g_test_message("%s", output);
        return false;
    }
    return true;
}

static char *write_scratch(const char *text)
{
    char *path = NULL;
    int fd = g_file_open_tmp("ocivirt-golden-XXXXXX", &path, NULL);
    g_assert_cmpint(fd, >=, 0);
    g_close(fd, NULL);
    g_assert_true(g_file_set_contents(path, text, -1, NULL));
    return path;
}

static char *expectation_path(const char *name, const char *suffix)
{
    return g_strconcat(DIRECTORY "/", name, suffix, NULL);
}

static void compare(const char *name, const char *suffix, const char *actual)
{
    g_autofree char *path = expectation_path(name, suffix);
    g_autofree char *expected = NULL;
    bool there = g_file_get_contents(path, &expected, NULL, NULL);
    if (g_getenv("GOLDEN_UPDATE") != NULL) {
        if (actual == NULL) {
            g_unlink(path);
        } else if (g_strcmp0(expected, actual) != 0) {
            g_assert_true(g_file_set_contents(path, actual, -1, NULL));
        }
        return;
    }
    if (actual == NULL && there) {
        g_test_message("%s is there, and is not what becomes of %s.json", path, name);
        g_test_fail();
    } else if (actual != NULL && g_strcmp0(expected, actual) != 0) {
        g_autofree char *scratch = write_scratch(actual);
        const char *const diff[] = {"diff", "-u", there ? path : "/dev/null", scratch, NULL};
        command_succeeds(diff); /* it tells the difference */
        g_unlink(scratch);
        g_test_fail();
    }
}

static void check_schema(const char *xml)
{
    g_autofree char *scratch = write_scratch(xml);
    const char *const validate[] = {"virt-xml-validate", scratch, "domain", NULL};
    g_assert_true(command_succeeds(validate));
    g_unlink(scratch);
}

/* Every problem of these files is of the file, or of the environment: it says where. */
static void check_places(const char *err)
{
    g_assert_true(g_str_has_suffix(err, "\n"));
    g_auto(GStrv) lines = g_strsplit(err, "\n", 0);
    for (char **line = lines; **line != '\0'; line++) {
        bool placed = g_regex_match_simple("^[a-z0-9-]+\\.json:[1-9][0-9]*:[1-9][0-9]*: ", *line,
                                           G_REGEX_DEFAULT, G_REGEX_MATCH_DEFAULT);
        bool outside = g_str_has_prefix(*line, "environment OCIVIRT_") ||
                       g_str_has_prefix(*line, "the container's memory limit of ");
        if (!placed && !outside) {
            g_test_message("without a place: %s", *line);
            g_test_fail();
        }
    }
}

static void test_case(gconstpointer data)
{
    const char *name = data;
    struct result result = run(name);
    if (result.xml != NULL) {
        check_schema(result.xml);
    } else {
        check_places(result.err);
    }
    compare(name, ".xml", result.xml);
    compare(name, ".err", result.err);
    g_free(result.xml);
    g_free(result.err);
}

static GPtrArray *cases;   /* of names, sorted */
static GPtrArray *orphans; /* of files that belong to none */

static int by_name(gconstpointer a, gconstpointer b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void test_orphans(void)
{
    for (guint i = 0; i < orphans->len; i++) {
        g_test_message(DIRECTORY "/%s belongs to no .json",
                       (const char *)g_ptr_array_index(orphans, i));
        g_test_fail();
    }
    g_assert_cmpuint(cases->len, >, 40); /* not an empty or a wrong directory */
}

static void find_cases(void)
{
    cases = g_ptr_array_new_with_free_func(g_free);
    orphans = g_ptr_array_new_with_free_func(g_free);
    GDir *dir = g_dir_open(DIRECTORY, 0, NULL);
    const char *file;
    while (dir != NULL && (file = g_dir_read_name(dir)) != NULL) {
        const char *suffix = strrchr(file, '.');
        g_autofree char *name = suffix != NULL ? g_strndup(file, suffix - file) : g_strdup(file);
        g_autofree char *json = g_strconcat(DIRECTORY "/", name, ".json", NULL);
        if (g_strcmp0(suffix, ".json") == 0) {
            g_ptr_array_add(cases, g_steal_pointer(&name));
        } else if (!g_file_test(json, G_FILE_TEST_EXISTS)) {
            g_ptr_array_add(orphans, g_strdup(file));
        }
    }
    g_clear_pointer(&dir, g_dir_close);
    g_ptr_array_sort(cases, by_name);
}

int main(int argc, char **argv)
{
    setlocale(LC_CTYPE, ""); /* diffs may hold any character */
    g_test_init(&argc, &argv, NULL);
    g_test_set_nonfatal_assertions();
    find_cases();
    g_test_add_func("/golden/orphans", test_orphans);
    for (guint i = 0; i < cases->len; i++) {
        const char *name = g_ptr_array_index(cases, i);
        g_autofree char *path = g_strconcat("/golden/", name, NULL);
        g_test_add_data_func(path, name, test_case);
    }
    int status = g_test_run();
    g_ptr_array_unref(cases);
    g_ptr_array_unref(orphans);
    xmlCleanupParser();
    return status;
}
