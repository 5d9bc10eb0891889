// SPDX-License-Identifier: LGPL-2.1-or-later

/*
 * Random configs, made by the tables: whatever ocivirt accepts becomes a domain that libvirt's
 * schema accepts. With --seed and the seed that a run has printed it makes the same configs again.
 */

#include "oci/settings.h"
#include "oci/translate.h"
#include "src/vm/domain_xml.h"
#include "tests/fuzz/generate.h"
#include "tests/unit/fixture.h"
#include "tests/unit/schema.h"

#define CONFIGS 400

/* A config is repaired until it is accepted: at most so often. */
#define MOST_REPAIRS 100

/* Takes the first step of @path off: a name, or the index of an element. */
static char *take_step(const char **path)
{
    GString *step = g_string_new(NULL);
    const char *p = *path;
    bool quoted = g_str_has_prefix(p, "[\"");
    p += quoted ? 2 : *p == '.' || *p == '[';
    while (*p != '\0' && (quoted ? *p != '"' : strchr(".[]", *p) == NULL)) {
        p += quoted && *p == '\\';
        g_string_append_c(step, *p++);
    }
    p += quoted && *p == '"';
    p += *p == ']';
    *path = p;
    return g_string_free(step, FALSE);
}

static json_t *enter(json_t *node, const char *step)
{
    return json_is_array(node) ? json_array_get(node, g_ascii_strtoull(step, NULL, 10))
                               : json_object_get(node, step);
}

static void leave_out(json_t *parent, const char *step)
{
    if (json_is_array(parent)) {
        json_array_remove(parent, g_ascii_strtoull(step, NULL, 10));
    } else {
        json_object_del(parent, step);
    }
}

/* Leaves out what is at @path; what is around it, where something is missing there. */
static void leave_out_path(json_t *root, const char *path)
{
    json_t *parent = NULL, *node = root;
    g_autofree char *last = NULL;
    while (*path != '\0') {
        g_autofree char *step = take_step(&path);
        json_t *child = enter(node, step);
        if (child == NULL) {
            break;
        }
        parent = node;
        node = child;
        g_free(last);
        last = g_steal_pointer(&step);
    }
    if (parent != NULL) {
        leave_out(parent, last);
    }
}

static void repair(json_t *root, const struct oci_problem *problem)
{
    if (g_str_equal(problem->where, "vm")) { /* there is nothing to boot */
        json_object_set_new(root, "vm", json_pack("{s:{s:s}}", "image", "path", "/disk"));
    } else {
        leave_out_path(root, problem->where);
    }
}

struct trial {
    GRand *rand;
    json_t *root;
    struct oci_host host;
    char *text; /* of the config */
    char *xml;  /* NULL: it was not accepted */
};

static void trial_init(struct trial *trial)
{
    static const char *const models[] = {NULL, "selinux", "apparmor"};
    static const struct vm_pci_device card = {0, 1, 0, 0};
    static const struct oci_vfio_group group = {1, &card, 1};
    *trial = (struct trial){.rand = g_rand_new_with_seed(g_test_rand_int())};
    trial->root = generate_object(trial->rand, oci_fields_config);
    trial->host = (struct oci_host){
        .arch = g_rand_boolean(trial->rand) ? VM_ARCH_AARCH64 : VM_ARCH_X86_64,
        .accel = g_rand_boolean(trial->rand) ? VM_ACCEL_KVM : VM_ACCEL_TCG,
        .cpus = g_rand_int_range(trial->rand, 1, 300),
        .memory_limit = g_rand_boolean(trial->rand) ? (guint64)64 << 30 : 0,
        .emulator = "/usr/bin/qemu",
        .id = "property",
        .root = "/var/lib/ocivirt",
        .may_set_memory_policy = g_rand_boolean(trial->rand),
        .image = {.block = g_rand_boolean(trial->rand), .location = {true, {0, 1}, {0, 0}}},
        .overlays = {true, {1, 1}, {1, 0}},
        .vfio_groups = &group,
        .vfio_group_count = 1,
        .security_model = models[g_rand_int_range(trial->rand, 0, G_N_ELEMENTS(models))],
    };
}

static void trial_finish(struct trial *trial)
{
    g_rand_free(trial->rand);
    json_decref(trial->root);
    g_free(trial->text);
    g_free(trial->xml);
}

/* Sets the XML, or repairs what has kept it from being accepted. */
static void try(struct trial *trial)
{
    struct fixture f = {.warnings = g_ptr_array_new_with_free_func(g_free)};
    char *nothing[] = {NULL};
    char *text = json_dumps(trial->root, JSON_INDENT(2));
    g_free(trial->text);
    trial->text = g_strdup(text);
    free(text);
    oci_problems_init(&f.problems);
    g_assert_true(
        oci_document_init(&f.document, g_strdup(trial->text), strlen(trial->text), &f.problems));
    f.config = oci_config_decode(&f.document, FIXTURE_BUNDLE, &f.problems);
    oci_settings_init(&f.settings, f.config, nothing, &f.problems, f.warnings);
    g_autoptr(vm_spec) spec = oci_problems_any(&f.problems)
                                  ? NULL
                                  : oci_translate(f.config, &f.settings, &trial->host, &f.problems);
    if (spec != NULL) {
        trial->xml = domain_xml(spec);
    } else {
        repair(trial->root, g_ptr_array_index(f.problems.list, 0));
    }
    fixture_finish(&f);
}

static void test_schema(void)
{
    struct schema schema;
    int accepted = 0;
    schema_init(&schema);
    for (int i = 0; i < CONFIGS && !g_test_failed(); i++) {
        struct trial trial;
        trial_init(&trial);
        for (int n = 0; n < MOST_REPAIRS && trial.xml == NULL; n++) {
            try(&trial);
        }
        accepted += trial.xml != NULL;
        if (trial.xml != NULL && !schema_accepts(&schema, trial.xml)) {
            g_test_message("from %s\ncame %s", trial.text, trial.xml);
            g_test_fail();
        }
        trial_finish(&trial);
    }
    schema_finish(&schema);
    g_test_message("%d of %d configs were accepted", accepted, CONFIGS);
    g_assert_cmpint(accepted, >, CONFIGS * 3 / 4);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_set_nonfatal_assertions();
    g_test_add_func("/property/schema", test_schema);
    int status = g_test_run();
    xmlRelaxNGCleanupTypes();
    xmlCleanupParser();
    return status;
}
