// SPDX-License-Identifier: LGPL-2.1-or-later
#include "src/host/first_boot.h"
#include "src/util/error.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <unistd.h>

static bool refuse(struct archive *archive, const char *path, GError **error)
{
    const char *why = archive_error_string(archive);
    g_set_error(error, ERROR_DOMAIN, ERROR_UNAVAILABLE,
                "cannot write the disk with cloud-init's data, %s: %s", path,
                why != NULL ? why : "libarchive does not say why");
    return false;
}

/* Dates of 1970, so that the same words make the same files. */
static bool add_file(struct archive *archive, const char *name, GBytes *bytes)
{
    if (bytes == NULL) {
        return true;
    }
    gsize length;
    const void *data = g_bytes_get_data(bytes, &length);
    struct archive_entry *entry = archive_entry_new();
    archive_entry_set_pathname(entry, name);
    archive_entry_set_filetype(entry, AE_IFREG);
    archive_entry_set_perm(entry, 0400);
    archive_entry_set_size(entry, length);
    archive_entry_set_mtime(entry, 0, 0);
    bool ok = archive_write_header(archive, entry) == ARCHIVE_OK &&
              (length == 0 || archive_write_data(archive, data, length) == (la_ssize_t)length);
    archive_entry_free(entry);
    return ok;
}

static bool write_seed(struct archive *archive, int fd, const struct vm_seed *seed)
{
    /* Names as they are: by Rock Ridge for Linux, by Joliet for those who know no Rock Ridge. */
    return archive_write_set_format_iso9660(archive) == ARCHIVE_OK &&
           archive_write_set_options(archive, "volume-id=cidata,joliet,rockridge=useful") ==
               ARCHIVE_OK &&
           archive_write_open_fd(archive, fd) == ARCHIVE_OK &&
           add_file(archive, "user-data", seed->user_data) &&
           add_file(archive, "meta-data", seed->meta_data) &&
           add_file(archive, "vendor-data", seed->vendor_data) &&
           add_file(archive, "network-config", seed->network_config) &&
           archive_write_close(archive) == ARCHIVE_OK;
}

bool first_boot_write_seed(const struct vm_seed *seed, GError **error)
{
    /* Nobody has a file of an earlier start open and could see it change. */
    g_unlink(seed->path);
    int fd = open(seed->path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0) {
        error_set_errno(error, ERROR_UNAVAILABLE, errno, "cannot create %s", seed->path);
        return false;
    }
    struct archive *archive = archive_write_new();
    bool ok = write_seed(archive, fd, seed) || refuse(archive, seed->path, error);
    archive_write_free(archive);
    close(fd);
    return ok;
}

static bool write_fw_cfg(const struct vm_fw_cfg *entry, GError **error)
{
    gsize length;
    const char *data = g_bytes_get_data(entry->bytes, &length);
    g_autoptr(GError) local = NULL;
    if (!g_file_set_contents_full(entry->path, length > 0 ? data : "", length,
                                  G_FILE_SET_CONTENTS_CONSISTENT, 0600, &local)) {
        g_set_error(error, ERROR_DOMAIN, ERROR_UNAVAILABLE, "cannot write %s, for %s: %s",
                    entry->path, entry->name, local->message);
        return false;
    }
    return true;
}

bool first_boot_prepare(const struct vm_spec *spec, GError **error)
{
    for (guint i = 0; i < spec->fw_cfg->len; i++) {
        if (!write_fw_cfg(g_ptr_array_index(spec->fw_cfg, i), error)) {
            return false;
        }
    }
    return spec->seed == NULL || first_boot_write_seed(spec->seed, error);
}
