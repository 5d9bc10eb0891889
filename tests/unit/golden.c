// SPDX-License-Identifier: LGPL-2.1-or-later

/*
 * tests/golden: NAME.json beside what must become of it, the domain in NAME.xml or the problems in
 * NAME.err; and what `ocivirt validate` says of its properties, in NAME.report, where it asks for
 * that. Run from the top of the tree.
 *
 * The world around is always the same (below), unless the file has a member "golden", which the
 * decoder ignores as it does any unknown property:
 *
 *     "golden": {
 *       "arch": "aarch64", "accel": "kvm", "cpus": 8, "memoryLimit": 536870912,
 *       "allowedCpus": "0-3", that this process may run on (else not known)
 *       "nodes": "0-1",       NUMA nodes of the host (else 0)
 *       "mayNotSetMemoryPolicy": true,
 *       "securityModel": "selinux",
 *       "overlaysOn": [8, 1, 8, 0]   block device, and the disk it is on
 *       "image": {"volume": true, …}    what is behind vm.image, and behind
 *       "mounts": [{}, {"kind": "folder", "names": ["a", "b"]}, …]    the mounts: see source()
 *       "partitions": [[8, 17, 8, 16]]   devices that are a part of another
 *       "interfaces": [{"name": "eth0", "mtu": 1500, "routed": true, "address": "10.0.0.2", …}],
 *       "hostsNetwork": true, "unusablePorts": "1-1023 32768-60999", "portsInUse": "80",
 *       "openFiles": 1024,
 *       "vfio": {"26": ["0000:01:00.0"]},
 *       "environment": ["OCIVIRT_MEMORY=1G"],
 *       "ways": {"/alias": ["/alias", "/real"], …}    links on the way to a path, and its end
 *       "files": true,        look for the files that the config names, too
 *       "report": true,       there is a NAME.report
 *       "strict": true        what is not honoured is a problem: NAME.err
 *     }
 *
 * GOLDEN_UPDATE=1 writes the expectations anew: read the diff before you believe it.
 */

#include "oci/config.h"
#include "oci/document.h"
#include "oci/report.h"
#include "oci/rules.h"
#include "oci/settings.h"
#include "oci/translate.h"
#include "src/host/topology.h"
#include "src/vm/domain_xml.h"
#include "tests/unit/expectation.h"

#include <errno.h>
#include <libxml/parser.h>
#include <locale.h>
#include <string.h>

#define DIRECTORY "tests/golden"
#define BUNDLE "/nonexistent/bundle"

struct surroundings {
    struct oci_host host;
    struct cpulist nodes, allowed_cpus;
    GArray *partitions; /* of struct oci_location */
    GArray *mounts;     /* of struct oci_source */
    GPtrArray *names;   /* of char **, which those have */
    GArray *vfio_devices;
    GArray *vfio_groups;
    GArray *interfaces; /* of struct oci_interface */
    GArray *unusable;   /* of struct port_range */
    GArray *in_use;     /* the same */
    char **environment;
    bool files, report, strict;
};

/* What became of a file; NULL: that is not so. */
struct result {
    char *xml;
    char *err;
    char *report;
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

static struct oci_location location(json_t *numbers)
{
    if (numbers == NULL) {
        return (struct oci_location){false, {0, 0}, {0, 0}};
    }
    int n[4];
    g_assert_cmpint(json_unpack(numbers, "[iiii]", &n[0], &n[1], &n[2], &n[3]), ==, 0);
    return (struct oci_location){true, {n[0], n[1]}, {n[2], n[3]}};
}

static int error_of(json_t *golden, const char *name)
{
    return is(golden, name, "EROFS")    ? EROFS
           : is(golden, name, "EACCES") ? EACCES
           : is(golden, name, "ENOENT") ? ENOENT
                                        : 0;
}

/*
 * {"kind": "missing" | "file" | "folder" | "block" | "other", "image": PATH, "names": [NAME, …],
 *  "volume", "directIo", "allocated", "inUse": true, "error", "readError", "writeError": "EROFS",
 *  "inode": 1, "on": [8, 1, 8, 0]}
 * Without a kind nobody has looked, but what else is said holds.
 */
static struct oci_source source(struct surroundings *s, json_t *golden)
{
    static const char *const kinds[] = {
        [OCI_SOURCE_MISSING] = "missing", [OCI_SOURCE_FILE] = "file",
        [OCI_SOURCE_FOLDER] = "folder",   [OCI_SOURCE_BLOCK] = "block",
        [OCI_SOURCE_OTHER] = "other",
    };
    struct oci_source source = {
        .image = json_string_value(json_object_get(golden, "image")),
        .error = error_of(golden, "error"),
        .read_error = error_of(golden, "readError"),
        .write_error = error_of(golden, "writeError"),
        .volume = json_is_true(json_object_get(golden, "volume")),
        .direct_io = json_is_true(json_object_get(golden, "directIo")),
        .allocated = json_is_true(json_object_get(golden, "allocated")),
        .in_use = json_is_true(json_object_get(golden, "inUse")),
        .block = is(golden, "kind", "block"),
        .location = location(json_object_get(golden, "on")),
    };
    take(golden, "inode", &source.inode);
    for (gsize i = OCI_SOURCE_MISSING; i < G_N_ELEMENTS(kinds); i++) {
        source.kind = is(golden, "kind", kinds[i]) ? i : source.kind;
    }
    json_t *names = json_object_get(golden, "names"), *name;
    if (names != NULL) {
        g_autoptr(GStrvBuilder) builder = g_strv_builder_new();
        size_t index;
        json_array_foreach(names, index, name)
        {
            g_strv_builder_add(builder, json_string_value(name));
        }
        g_ptr_array_add(s->names, g_strv_builder_end(builder));
        source.names = g_ptr_array_index(s->names, s->names->len - 1);
    }
    return source;
}

static void find_sources(struct surroundings *s, json_t *golden)
{
    json_t *mounts = json_object_get(golden, "mounts"), *mount;
    size_t index;
    s->names = g_ptr_array_new_with_free_func((GDestroyNotify)g_strfreev);
    s->mounts = g_array_new(FALSE, FALSE, sizeof(struct oci_source));
    json_array_foreach(mounts, index, mount)
    {
        struct oci_source found = source(s, mount);
        g_array_append_val(s->mounts, found);
    }
    s->host.mounts = mounts != NULL ? (const struct oci_source *)s->mounts->data : NULL;
    s->host.image = source(s, json_object_get(golden, "image"));
}

static gsize add_vfio_devices(GArray *devices, json_t *addresses)
{
    json_t *address;
    size_t index;
    json_array_foreach(addresses, index, address)
    {
        struct vm_pci_device device;
        g_assert_true(topology_parse_pci_address(json_string_value(address), &device));
        g_array_append_val(devices, device);
    }
    return json_array_size(addresses);
}

static void find_vfio(struct surroundings *s, json_t *vfio)
{
    const char *number;
    json_t *addresses;
    s->vfio_devices = g_array_new(FALSE, FALSE, sizeof(struct vm_pci_device));
    s->vfio_groups = g_array_new(FALSE, FALSE, sizeof(struct oci_vfio_group));
    json_object_foreach(vfio, number, addresses)
    {
        struct oci_vfio_group group = {g_ascii_strtoull(number, NULL, 10), NULL,
                                       add_vfio_devices(s->vfio_devices, addresses)};
        g_array_append_val(s->vfio_groups, group);
    }
    /* Now that the array stays where it is. */
    gsize at = 0;
    for (guint i = 0; i < s->vfio_groups->len; i++) {
        struct oci_vfio_group *group = &g_array_index(s->vfio_groups, struct oci_vfio_group, i);
        group->devices = (const struct vm_pci_device *)s->vfio_devices->data + at;
        at += group->length;
    }
    s->host.vfio_groups = (const struct oci_vfio_group *)s->vfio_groups->data;
    s->host.vfio_group_count = s->vfio_groups->len;
}

static void find_ways(struct surroundings *s, json_t *ways)
{
    const char *path;
    json_t *way, *place;
    s->host.ways =
        g_hash_table_new_full(g_str_hash, g_str_equal, g_free, (GDestroyNotify)g_strfreev);
    json_object_foreach(ways, path, way)
    {
        g_autoptr(GStrvBuilder) builder = g_strv_builder_new();
        size_t index;
        json_array_foreach(way, index, place)
        {
            g_strv_builder_add(builder, json_string_value(place));
        }
        g_hash_table_insert(s->host.ways, g_strdup(path), g_strv_builder_end(builder));
    }
}

static void find_partitions(struct surroundings *s, json_t *partitions)
{
    size_t index;
    json_t *partition;
    s->partitions = g_array_new(FALSE, FALSE, sizeof(struct oci_location));
    json_array_foreach(partitions, index, partition)
    {
        struct oci_location at = location(partition);
        g_array_append_val(s->partitions, at);
    }
    s->host.block_devices = (const struct oci_location *)s->partitions->data;
    s->host.block_device_count = s->partitions->len;
}

static struct oci_interface interface(json_t *json)
{
    return (struct oci_interface){
        .name = json_string_value(json_object_get(json, "name")),
        .mtu = json_integer_value(json_object_get(json, "mtu")),
        .routed = json_is_true(json_object_get(json, "routed")),
        .address = json_string_value(json_object_get(json, "address")),
        .prefix = json_integer_value(json_object_get(json, "prefix")),
        .router = json_string_value(json_object_get(json, "router")),
        .address6 = json_string_value(json_object_get(json, "address6")),
    };
}

static GArray *ports(json_t *golden, const char *name)
{
    const char *text = json_string_value(json_object_get(golden, name));
    GArray *list = text != NULL ? ports_parse(text, NULL)
                                : g_array_new(FALSE, FALSE, sizeof(struct port_range));
    g_assert_nonnull(list);
    return list;
}

static void find_network(struct surroundings *s, json_t *golden)
{
    size_t index;
    json_t *json;
    s->interfaces = g_array_new(FALSE, FALSE, sizeof(struct oci_interface));
    json_array_foreach(json_object_get(golden, "interfaces"), index, json)
    {
        struct oci_interface copy = interface(json);
        g_array_append_val(s->interfaces, copy);
    }
    s->unusable = ports(golden, "unusablePorts");
    s->in_use = ports(golden, "portsInUse");
    s->host.network = (struct oci_network_facts){
        .interfaces = (const struct oci_interface *)s->interfaces->data,
        .interface_count = s->interfaces->len,
        .is_hosts = json_is_true(json_object_get(golden, "hostsNetwork")),
        .unusable = s->unusable,
        .in_use = s->in_use,
        .files = json_integer_value(json_object_get(golden, "openFiles")),
    };
}

static void surroundings_init(struct surroundings *s, json_t *golden)
{
    bool aarch64 = is(golden, "arch", "aarch64");
    guint64 cpus = 2, memory = 0, memory_limit = 0;
    take(golden, "cpus", &cpus);
    take(golden, "memory", &memory);
    take(golden, "memoryLimit", &memory_limit);
    *s = (struct surroundings){
        .host = {.arch = aarch64 ? VM_ARCH_AARCH64 : VM_ARCH_X86_64,
                 .accel = is(golden, "accel", "kvm") ? VM_ACCEL_KVM : VM_ACCEL_TCG,
                 .cpus = cpus,
                 .memory = memory,
                 .memory_limit = memory_limit,
                 .emulator =
                     aarch64 ? "/usr/bin/qemu-system-aarch64" : "/usr/bin/qemu-system-x86_64",
                 .id = "golden",
                 .root = "/var/lib/ocivirt",
                 .may_set_memory_policy =
                     !json_is_true(json_object_get(golden, "mayNotSetMemoryPolicy")),
                 .security_model = json_string_value(json_object_get(golden, "securityModel")),
                 .overlays = location(json_object_get(golden, "overlaysOn"))},
        .files = json_is_true(json_object_get(golden, "files")),
        .report = json_is_true(json_object_get(golden, "report")),
        .strict = json_is_true(json_object_get(golden, "strict")),
    };
    const char *nodes = json_string_value(json_object_get(golden, "nodes"));
    g_assert_true(cpulist_parse(nodes != NULL ? nodes : "0", &s->nodes));
    s->host.nodes = &s->nodes;
    const char *allowed = json_string_value(json_object_get(golden, "allowedCpus"));
    if (allowed != NULL) {
        g_assert_true(cpulist_parse(allowed, &s->allowed_cpus));
        s->host.allowed_cpus = &s->allowed_cpus;
    }
    find_sources(s, golden);
    find_vfio(s, json_object_get(golden, "vfio"));
    find_partitions(s, json_object_get(golden, "partitions"));
    find_network(s, golden);
    find_ways(s, json_object_get(golden, "ways"));
    g_autoptr(GStrvBuilder) environment = g_strv_builder_new();
    size_t index;
    json_t *variable;
    json_array_foreach(json_object_get(golden, "environment"), index, variable)
    {
        g_strv_builder_add(environment, json_string_value(variable));
    }
    s->environment = g_strv_builder_end(environment);
}

static void surroundings_finish(struct surroundings *s)
{
    g_strfreev(s->environment);
    g_array_unref(s->partitions);
    g_array_unref(s->mounts);
    g_ptr_array_unref(s->names);
    g_array_unref(s->vfio_devices);
    g_array_unref(s->vfio_groups);
    g_array_unref(s->interfaces);
    g_array_unref(s->unusable);
    g_array_unref(s->in_use);
    g_hash_table_unref(s->host.ways);
}

/* As `ocivirt validate` does; "golden" itself is no property of a file. */
static void make_report(const struct oci_document *document, const struct oci_situation *situation,
                        const struct surroundings *s, struct oci_problems *problems,
                        struct result *result)
{
    if (!s->report && !s->strict) {
        return;
    }
    json_object_del(document->root, "golden");
    g_autoptr(GPtrArray) lines = oci_report_make(document, situation, problems);
    if (s->report) {
        result->report = oci_report_format(lines);
    }
    if (s->strict) {
        oci_report_be_strict(lines, problems);
    }
}

/* What ocivirt does between reading the file and starting the VM. */
static void examine(struct oci_document *document, struct oci_problems *problems,
                    struct result *result)
{
    g_autoptr(oci_config) config = oci_config_decode(document, BUNDLE, problems);
    g_autoptr(GPtrArray) warnings = g_ptr_array_new_with_free_func(g_free);
    g_autoptr(vm_spec) spec = NULL;
    struct surroundings s;
    struct oci_settings settings;
    json_t *golden = json_incref(json_object_get(document->root, "golden"));
    surroundings_init(&s, golden);
    oci_settings_init(&settings, config, s.environment, problems, warnings);
    if (s.files) {
        oci_settings_read_files(&settings, BUNDLE, problems);
        oci_rules_check_files(config, problems);
    }
    if (!oci_problems_any(problems)) {
        spec = oci_translate(config, &settings, &s.host, problems);
    }
    const struct oci_situation situation = {config, &settings, &s.host, spec};
    make_report(document, &situation, &s, problems, result);
    if (!oci_problems_any(problems)) {
        result->xml = domain_xml(spec);
    }
    oci_settings_finish(&settings);
    surroundings_finish(&s);
    json_decref(golden);
}

static struct result run(const char *name)
{
    struct result result = {NULL, NULL, NULL};
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
        examine(&document, &problems, &result);
    }
    if (result.xml == NULL) {
        result.err = oci_problems_format(&problems, file);
    }
    oci_document_finish(&document);
    oci_problems_finish(&problems);
    return result;
}

static void compare(const char *name, const char *suffix, const char *actual)
{
    g_autofree char *path = g_strconcat(DIRECTORY "/", name, suffix, NULL);
    expectation_compare(path, actual);
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
                       g_str_has_prefix(*line, "the container's memory limit of ") ||
                       g_str_has_suffix(*line, " more problems are not shown");
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
    compare(name, ".report", result.report);
    g_free(result.xml);
    g_free(result.err);
    g_free(result.report);
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
        } else if (!g_str_equal(file, "rows.txt") && !g_file_test(json, G_FILE_TEST_EXISTS)) {
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
