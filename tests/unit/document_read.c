// SPDX-License-Identifier: LGPL-2.1-or-later
#include "oci/document.h"
#include "src/util/error.h"

#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

static char *scratch; /* a directory */

static char *write_file(const char *text, gsize length)
{
    char *path = g_build_filename(scratch, "config.json", NULL);
    g_assert_true(g_file_set_contents(path, text, length, NULL));
    return path;
}

static void test_file(void)
{
    /* A NUL inside does not end a file, and the text is terminated all the same. */
    static const char text[] = "{\"a\": 1}\0x\n";
    g_autofree char *path = write_file(text, sizeof(text) - 1);
    g_autoptr(GError) error = NULL;
    gsize length = 0;
    g_autofree char *read = oci_document_read(path, &length, &error);
    g_assert_no_error(error);
    g_assert_cmpmem(read, length, text, sizeof(text) - 1);
    g_assert_cmpint(read[length], ==, '\0');
    g_unlink(path);
}

static void test_empty_file(void)
{
    g_autofree char *path = write_file("", 0);
    gsize length = 1;
    g_autofree char *read = oci_document_read(path, &length, NULL);
    g_assert_cmpuint(length, ==, 0);
    g_assert_cmpstr(read, ==, "");
    g_unlink(path);
}

static void test_cannot_open(void)
{
    g_autoptr(GError) error = NULL;
    gsize length;
    g_assert_null(oci_document_read("/nonexistent/config.json", &length, &error));
    g_assert_error(error, ERROR_DOMAIN, ERROR_CONFIG);
    g_assert_cmpstr(error->message, ==,
                    "cannot open /nonexistent/config.json: No such file or directory");
}

static void test_directory(void)
{
    g_autoptr(GError) error = NULL;
    gsize length;
    g_assert_null(oci_document_read(scratch, &length, &error));
    g_assert_error(error, ERROR_DOMAIN, ERROR_CONFIG);
    g_assert_true(strstr(error->message, scratch) != NULL);
    g_assert_true(g_str_has_suffix(error->message, ": Is a directory"));
}

static void test_size(void)
{
    g_autofree char *text = g_strnfill(OCI_DOCUMENT_MAX_BYTES + 1, ' ');
    g_autoptr(GError) error = NULL;
    gsize length;

    g_autofree char *path = write_file(text, OCI_DOCUMENT_MAX_BYTES);
    g_autofree char *largest = oci_document_read(path, &length, &error);
    g_assert_no_error(error);
    g_assert_cmpuint(length, ==, OCI_DOCUMENT_MAX_BYTES);
    g_assert_nonnull(largest);
    g_free(path);

    path = write_file(text, OCI_DOCUMENT_MAX_BYTES + 1);
    g_assert_null(oci_document_read(path, &length, &error));
    g_assert_error(error, ERROR_DOMAIN, ERROR_CONFIG);
    g_assert_true(g_str_has_prefix(error->message, path));
    g_assert_true(strstr(error->message, "4 MiB") != NULL);
    g_unlink(path);
}

/* A device that never ends, handed over by mistake, must not eat the memory. */
static void test_endless(void)
{
    g_autoptr(GError) error = NULL;
    gsize length;
    g_assert_null(oci_document_read("/dev/zero", &length, &error));
    g_assert_error(error, ERROR_DOMAIN, ERROR_CONFIG);
}

static void test_standard_input(void)
{
    int ends[2];
    g_assert_cmpint(pipe(ends), ==, 0);
    g_assert_cmpint(write(ends[1], "{\"a\"", 4), ==, 4);
    g_assert_cmpint(write(ends[1], ": 1}", 4), ==, 4);
    close(ends[1]);
    int saved = dup(STDIN_FILENO);
    dup2(ends[0], STDIN_FILENO);
    close(ends[0]);

    gsize length;
    g_autoptr(GError) error = NULL;
    g_autofree char *text = oci_document_read("-", &length, &error);
    g_assert_no_error(error);
    g_assert_cmpstr(text, ==, "{\"a\": 1}");
    g_assert_cmpint(fcntl(STDIN_FILENO, F_GETFD), >=, 0); /* it is still open */

    /* Errors call it by its name. */
    int directory = open(scratch, O_RDONLY | O_DIRECTORY);
    dup2(directory, STDIN_FILENO);
    close(directory);
    g_assert_null(oci_document_read("-", &length, &error));
    g_assert_error(error, ERROR_DOMAIN, ERROR_CONFIG);
    g_assert_cmpstr(error->message, ==, "cannot read standard input: Is a directory");
    dup2(saved, STDIN_FILENO);
    close(saved);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_set_nonfatal_assertions();
    scratch = g_dir_make_tmp("ocivirt-test-XXXXXX", NULL);
    g_test_add_func("/document-read/file", test_file);
    g_test_add_func("/document-read/empty-file", test_empty_file);
    g_test_add_func("/document-read/cannot-open", test_cannot_open);
    g_test_add_func("/document-read/directory", test_directory);
    g_test_add_func("/document-read/size", test_size);
    g_test_add_func("/document-read/endless", test_endless);
    g_test_add_func("/document-read/standard-input", test_standard_input);
    int status = g_test_run();
    g_rmdir(scratch);
    g_free(scratch);
    return status;
}
