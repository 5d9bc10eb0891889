// SPDX-License-Identifier: LGPL-2.1-or-later
#include "src/host/overlay.h"
#include "src/host/qemu_img.h"
#include "src/util/error.h"
#include "tests/unit/expect.h"
#include "tests/unit/images.h"

#include <fcntl.h>
#include <gio/gio.h>
#include <glib/gstdio.h>
#include <jansson.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool exists(const char *name)
{
    g_autofree char *path = in_scratch(name);
    return g_file_test(path, G_FILE_TEST_EXISTS);
}

static bool prepare_sized(const char *image, const char *format, const char *name, guint64 size,
                          GError **error)
{
    g_autoptr(vm_spec) spec = vm_spec_new();
    struct vm_disk *disk = vm_spec_add_disk(spec, image, format);
    disk->overlay = in_scratch(name);
    disk->size = size;
    return overlay_prepare(disk, error);
}

/* overlay_prepare() for IMAGE with the overlay NAME. */
static bool prepare(const char *image, const char *format, const char *name, GError **error)
{
    return prepare_sized(image, format, name, 0, error);
}

/* What the overlay NAME says of itself, for @key. */
static char *overlay_info(const char *name, const char *key)
{
    g_autofree char *path = in_scratch(name);
    g_autofree char *output = NULL;
    g_autoptr(GSubprocess) process = g_subprocess_new(
        G_SUBPROCESS_FLAGS_STDOUT_PIPE, NULL, "qemu-img", "info", "--output=json", path, NULL);
    g_assert_nonnull(process);
    g_assert_true(g_subprocess_communicate_utf8(process, NULL, NULL, &output, NULL, NULL));
    json_t *info = json_loads(output, 0, NULL);
    char *value = g_strdup(json_string_value(json_object_get(info, key)));
    json_decref(info);
    return value;
}

static void test_made(void)
{
    static const char *const formats[] = {"raw", "qcow2", "vmdk", "vdi", "vpc"};
    for (gsize i = 0; i < G_N_ELEMENTS(formats); i++) {
        g_autoptr(GError) error = NULL;
        g_autofree char *image = make_image(formats[i], formats[i], "16M", NULL);
        g_autofree char *name = g_strconcat("of-", formats[i], NULL);
        g_autofree char *partial = g_strconcat(name, ".new", NULL);
        g_assert_true(prepare(image, formats[i], name, &error));
        g_assert_no_error(error);
        g_autofree char *format = overlay_info(name, "format");
        g_autofree char *backing = overlay_info(name, "backing-filename");
        g_autofree char *backing_format = overlay_info(name, "backing-filename-format");
        expect_str(formats[i], format, "qcow2");
        expect_str(formats[i], backing, image);
        expect_str(formats[i], backing_format, formats[i]);
        expect(formats[i], !exists(partial));
    }
}

/* What a guest has written survives a restart. */
static void test_kept(void)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *image = make_image("kept.raw", "raw", "16M", NULL);
    g_assert_true(prepare(image, "raw", "kept", &error));
    g_autofree char *path = in_scratch("kept");
    run("qemu-io", "-f", "qcow2", "-c", "write -q -P 0x5a 0 65536", path, NULL);
    g_autofree char *before = NULL, *after = NULL;
    gsize length_before, length_after;
    g_assert_true(g_file_get_contents(path, &before, &length_before, NULL));
    g_assert_true(prepare(image, "raw", "kept", &error));
    g_assert_no_error(error);
    g_assert_true(g_file_get_contents(path, &after, &length_after, NULL));
    g_assert_cmpmem(before, length_before, after, length_after);
}

/* An overlay on another image than its own is a broken disk. */
static void test_of_another_image(void)
{
    g_autofree char *image = make_image("mine.raw", "raw", "16M", NULL);
    g_autofree char *other = make_image("other.raw", "raw", "16M", NULL);
    g_assert_true(prepare(image, "raw", "mine", NULL));

    g_autoptr(GError) error = NULL;
    g_assert_false(prepare(other, "raw", "mine", &error));
    g_assert_error(error, ERROR_DOMAIN, ERROR_CONFIG);
    g_assert_nonnull(strstr(error->message, image));
    g_assert_nonnull(strstr(error->message, other));
    g_clear_error(&error);

    g_assert_false(prepare(image, "qcow2", "mine", &error));
    g_assert_error(error, ERROR_DOMAIN, ERROR_CONFIG);
    g_assert_nonnull(strstr(error->message, "format raw"));
    g_assert_nonnull(strstr(error->message, "format qcow2"));
    g_assert_true(exists("mine"));
}

static struct timespec time_of(const char *path)
{
    struct stat status;
    g_assert_cmpint(stat(path, &status), ==, 0);
    return status.st_mtim;
}

static void set_time(const char *path, struct timespec time)
{
    const struct timespec times[] = {time, time};
    g_assert_cmpint(utimensat(AT_FDCWD, path, times, 0), ==, 0);
}

/* Writes a byte to @path, at @at, and leaves the time of its last change as it was. */
static void change(const char *path, off_t at)
{
    struct timespec before = time_of(path);
    int fd = open(path, O_WRONLY);
    g_assert_cmpint(pwrite(fd, "x", 1, at), ==, 1);
    close(fd);
    set_time(path, before);
}

static void expect_changed(const char *image, const char *name, const char *what)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *overlay = in_scratch(name);
    expect(what, !prepare(image, "raw", name, &error));
    if (error != NULL) {
        expect(what, error->code == ERROR_CONFIG);
        expect(error->message, strstr(error->message, what) != NULL);
        expect(error->message, strstr(error->message, image) != NULL);
        expect(error->message, strstr(error->message, overlay) != NULL);
        expect(error->message, strstr(error->message, "remove the overlay") != NULL);
    }
    expect(what, exists(name));
}

/* The same file with other data in it is another image. */
static void test_image_changed(void)
{
    static const off_t places[] = {0, 1 << 20, (16 << 20) - 1, (16 << 20) / 25 * 3 + 7};
    g_autofree char *image = make_image("changing.raw", "raw", "16M", NULL);
    for (gsize i = 0; i < G_N_ELEMENTS(places); i++) {
        g_autofree char *name = g_strdup_printf("changing-%zu", i);
        g_assert_true(prepare(image, "raw", name, NULL));
        g_assert_true(prepare(image, "raw", name, NULL));
        change(image, places[i]);
        expect_changed(image, name, "there are other data in it");
    }
    g_assert_true(prepare(image, "raw", "later", NULL));
    struct timespec time = time_of(image);
    set_time(image, (struct timespec){86400, 5});
    expect_changed(image, "later", "it was written at 1970-01-02 00:00:00.000000005");
    set_time(image, time);
    g_assert_true(prepare(image, "raw", "later", NULL));
    g_assert_cmpint(truncate(image, 17 << 20), ==, 0);
    expect_changed(image, "later", "its size, 17 MiB, was 16 MiB");
}

/* Who removes the record says that the image is right, and has it looked at as if it were new. */
static void test_record_removed(void)
{
    g_autofree char *image = make_image("trusted.raw", "raw", "16M", NULL);
    g_autofree char *record = in_scratch("trusted.json");
    g_autoptr(GError) error = NULL;
    g_assert_true(prepare(image, "raw", "trusted.qcow2", NULL));
    change(image, 0);
    g_assert_false(prepare(image, "raw", "trusted.qcow2", NULL));
    g_unlink(record);
    g_assert_true(prepare(image, "raw", "trusted.qcow2", &error));
    g_assert_no_error(error);
    g_assert_true(exists("trusted.json"));
    change(image, 5);
    g_assert_false(prepare(image, "raw", "trusted.qcow2", NULL));
}

static void test_record_spoilt(void)
{
    static const char *const texts[] = {"", "{}", "[1]", "{\"image\": 5}"};
    g_autofree char *image = make_image("noted.raw", "raw", "16M", NULL);
    g_autofree char *record = in_scratch("noted.json");
    g_assert_true(prepare(image, "raw", "noted.qcow2", NULL));
    for (gsize i = 0; i < G_N_ELEMENTS(texts); i++) {
        g_autoptr(GError) error = NULL;
        g_assert_true(g_file_set_contents(record, texts[i], -1, NULL));
        g_assert_false(prepare(image, "raw", "noted.qcow2", &error));
        g_assert_error(error, ERROR_DOMAIN, ERROR_UNAVAILABLE);
        g_assert_nonnull(strstr(error->message, record));
    }
}

/* With its record nothing has to be looked at by qemu-img. */
static void test_record_is_enough(void)
{
    g_autofree char *image = make_image("quick.qcow2", "qcow2", "16M", NULL);
    g_autofree char *path = g_strdup(g_getenv("PATH"));
    g_autoptr(GError) error = NULL;
    g_assert_true(prepare(image, "qcow2", "quick", &error));
    g_setenv("PATH", "/nonexistent", TRUE);
    g_assert_true(prepare(image, "qcow2", "quick", &error));
    g_setenv("PATH", path, TRUE);
    g_assert_no_error(error);
}

static guint64 overlay_size(const char *name)
{
    g_autofree char *path = in_scratch(name);
    struct qemu_img_info info;
    g_assert_true(qemu_img_info(path, "qcow2", ERROR_CONFIG, &info, NULL));
    guint64 size = info.size;
    qemu_img_info_clear(&info);
    return size;
}

/* It grows when it is made, and later, and never shrinks. */
static void test_grown(void)
{
    g_autofree char *image = make_image("small.raw", "raw", "16M", NULL);
    g_assert_true(prepare_sized(image, "raw", "grown", (20 << 20) + 1, NULL));
    g_assert_cmpuint(overlay_size("grown"), ==, (20 << 20) + 512);
    g_assert_true(prepare_sized(image, "raw", "grown", 0, NULL));
    g_assert_cmpuint(overlay_size("grown"), ==, (20 << 20) + 512);
    g_assert_true(prepare_sized(image, "raw", "grown", 30 << 20, NULL));
    g_assert_cmpuint(overlay_size("grown"), ==, 30 << 20);
    g_assert_true(prepare_sized(image, "raw", "grown", 18 << 20, NULL));
    g_assert_cmpuint(overlay_size("grown"), ==, 30 << 20);
    g_assert_true(prepare_sized(image, "raw", "not-grown", 1 << 20, NULL));
    g_assert_cmpuint(overlay_size("not-grown"), ==, 16 << 20);
}

static void test_not_what_it_is_called(void)
{
    g_autofree char *image = make_image("really.raw", "raw", "16M", NULL);
    g_autoptr(GError) error = NULL;
    g_assert_false(prepare(image, "qcow2", "misnamed", &error));
    g_assert_error(error, ERROR_DOMAIN, ERROR_CONFIG);
    g_assert_nonnull(strstr(error->message, image));
    g_assert_false(exists("misnamed"));
    g_assert_false(exists("misnamed.new"));
}

/* An image could name any file of the container as the one it stands on. */
static void test_image_on_another(void)
{
    g_autofree char *base = make_image("base.raw", "raw", "16M", NULL);
    g_autofree char *image = in_scratch("onto.qcow2");
    run("qemu-img", "create", "-q", "-f", "qcow2", "-b", base, "-F", "raw", image, NULL);
    g_autoptr(GError) error = NULL;
    g_assert_false(prepare(image, "qcow2", "onto", &error));
    g_assert_error(error, ERROR_DOMAIN, ERROR_CONFIG);
    g_assert_nonnull(strstr(error->message, base));
    g_assert_false(exists("onto"));
}

static void test_spoilt(void)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *image = make_image("spoilt.raw", "raw", "16M", NULL);
    g_autofree char *path = in_scratch("spoilt");
    g_assert_true(g_file_set_contents(path, "not a disk", -1, NULL));
    g_assert_false(prepare(image, "raw", "spoilt", &error));
    g_assert_nonnull(strstr(error->message, path));
    g_assert_nonnull(strstr(error->message, "overlay"));
    g_autofree char *text = NULL; /* whatever it is, it is not ours to throw away */
    g_assert_true(g_file_get_contents(path, &text, NULL, NULL));
    g_assert_cmpstr(text, ==, "not a disk");
}

/* Where the volume is not there yet, what the guest has written may be. */
static void test_out_of_reach(void)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *image = make_image("near.raw", "raw", "16M", NULL);
    g_autofree char *path = in_scratch("link.qcow2");
    g_assert_cmpint(symlink("/nonexistent/vda.qcow2", path), ==, 0);
    g_assert_false(prepare(image, "raw", "link.qcow2", &error));
    g_assert_nonnull(strstr(error->message, path));
    g_assert_true(g_file_test(path, G_FILE_TEST_IS_SYMLINK));
    g_clear_error(&error);
    g_assert_false(prepare(image, "raw", "near.raw/vda.qcow2", &error));
    g_assert_error(error, ERROR_DOMAIN, ERROR_UNAVAILABLE);
    g_assert_nonnull(strstr(error->message, "cannot look at the overlay"));
}

static void test_nowhere_to_write(void)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *image = make_image("nowhere.raw", "raw", "16M", NULL);
    g_assert_false(prepare(image, "raw", "not/there", &error));
    g_assert_error(error, ERROR_DOMAIN, ERROR_UNAVAILABLE);
    g_assert_nonnull(strstr(error->message, image));
}

/* A disk that is full leaves nothing that the next start could take for an overlay. */
static void test_half_made(void)
{
    static const char full[] = "#!/bin/sh\n"
                               "[ \"$1\" = create ] || exec /usr/bin/qemu-img \"$@\"\n"
                               "for last; do :; done\n"
                               "echo half >\"$last\"\n"
                               "echo 'qemu-img: No space left on device' >&2\n"
                               "exit 1\n";
    g_autofree char *image = make_image("half.raw", "raw", "16M", NULL);
    g_autofree char *program = in_scratch("qemu-img");
    g_autofree char *path = g_strdup(g_getenv("PATH"));
    g_autofree char *other_path = g_strconcat(scratch, ":", path, NULL);
    g_autoptr(GError) error = NULL;
    g_assert_true(
        g_file_set_contents_full(program, full, -1, G_FILE_SET_CONTENTS_NONE, 0755, NULL));
    g_setenv("PATH", other_path, TRUE);
    g_assert_false(prepare(image, "raw", "half", &error));
    g_setenv("PATH", path, TRUE);
    g_unlink(program);
    g_assert_error(error, ERROR_DOMAIN, ERROR_UNAVAILABLE);
    g_assert_true(g_str_has_suffix(error->message, ": No space left on device"));
    g_assert_nonnull(strstr(error->message, image));
    g_assert_false(exists("half"));
    g_assert_false(exists("half.new"));
}

/* A program that is missing is not a mistake in the config, whatever the image's format. */
static void test_no_qemu_img(void)
{
    static const char *const formats[] = {"raw", "qcow2"};
    g_autofree char *image = make_image("unseen", "qcow2", "16M", NULL);
    g_autofree char *path = g_strdup(g_getenv("PATH"));
    g_setenv("PATH", "/nonexistent", TRUE);
    for (gsize i = 0; i < G_N_ELEMENTS(formats); i++) {
        g_autoptr(GError) error = NULL;
        g_assert_false(prepare(image, formats[i], "none", &error));
        g_assert_error(error, ERROR_DOMAIN, ERROR_UNAVAILABLE);
        g_assert_nonnull(strstr(error->message, "qemu-img"));
        g_assert_nonnull(strstr(error->message, "install it"));
    }
    g_setenv("PATH", path, TRUE);
    g_assert_false(exists("none"));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_set_nonfatal_assertions();
    make_scratch();
    g_test_add_func("/overlay/made", test_made);
    g_test_add_func("/overlay/kept", test_kept);
    g_test_add_func("/overlay/of-another-image", test_of_another_image);
    g_test_add_func("/overlay/image-changed", test_image_changed);
    g_test_add_func("/overlay/record-removed", test_record_removed);
    g_test_add_func("/overlay/record-spoilt", test_record_spoilt);
    g_test_add_func("/overlay/record-is-enough", test_record_is_enough);
    g_test_add_func("/overlay/grown", test_grown);
    g_test_add_func("/overlay/not-what-it-is-called", test_not_what_it_is_called);
    g_test_add_func("/overlay/image-on-another", test_image_on_another);
    g_test_add_func("/overlay/spoilt", test_spoilt);
    g_test_add_func("/overlay/out-of-reach", test_out_of_reach);
    g_test_add_func("/overlay/nowhere-to-write", test_nowhere_to_write);
    g_test_add_func("/overlay/half-made", test_half_made);
    g_test_add_func("/overlay/no-qemu-img", test_no_qemu_img);
    int status = g_test_run();
    remove_scratch();
    return status;
}
