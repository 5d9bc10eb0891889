// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/*
 * Text that stands in a setting itself, or in a file that the setting names. Text of a file can be
 * any bytes.
 */

#include <glib.h>
#include <stdbool.h>

/* A file may have so many bytes: a guest reads it at each boot. */
#define OCI_TEXT_MAX_BYTES (1u << 20)

struct oci_text {
    char *path;    /* absolute once it is read; NULL: the text stands in the setting */
    GBytes *bytes; /* NULL: there is no text, or it was not read from its file yet */
};

/* One of an open-ended family of settings, credential.NAME for example. */
struct oci_named_text {
    char *name;
    struct oci_text text;
    char *source; /* JSON path of its annotation */
};

/* Whether @value names a file: it begins with "/", "./" or "../", and is one line. */
bool oci_text_is_path(const char *value);

/* Takes what a setting says in place of what @text was. */
void oci_text_set(struct oci_text *text, const char *value);
void oci_text_clear(struct oci_text *text);

/* Whether a setting says something, read or not. */
bool oci_text_is_set(const struct oci_text *text);

/* Reads the file, if there is one to read: a relative path is relative to @bundle. ERROR_CONFIG
 * says what is wrong with it. */
bool oci_text_read(struct oci_text *text, const char *bundle, GError **error);

/* The text up to its first NUL; "" where there is none. The caller owns it. */
char *oci_text_dup(const struct oci_text *text);

/* "a file, ./user-data" or "text of 120 bytes": what it is, since what it says may be a secret. */
char *oci_text_describe(const char *value);

/* An array of struct oci_named_text. */
GPtrArray *oci_named_texts_new(void);
void oci_named_texts_add(GPtrArray *texts, const char *name, const char *value, const char *source);
bool oci_named_texts_have(const GPtrArray *texts, const char *name);
