// SPDX-License-Identifier: LGPL-2.1-or-later
#include "src/host/first_boot.h"
#include "src/util/error.h"
#include "tests/unit/expect.h"

#include <archive.h>
#include <archive_entry.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>

static char *scratch; /* a directory */

static GBytes *bytes(const char *text)
{
    return g_bytes_new(text, strlen(text));
}

static struct vm_seed *new_seed(void)
{
    struct vm_seed *seed = vm_seed_new();
    seed->path = g_build_filename(scratch, "seed.iso", NULL);
    seed->user_data = bytes("#cloud-config\n");
    seed->meta_data = bytes("{}\n");
    return seed;
}

static int by_text(gconstpointer a, gconstpointer b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* "NAME=TEXT" of each file, sorted; the caller owns them. */
static GPtrArray *read_seed(const char *path)
{
    GPtrArray *files = g_ptr_array_new_with_free_func(g_free);
    struct archive *archive = archive_read_new();
    struct archive_entry *entry;
    archive_read_support_format_iso9660(archive);
    g_assert_cmpint(archive_read_open_filename(archive, path, 65536), ==, ARCHIVE_OK);
    while (archive_read_next_header(archive, &entry) == ARCHIVE_OK) {
        g_autofree char *text = g_malloc0(archive_entry_size(entry) + 1);
        archive_read_data(archive, text, archive_entry_size(entry));
        if (archive_entry_filetype(entry) == AE_IFREG) {
            g_ptr_array_add(files, g_strconcat(archive_entry_pathname(entry), "=", text, NULL));
        }
    }
    archive_read_free(archive);
    g_ptr_array_sort(files, by_text);
    return files;
}

static const char *file_at(const GPtrArray *files, guint index)
{
    return index < files->len ? g_ptr_array_index(files, index) : NULL;
}

static void test_seed(void)
{
    g_autoptr(GError) error = NULL;
    struct vm_seed *seed = new_seed();
    g_assert_true(first_boot_write_seed(seed, &error));
    g_assert_no_error(error);
    g_autoptr(GPtrArray) few = read_seed(seed->path);
    g_assert_cmpuint(few->len, ==, 2);
    g_assert_cmpstr(file_at(few, 0), ==, "meta-data={}\n");
    g_assert_cmpstr(file_at(few, 1), ==, "user-data=#cloud-config\n");

    /* Again, over the earlier one, with all that there can be. */
    seed->vendor_data = bytes("#cloud-config-archive\n[]\n");
    seed->network_config = bytes("version: 2\n");
    g_assert_true(first_boot_write_seed(seed, &error));
    g_assert_no_error(error);
    g_autoptr(GPtrArray) all = read_seed(seed->path);
    g_assert_cmpuint(all->len, ==, 4);
    g_assert_cmpstr(file_at(all, 1), ==, "network-config=version: 2\n");
    g_assert_cmpstr(file_at(all, 3), ==, "vendor-data=#cloud-config-archive\n[]\n");

    struct stat status;
    g_assert_cmpint(stat(seed->path, &status), ==, 0);
    g_assert_cmpint(status.st_mode & 0777, ==, 0600);
    g_unlink(seed->path);
    vm_seed_free(seed);
}

/* ECMA-119: the primary volume descriptor is sector 16, and has the label at byte 40. */
static void test_label(void)
{
    struct vm_seed *seed = new_seed();
    g_autofree char *image = NULL;
    gsize length;
    g_assert_true(first_boot_write_seed(seed, NULL));
    g_assert_true(g_file_get_contents(seed->path, &image, &length, NULL));
    g_assert_cmpuint(length, >, 17 * 2048);
    g_assert_cmpmem(image + 16 * 2048 + 1, 5, "CD001", 5);
    g_autofree char *label = g_ascii_strdown(image + 16 * 2048 + 40, 32);
    g_assert_cmpstr(g_strchomp(label), ==, "cidata");
    g_unlink(seed->path);
    vm_seed_free(seed);
}

static void test_large(void)
{
    struct vm_seed *seed = new_seed();
    gsize length = 1 << 20;
    g_bytes_unref(seed->user_data);
    seed->user_data = g_bytes_new_take(g_strnfill(length, 'x'), length);
    g_assert_true(first_boot_write_seed(seed, NULL));
    g_autoptr(GPtrArray) files = read_seed(seed->path);
    g_assert_cmpuint(strlen(file_at(files, 1)), ==, length + strlen("user-data="));
    g_unlink(seed->path);
    vm_seed_free(seed);
}

static void test_fw_cfg(void)
{
    g_autoptr(vm_spec) spec = vm_spec_new();
    g_autoptr(GError) error = NULL;
    vm_spec_add_fw_cfg(spec, "opt/x", g_bytes_new_static("a\0b", 3), scratch);
    vm_spec_add_fw_cfg(spec, "opt/y", g_bytes_new_static("", 0), scratch);
    g_assert_true(first_boot_prepare(spec, &error));
    g_assert_no_error(error);
    for (guint i = 0; i < spec->fw_cfg->len; i++) {
        const struct vm_fw_cfg *entry = g_ptr_array_index(spec->fw_cfg, i);
        g_autofree char *text = NULL;
        gsize length;
        struct stat status;
        g_assert_true(g_file_get_contents(entry->path, &text, &length, NULL));
        g_assert_cmpuint(length, ==, i == 0 ? 3 : 0);
        g_assert_cmpint(stat(entry->path, &status), ==, 0);
        g_assert_cmpint(status.st_mode & 0777, ==, 0600);
        g_unlink(entry->path);
    }
}

static void test_failures(void)
{
    struct vm_seed *seed = new_seed();
    g_autoptr(GError) error = NULL, fw_cfg = NULL;
    g_free(seed->path);
    seed->path = g_build_filename(scratch, "none", "seed.iso", NULL);
    g_assert_false(first_boot_write_seed(seed, &error));
    g_assert_error(error, ERROR_DOMAIN, ERROR_UNAVAILABLE);
    g_assert_nonnull(strstr(error->message, "/none/seed.iso: No such file or directory"));
    vm_seed_free(seed);

    g_autoptr(vm_spec) spec = vm_spec_new();
    vm_spec_add_fw_cfg(spec, "opt/x", bytes("a"), "/nonexistent");
    g_assert_false(first_boot_prepare(spec, &fw_cfg));
    g_assert_error(fw_cfg, ERROR_DOMAIN, ERROR_UNAVAILABLE);
    g_assert_nonnull(strstr(fw_cfg->message, "cannot write /nonexistent/fw_cfg-0, for opt/x: "));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_set_nonfatal_assertions();
    scratch = g_dir_make_tmp("ocivirt-first-boot-XXXXXX", NULL);
    g_assert_nonnull(scratch);
    g_test_add_func("/first-boot/seed", test_seed);
    g_test_add_func("/first-boot/label", test_label);
    g_test_add_func("/first-boot/large", test_large);
    g_test_add_func("/first-boot/fw-cfg", test_fw_cfg);
    g_test_add_func("/first-boot/failures", test_failures);
    int status = g_test_run();
    g_rmdir(scratch);
    g_free(scratch);
    return status;
}
