// SPDX-License-Identifier: LGPL-2.1-or-later
#include "oci/texts.h"
#include "src/util/error.h"
#include "src/util/quantity.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

bool oci_text_is_path(const char *value)
{
    return (*value == '/' || g_str_has_prefix(value, "./") || g_str_has_prefix(value, "../")) &&
           strchr(value, '\n') == NULL;
}

void oci_text_clear(struct oci_text *text)
{
    g_clear_pointer(&text->path, g_free);
    g_clear_pointer(&text->bytes, g_bytes_unref);
}

void oci_text_set(struct oci_text *text, const char *value)
{
    oci_text_clear(text);
    if (oci_text_is_path(value)) {
        text->path = g_strdup(value);
    } else {
        text->bytes = g_bytes_new(value, strlen(value));
    }
}

bool oci_text_is_set(const struct oci_text *text)
{
    return text->path != NULL || text->bytes != NULL;
}

static bool refuse_size(const char *path, GError **error)
{
    g_autofree char *most = quantity_format_size(OCI_TEXT_MAX_BYTES);
    g_set_error(error, ERROR_DOMAIN, ERROR_CONFIG,
                "%s has more than %s, which is the most that is read", path, most);
    return false;
}

/* What is open is looked at, so that nobody can put another thing there in between. */
static bool check_kind(int fd, const char *path, GError **error)
{
    struct stat status;
    if (fstat(fd, &status) < 0) {
        error_set_errno(error, ERROR_CONFIG, errno, "cannot look at %s", path);
        return false;
    }
    if (!S_ISREG(status.st_mode)) {
        g_set_error(error, ERROR_DOMAIN, ERROR_CONFIG, "%s is %s, and must be a file", path,
                    S_ISDIR(status.st_mode) ? "a directory" : "no regular file");
        return false;
    }
    return status.st_size <= OCI_TEXT_MAX_BYTES || refuse_size(path, error);
}

static bool read_all(int fd, const char *path, GByteArray *bytes, GError **error)
{
    guint8 buffer[65536];
    ssize_t n;
    while ((n = read(fd, buffer, sizeof(buffer))) != 0) {
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            error_set_errno(error, ERROR_CONFIG, errno, "cannot read %s", path);
            return false;
        }
        g_byte_array_append(bytes, buffer, n);
        if (bytes->len > OCI_TEXT_MAX_BYTES) { /* it grows, or it is one of /proc */
            return refuse_size(path, error);
        }
    }
    return true;
}

bool oci_text_read(struct oci_text *text, const char *bundle, GError **error)
{
    if (text->path == NULL || text->bytes != NULL) {
        return true;
    }
    g_autofree char *path = g_canonicalize_filename(text->path, bundle);
    /* Not to wait for somebody at the other end of a FIFO, nor to be given a terminal. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0) {
        error_set_errno(error, ERROR_CONFIG, errno, "cannot open %s", path);
        return false;
    }
    g_autoptr(GByteArray) bytes = g_byte_array_new();
    bool ok = check_kind(fd, path, error) && read_all(fd, path, bytes, error);
    close(fd);
    if (ok) {
        g_free(text->path);
        text->path = g_steal_pointer(&path);
        text->bytes = g_byte_array_free_to_bytes(g_steal_pointer(&bytes));
    }
    return ok;
}

char *oci_text_dup(const struct oci_text *text)
{
    gsize length = 0;
    const char *data = text->bytes != NULL ? g_bytes_get_data(text->bytes, &length) : NULL;
    return data != NULL ? g_strndup(data, length) : g_strdup("");
}

char *oci_text_describe(const char *value)
{
    return oci_text_is_path(value) ? g_strdup_printf("the file %s", value)
                                   : g_strdup_printf("text of %zu bytes", strlen(value));
}

static void named_text_free(gpointer data)
{
    struct oci_named_text *named = data;
    g_free(named->name);
    oci_text_clear(&named->text);
    g_free(named->source);
    g_free(named);
}

GPtrArray *oci_named_texts_new(void)
{
    return g_ptr_array_new_with_free_func(named_text_free);
}

void oci_named_texts_add(GPtrArray *texts, const char *name, const char *value, const char *source)
{
    struct oci_named_text *named = g_new0(struct oci_named_text, 1);
    named->name = g_strdup(name);
    named->source = g_strdup(source);
    oci_text_set(&named->text, value);
    g_ptr_array_add(texts, named);
}

bool oci_named_texts_have(const GPtrArray *texts, const char *name)
{
    for (guint i = 0; i < texts->len; i++) {
        const struct oci_named_text *named = g_ptr_array_index(texts, i);
        if (g_str_equal(named->name, name)) {
            return true;
        }
    }
    return false;
}
