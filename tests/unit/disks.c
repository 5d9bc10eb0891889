// SPDX-License-Identifier: LGPL-2.1-or-later
#include "src/host/disks.h"
#include "src/host/image_file.h"
#include "src/host/qemu_img.h"
#include "src/util/error.h"
#include "tests/unit/expect.h"
#include "tests/unit/images.h"

#include <errno.h>
#include <gio/gio.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Disks that are written directly, and what is found behind a path. */

/* disks_prepare() for one image. */
static bool prepare(const char *image, const char *format, guint64 size, GError **error)
{
    g_autoptr(vm_spec) spec = vm_spec_new();
    struct vm_disk *disk = vm_spec_add_disk(spec, image, format);
    disk->origin = g_strdup("mounts[7]");
    disk->size = size;
    return disks_prepare(spec, error);
}

static void test_formats(void)
{
    static const struct {
        const char *name, *format, *options;
    } images[] = {
        {"a.raw", "raw", NULL},
        {"a.qcow2", "qcow2", NULL},
        {"a.vdi", "vdi", NULL},
        {"a.vmdk", "vmdk", NULL},
        {"a.vhd", "vpc", NULL},
        {"fixed.vhd", "vpc", "subformat=fixed"},
        {"old.qcow2", "qcow2", "compat=0.10"},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(images); i++) {
        g_autoptr(GError) error = NULL;
        g_autofree char *path =
            make_image(images[i].name, images[i].format, "2M", images[i].options);
        expect(images[i].name, prepare(path, images[i].format, 0, &error));
        expect(images[i].name, error == NULL);
    }
}

static void test_other_format(void)
{
    static const struct {
        const char *is, *said, *fragment;
    } cases[] = {
        {"qcow2", "raw", "is to be a raw image, and begins like one of format qcow2"},
        {"vmdk", "raw", "is to be a raw image, and begins like one of format vmdk"},
        {"vpc", "raw", "is to be a raw image, and begins like one of format vhd"},
        {"vdi", "qcow2", "is an image of format vdi, not qcow2"},
        {"qcow2", "vpc", "is an image of format qcow2, not vhd"},
        {"raw", "qcow2", "not in qcow2 format"},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GError) error = NULL;
        g_autofree char *path = make_image("other", cases[i].is, "2M", NULL);
        g_assert_false(prepare(path, cases[i].said, 0, &error));
        g_assert_error(error, ERROR_DOMAIN, ERROR_CONFIG);
        expect(error->message, strstr(error->message, cases[i].fragment) != NULL);
        expect(error->message, g_str_has_prefix(error->message, "mounts[7]: "));
        expect(error->message, strstr(error->message, path) != NULL);
    }
}

static void put32(guint8 *at, guint32 number)
{
    number = GUINT32_TO_BE(number);
    memcpy(at, &number, sizeof(number));
}

/*
 * An image in LUKS' first format ("LUKS On-Disk Format Specification"), without a key. qemu-img
 * measures how fast it derives keys before it makes one, for seconds, and not on every machine
 * with success. The caller owns its path.
 */
static char *make_luks(const char *name)
{
    enum { HEADER = 592, SLOTS = 208, SLOT = 48, KEY_SECTORS = 504, FIRST_SECTOR = 8 };
    guint8 header[HEADER] = "LUKS\xba\xbe\0\1"
                            "aes";
    memcpy(header + 40, "xts-plain64", sizeof("xts-plain64"));
    memcpy(header + 72, "sha256", sizeof("sha256"));
    put32(header + 104, FIRST_SECTOR + 8 * KEY_SECTORS); /* where the data begin */
    put32(header + 108, 64);                             /* bytes of the key */
    put32(header + 164, 1000);                           /* rounds to derive it */
    for (guint32 i = 0; i < 8; i++) {
        guint8 *slot = header + SLOTS + (size_t)SLOT * i;
        put32(slot, 0x0000dead); /* not in use */
        put32(slot + 40, FIRST_SECTOR + i * KEY_SECTORS);
        put32(slot + 44, 4000); /* stripes */
    }
    char *path = in_scratch(name);
    g_assert_true(g_file_set_contents(path, (const char *)header, HEADER, NULL));
    g_assert_cmpint(truncate(path, (FIRST_SECTOR + 8 * KEY_SECTORS) * 512 + (2 << 20)), ==, 0);
    return path;
}

/* A guest may encrypt the whole of its disk. */
static void test_encrypted(void)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *path = make_luks("encrypted");
    struct qemu_img_info info;
    g_assert_true(qemu_img_info(path, NULL, ERROR_CONFIG, &info, NULL));
    g_assert_cmpstr(info.format, ==, "luks"); /* else it is no test */
    qemu_img_info_clear(&info);
    g_assert_true(prepare(path, "raw", 0, &error));
    g_assert_no_error(error);
}

static guint64 size_of(const char *path, const char *format)
{
    struct qemu_img_info info;
    g_assert_true(qemu_img_info(path, format, ERROR_CONFIG, &info, NULL));
    guint64 size = info.size;
    qemu_img_info_clear(&info);
    return size;
}

static void test_grown(void)
{
    static const char *const formats[] = {"raw", "qcow2"};
    for (gsize i = 0; i < G_N_ELEMENTS(formats); i++) {
        g_autofree char *path = make_image("growing", formats[i], "2M", NULL);
        g_assert_true(prepare(path, formats[i], 3 << 20, NULL));
        g_assert_cmpuint(size_of(path, formats[i]), ==, 3 << 20);
        g_assert_true(prepare(path, formats[i], 1 << 20, NULL));
        g_assert_cmpuint(size_of(path, formats[i]), ==, 3 << 20);
    }
}

static void test_needs_another(void)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *base = make_image("base", "raw", "2M", NULL);
    g_autofree char *path = in_scratch("upper");
    run("qemu-img", "create", "-q", "-f", "qcow2", "-b", base, "-F", "raw", path, NULL);
    g_assert_false(prepare(path, "qcow2", 0, &error));
    g_assert_error(error, ERROR_DOMAIN, ERROR_CONFIG);
    expect(error->message, strstr(error->message, base) != NULL);
}

static void expect_too_long(const char *path, guint limit_ms)
{
    g_autoptr(GError) error = NULL;
    struct qemu_img_info info;
    g_assert_false(qemu_img_info_within(limit_ms, path, NULL, ERROR_CONFIG, &info, &error));
    g_assert_error(error, ERROR_DOMAIN, ERROR_CONFIG);
    expect(error->message, strstr(error->message, "took too long") != NULL);
    expect(error->message, strstr(error->message, path) != NULL);
}

/* A guest can write that to its raw disk, and to open the file that it names takes for ever. */
static void test_never_answers(void)
{
    g_autofree char *fifo = in_scratch("fifo");
    g_autofree char *path = in_scratch("descriptor");
    g_autofree char *text = g_strdup_printf("# Disk DescriptorFile\nversion=1\nCID=fffffffe\n"
                                            "parentCID=ffffffff\ncreateType=\"monolithicFlat\"\n"
                                            "RW 2048 FLAT \"%s\" 0\n",
                                            fifo);
    g_assert_cmpint(mkfifo(fifo, 0600), ==, 0);
    g_assert_true(g_file_set_contents(path, text, -1, NULL));
    expect_too_long(path, 500);
}

/* One that computes for ever meets the limit of CPU time first. */
static void test_computes_for_ever(void)
{
    g_autofree char *program = in_scratch("qemu-img");
    g_autofree char *before = g_strdup(g_getenv("PATH"));
    g_autofree char *path = g_strdup_printf("%s:%s", scratch, before);
    g_assert_true(g_file_set_contents(program, "#!/bin/sh\nkill -s XCPU $$\n", -1, NULL));
    g_assert_cmpint(g_chmod(program, 0700), ==, 0);
    g_setenv("PATH", path, TRUE);
    expect_too_long("/images/any", 60000);
    g_setenv("PATH", before, TRUE);
    g_unlink(program);
}

/* Side by side; and it is the first disk's error that is told. */
static void test_many(void)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(vm_spec) spec = vm_spec_new();
    for (int i = 0; i < 20; i++) {
        g_autofree char *name = g_strdup_printf("many-%d", i);
        g_autofree char *path = make_image(name, i == 5 || i == 11 ? "qcow2" : "raw", "2M", NULL);
        vm_spec_add_disk(spec, path, "raw")->overlay = g_strconcat(path, ".overlay", NULL);
    }
    g_assert_false(disks_prepare(spec, &error));
    g_assert_error(error, ERROR_DOMAIN, ERROR_CONFIG);
    expect(error->message, g_str_has_prefix(error->message, "vdf: "));
}

static void test_explained(void)
{
    g_autoptr(vm_spec) spec = vm_spec_new();
    vm_spec_add_disk(spec, "/a", "raw");
    vm_spec_add_disk(spec, "/b", "raw")->origin = g_strdup("mounts[3]");
    GError *error = g_error_new(ERROR_DOMAIN, ERROR_INTERNAL,
                                "qemu: Failed to get \"write\" lock\nIs another process using the "
                                "image [/b]?");
    disks_explain(spec, &error);
    g_assert_error(error, ERROR_DOMAIN, ERROR_UNAVAILABLE);
    expect(error->message, g_str_has_prefix(error->message, "mounts[3]: /b is in use by another"));
    g_clear_error(&error);

    error = g_error_new(ERROR_DOMAIN, ERROR_INTERNAL, "qemu: something else [/b]");
    disks_explain(spec, &error);
    g_assert_error(error, ERROR_DOMAIN, ERROR_INTERNAL);
    g_clear_error(&error);
    disks_explain(spec, &error);
}

static void test_none(void)
{
    g_autoptr(vm_spec) spec = vm_spec_new();
    g_assert_true(disks_prepare(spec, NULL));
}

/* --- image_file --- */

static char *make_folder(const char *name, ...) G_GNUC_NULL_TERMINATED;

static char *make_folder(const char *name, ...)
{
    char *folder = in_scratch(name);
    g_assert_cmpint(g_mkdir(folder, 0700), ==, 0);
    va_list args;
    va_start(args, name);
    const char *file;
    while ((file = va_arg(args, const char *)) != NULL) {
        g_autofree char *path = g_build_filename(folder, file, NULL);
        g_assert_true(g_file_set_contents(path, "0123456789", -1, NULL));
    }
    va_end(args);
    return folder;
}

static void test_file(void)
{
    struct image_file file;
    g_autofree char *folder = make_folder("plain", "disk", NULL);
    g_autofree char *path = g_build_filename(folder, "disk", NULL);
    image_file_look(path, &file);
    g_assert_cmpstr(file.path, ==, path);
    g_assert_false(file.block);
    g_assert_cmpint(file.read_error, ==, 0);
    g_assert_cmpint(file.write_error, ==, 0);
    g_assert_true(file.allocated);
    g_assert_cmpuint(file.inode, !=, 0);
    image_file_clear(&file);

    g_assert_cmpint(truncate(path, 1 << 20), ==, 0);
    image_file_look(path, &file);
    g_assert_false(file.allocated);
    image_file_clear(&file);
}

static void test_no_file(void)
{
    struct image_file file;
    image_file_look("/nonexistent/disk", &file);
    g_assert_null(file.path);
    g_assert_cmpint(file.read_error, ==, ENOENT);
    image_file_clear(&file);
    image_file_look("/dev/null", &file);
    g_assert_null(file.path);
    g_assert_null(file.names);
    image_file_clear(&file);
}

/* Folders of the image's kind, and the like: what counts is the one file. */
static void test_folder(void)
{
    struct image_file file;
    g_autofree char *folder = make_folder("one", "disk.qcow2", ".hidden", NULL);
    g_autofree char *path = g_build_filename(folder, "disk.qcow2", NULL);
    g_autofree char *inner = g_build_filename(folder, "lost+found", NULL);
    g_autofree char *link = g_build_filename(folder, "link", NULL);
    g_assert_cmpint(g_mkdir(inner, 0700), ==, 0);
    g_assert_cmpint(symlink("/etc/passwd", link), ==, 0);
    image_file_look(folder, &file);
    g_assert_cmpstr(file.path, ==, path);
    image_file_clear(&file);

    g_unlink(path);
    image_file_look(folder, &file);
    g_assert_null(file.path);
    g_assert_nonnull(file.names);
    g_assert_null(file.names[0]);
    image_file_clear(&file);
}

static void test_folder_of_several(void)
{
    struct image_file file;
    g_autofree char *folder =
        make_folder("several", "k", "b", "a", "c", "d", "e", "f", "g", "h", "i", "j", NULL);
    image_file_look(folder, &file);
    g_assert_null(file.path);
    g_autofree char *names = g_strjoinv("", file.names);
    g_assert_cmpstr(names, ==, "abcdefgh");
    image_file_clear(&file);
}

/* /proc is another mount than /. */
static void test_volume(void)
{
    struct image_file file;
    image_file_look("/proc/version", &file);
    g_assert_true(file.volume);
    image_file_clear(&file);
    image_file_look("/etc/passwd", &file);
    g_assert_false(file.volume);
    image_file_clear(&file);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_set_nonfatal_assertions();
    make_scratch();
    g_test_add_func("/disks/formats", test_formats);
    g_test_add_func("/disks/other-format", test_other_format);
    g_test_add_func("/disks/encrypted", test_encrypted);
    g_test_add_func("/disks/grown", test_grown);
    g_test_add_func("/disks/needs-another", test_needs_another);
    g_test_add_func("/disks/never-answers", test_never_answers);
    g_test_add_func("/disks/computes-for-ever", test_computes_for_ever);
    g_test_add_func("/disks/many", test_many);
    g_test_add_func("/disks/none", test_none);
    g_test_add_func("/disks/explained", test_explained);
    g_test_add_func("/image-file/file", test_file);
    g_test_add_func("/image-file/no-file", test_no_file);
    g_test_add_func("/image-file/folder", test_folder);
    g_test_add_func("/image-file/folder-of-several", test_folder_of_several);
    g_test_add_func("/image-file/volume", test_volume);
    int status = g_test_run();
    remove_scratch();
    return status;
}
