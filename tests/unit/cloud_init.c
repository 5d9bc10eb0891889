// SPDX-License-Identifier: LGPL-2.1-or-later
#include "oci/cloud_init.h"
#include "tests/unit/expect.h"

#include <jansson.h>
#include <string.h>

static GPtrArray *new_keys(const char *first, const char *second)
{
    GPtrArray *keys = g_ptr_array_new();
    if (first != NULL) {
        g_ptr_array_add(keys, (gpointer)first);
    }
    if (second != NULL) {
        g_ptr_array_add(keys, (gpointer)second);
    }
    return keys;
}

static void test_meta_data(void)
{
    static const struct {
        const char *own, *hostname, *key;
        const char *text;
    } cases[] = {
        {NULL, NULL, NULL, "{\"instance-id\":\"id\"}\n"},
        {NULL, "vm", "k",
         "{\"instance-id\":\"id\",\"local-hostname\":\"vm\","
         "\"public-keys\":[\"k\"]}\n"},
        /* The user's own holds; what is missing is added. */
        {"{\"instance-id\":\"mine\"}", "vm", NULL,
         "{\"instance-id\":\"mine\",\"local-hostname\":\"vm\"}\n"},
        {"{\"a\": {\"b\": 1}}", NULL, NULL, "{\"a\":{\"b\":1},\"instance-id\":\"id\"}\n"},
        {"instance-id: mine\n", "vm", NULL, "instance-id: mine\nlocal-hostname: \"vm\"\n"},
        {"instance-id: mine", NULL, "k", "instance-id: mine\npublic-keys: [\"k\"]\n"},
        {"'instance-id' : x\n", NULL, NULL, "'instance-id' : x\n"},
        {"\"instance-id\": x\n", NULL, NULL, "\"instance-id\": x\n"},
        /* Only at the top, and only the whole name. */
        {"a:\n  instance-id: x\n", NULL, NULL, "a:\n  instance-id: x\ninstance-id: \"id\"\n"},
        {"instance-id-old: x\n", NULL, NULL, "instance-id-old: x\ninstance-id: \"id\"\n"},
        {"", NULL, NULL, "instance-id: \"id\"\n"},
        {"# a\n%YAML 1.2\n--- # b\na: 1\n", NULL, NULL,
         "# a\n%YAML 1.2\n--- # b\na: 1\ninstance-id: \"id\"\n"},
        {"a: |\r\n  ...\r\n", NULL, NULL, "a: |\r\n  ...\r\ninstance-id: \"id\"\n"},
        /* A byte order mark is no part of a key, and none of JSON. */
        {"\xef\xbb\xbfinstance-id: mine\n", NULL, NULL, "instance-id: mine\n"},
        {"\xef\xbb\xbf{\"instance-id\":\"mine\"}", NULL, NULL, "{\"instance-id\":\"mine\"}\n"},
        /* A line at the end would be none of these mappings' entries. */
        {"{a: 1}\n", NULL, NULL, NULL},
        {"--- {a: 1}\n", NULL, NULL, NULL},
        {"  a: 1\n", NULL, NULL, NULL},
        {"a: 1\n...\n", NULL, NULL, NULL},
        {"a: 1\n---\nb: 1\n", NULL, NULL, NULL},
        {"- a: 1\n", NULL, NULL, NULL},
        {"[1]", NULL, NULL, NULL},
        {"meta-data.yaml", NULL, NULL, NULL},
        /* Where nothing is missing, it is as it is. */
        {"instance-id: x\n...\n", NULL, NULL, "instance-id: x\n...\n"},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GPtrArray) keys = new_keys(cases[i].key, NULL);
        g_autofree char *text =
            oci_cloud_init_meta_data(cases[i].own, "id", cases[i].hostname, keys);
        expect_str(cases[i].own != NULL ? cases[i].own : cases[i].text, text, cases[i].text);
    }
}

static void test_has_key(void)
{
    g_assert_true(oci_cloud_init_has_key("{\"a\": 1}", "a"));
    g_assert_false(oci_cloud_init_has_key("{\"b\": {\"a\": 1}}", "a"));
    g_assert_true(oci_cloud_init_has_key("b: 1\na: 2\n", "a"));
    g_assert_false(oci_cloud_init_has_key("b:\n  a: 2\n", "a"));
    g_assert_false(oci_cloud_init_has_key("", "a"));
}

/* The folders belong to the spec. */
static void add_folder(struct vm_spec *spec, const char *tag, const char *at, bool readonly)
{
    struct vm_folder *folder = g_new0(struct vm_folder, 1);
    folder->tag = g_strdup(tag);
    folder->destination = g_strdup(at);
    folder->readonly = readonly;
    g_ptr_array_add(spec->folders, folder);
}

static void add_file(struct vm_spec *spec, const char *name, const char *at)
{
    struct vm_file *file = g_new0(struct vm_file, 1);
    file->name = g_strdup(name);
    file->destination = g_strdup(at);
    g_ptr_array_add(spec->files, file);
}

/* Part @index of an archive; the caller owns it. */
static char *part(const char *text, gsize index, const char *member)
{
    static const char header[] = "#cloud-config-archive\n";
    g_assert_true(g_str_has_prefix(text, header));
    json_t *parts = json_loads(text + strlen(header), 0, NULL);
    char *value =
        g_strdup(json_string_value(json_object_get(json_array_get(parts, index), member)));
    json_decref(parts);
    return value;
}

static void test_password(void)
{
    g_autoptr(vm_spec) spec = vm_spec_new();
    g_assert_null(oci_cloud_init_vendor_data(spec, NULL, NULL));

    g_autofree char *of_default = oci_cloud_init_vendor_data(spec, NULL, "$6$a$b");
    g_autofree char *type = part(of_default, 0, "type");
    g_autofree char *content = part(of_default, 0, "content");
    g_assert_cmpstr(type, ==, "text/cloud-config");
    g_assert_cmpstr(content, ==,
                    "#cloud-config\n{\"user\":{\"hashed_passwd\":\"$6$a$b\","
                    "\"lock_passwd\":false}}\n");

    g_autofree char *of_bob = oci_cloud_init_vendor_data(spec, "bob", "$y$a$b");
    g_autofree char *bobs = part(of_bob, 0, "content");
    g_assert_cmpstr(bobs, ==,
                    "#cloud-config\n{\"chpasswd\":{\"expire\":false,\"users\":[{\"name\":\"bob\","
                    "\"password\":\"$y$a$b\",\"type\":\"hash\"}]}}\n");
}

static void test_folders(void)
{
    g_autoptr(vm_spec) spec = vm_spec_new();
    add_folder(spec, "data", "/srv/data", false);
    add_folder(spec, "two", "/srv/it's \"two\"", true);
    add_file(spec, "0", "/etc/a/b");
    g_autofree char *text = oci_cloud_init_vendor_data(spec, NULL, "$6$a$b");
    g_autofree char *type = part(text, 0, "type"), *script = part(text, 0, "content");
    g_autofree char *second = part(text, 1, "type"), *none = part(text, 2, "type");
    g_assert_cmpstr(type, ==, "text/cloud-boothook");
    g_assert_cmpstr(
        script, ==,
        "#cloud-boothook\n#!/bin/sh\n"
        "mkdir -p '/srv/data'; findmnt '/srv/data' >/dev/null || "
        "mount -t virtiofs 'data' '/srv/data'\n"
        "mkdir -p '/srv/it'\\''s \"two\"'; findmnt '/srv/it'\\''s \"two\"' >/dev/null || "
        "mount -t virtiofs -o ro 'two' '/srv/it'\\''s \"two\"'\n"
        "mkdir -p '/etc/a'; [ -e '/etc/a/b' ] || : >'/etc/a/b'; findmnt '/etc/a/b' >/dev/null || "
        "mount -o bind " VM_FILES_DESTINATION "/0 '/etc/a/b'\n");
    g_assert_cmpstr(second, ==, "text/cloud-config");
    g_assert_null(none);
}

static void test_knows(void)
{
    static const struct {
        const char *text;
        bool known;
    } cases[] = {
        {"#cloud-config\nusers: []\n", true},
        {"#cloud-config-archive\n[]", true},
        {"#!/bin/sh\n", true},
        {"#include\nhttp://a\n", true},
        {"Content-Type: multipart/mixed; boundary=a\n", true},
        {"mime-version: 1.0\n", true},
        {"## template: jinja\n#cloud-config\n", true},
        {"\x1f\x8b\x08", true},
        {"", true},
        {OCI_CLOUD_INIT_NOTHING, true},
        {"users: []\n", false},
        {"# cloud-config\n", false},
        {" #cloud-config\n", false},
        {"user-data.yaml", false},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GBytes) bytes = g_bytes_new_static(cases[i].text, strlen(cases[i].text));
        expect(cases[i].text, oci_cloud_init_knows(bytes) == cases[i].known);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_set_nonfatal_assertions();
    g_test_add_func("/cloud-init/meta-data", test_meta_data);
    g_test_add_func("/cloud-init/has-key", test_has_key);
    g_test_add_func("/cloud-init/password", test_password);
    g_test_add_func("/cloud-init/folders", test_folders);
    g_test_add_func("/cloud-init/knows", test_knows);
    return g_test_run();
}
