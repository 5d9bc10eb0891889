// SPDX-License-Identifier: LGPL-2.1-or-later
#include "src/host/overlay.h"
#include "src/util/error.h"

#include <errno.h>
#include <gio/gio.h>
#include <glib/gstdio.h>
#include <jansson.h>

/* Runs qemu-img and gives its standard output, if @output is wanted. @refusal: what it means when
 * qemu-img runs and fails. */
static bool run_qemu_img(const char *const *arguments, enum error_code refusal, char **output,
                         GError **error)
{
    g_autoptr(GError) local = NULL;
    g_autofree char *errors = NULL;
    g_autoptr(GSubprocess) process = g_subprocess_newv(
        arguments, G_SUBPROCESS_FLAGS_STDOUT_PIPE | G_SUBPROCESS_FLAGS_STDERR_PIPE, &local);
    if (process == NULL) {
        g_set_error(error, ERROR_DOMAIN, ERROR_UNAVAILABLE,
                    "cannot run qemu-img: %s; install it (Debian: qemu-utils)", local->message);
        return false;
    }
    if (!g_subprocess_communicate_utf8(process, NULL, NULL, output, &errors, &local)) {
        g_set_error(error, ERROR_DOMAIN, ERROR_INTERNAL, "cannot talk to qemu-img: %s",
                    local->message);
        return false;
    }
    if (!g_subprocess_get_successful(process)) {
        const char *message = g_strstrip(errors);
        message = g_str_has_prefix(message, "qemu-img: ") ? message + 10 : message;
        g_set_error(error, ERROR_DOMAIN, refusal, "%s", message);
        return false;
    }
    return true;
}

/* What qemu-img says of the image @path; NULL and @error if it is none of this @format. */
static json_t *get_info(const char *path, const char *format, enum error_code refusal,
                        GError **error)
{
    g_autofree char *output = NULL;
    const char *const arguments[] = {"qemu-img", "info", "--output=json", "-f", format, path, NULL};
    if (!run_qemu_img(arguments, refusal, &output, error)) {
        return NULL;
    }
    json_t *info = json_loads(output, 0, NULL);
    return info != NULL ? info : json_object();
}

static const char *get_word(const json_t *info, const char *key)
{
    const char *word = json_string_value(json_object_get(info, key));
    return word != NULL ? word : "";
}

/* The file that the image @path needs beside itself: backing file, qcow2's data file, a vmdk's
 * extent; or "". Each can be any file that we may read. */
static const char *get_other_file(const json_t *info, const char *path)
{
    const json_t *data = json_object_get(json_object_get(info, "format-specific"), "data");
    const char *other = get_word(info, "backing-filename");
    if (*other == '\0') {
        other = get_word(data, "data-file");
    }
    size_t i;
    json_t *extent;
    json_array_foreach(json_object_get(data, "extents"), i, extent)
    {
        const char *file = get_word(extent, "filename");
        if (*other == '\0' && !g_str_equal(file, path)) {
            other = file;
        }
    }
    return other;
}

/* A raw image is whatever it is; all others say what they are, and may stand on another file. */
static bool check_image(const struct vm_disk *disk, GError **error)
{
    if (g_str_equal(disk->format, "raw")) {
        return true;
    }
    json_t *info = get_info(disk->image, disk->format, ERROR_CONFIG, error);
    if (info == NULL) {
        g_prefix_error(error, "vm.image: ");
        return false;
    }
    const char *backing = get_other_file(info, disk->image);
    bool complete = *backing == '\0';
    if (!complete) {
        g_set_error(error, ERROR_DOMAIN, ERROR_CONFIG,
                    "vm.image: %s needs another file, %s, and must be complete; if that is what "
                    "you want, make it so with: qemu-img convert -O qcow2 %s NEW",
                    disk->image, backing, disk->image);
    }
    json_decref(info);
    return complete;
}

static bool create(const struct vm_disk *disk, GError **error)
{
    if (!check_image(disk, error)) {
        return false;
    }
    /* Under another name first: a half-made overlay must not look like one. */
    g_autofree char *partial = g_strconcat(disk->overlay, ".new", NULL);
    const char *const arguments[] = {"qemu-img",   "create", "-q",        "-f",    "qcow2", "-F",
                                     disk->format, "-b",     disk->image, partial, NULL};
    if (!run_qemu_img(arguments, ERROR_UNAVAILABLE, NULL, error)) {
        g_prefix_error(error, "cannot make the overlay of %s (format %s): ", disk->image,
                       disk->format);
        g_unlink(partial);
        return false;
    }
    if (g_rename(partial, disk->overlay) < 0) {
        error_set_errno(error, ERROR_UNAVAILABLE, errno, "cannot make the overlay %s",
                        disk->overlay);
        return false;
    }
    return true;
}

static bool check_overlay(const struct vm_disk *disk, GError **error)
{
    json_t *info = get_info(disk->overlay, "qcow2", ERROR_UNAVAILABLE, error);
    if (info == NULL) {
        g_prefix_error(error, "cannot use the overlay of an earlier start: ");
        return false;
    }
    const char *image = get_word(info, "backing-filename");
    const char *format = get_word(info, "backing-filename-format");
    bool same = g_str_equal(image, disk->image) && g_str_equal(format, disk->format);
    if (!same) {
        g_set_error(error, ERROR_DOMAIN, ERROR_CONFIG,
                    "the overlay %s was made for %s (format %s), and vm.image is %s (format %s); "
                    "remove the overlay to start afresh, or name the old image again",
                    disk->overlay, *image != '\0' ? image : "nothing",
                    *format != '\0' ? format : "unknown", disk->image, disk->format);
    }
    json_decref(info);
    return same;
}

bool overlay_prepare(const struct vm_disk *disk, GError **error)
{
    return g_file_test(disk->overlay, G_FILE_TEST_EXISTS) ? check_overlay(disk, error)
                                                          : create(disk, error);
}
