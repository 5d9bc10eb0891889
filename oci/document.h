// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/*
 * The text of a JSON file beside its jansson tree.
 *
 * jansson forgets where a value stood and has no integer past INT64_MAX, both of which the text
 * still knows: positions and such integers are looked up there, only when they are needed.
 */

#include <glib.h>
#include <jansson.h>
#include <stdbool.h>

/* A config.json of a busy node has some tens of KiB. */
#define OCI_DOCUMENT_MAX_BYTES (4u << 20)

/* Objects and arrays inside each other: the spec's own go to 8. */
#define OCI_DOCUMENT_MAX_DEPTH 64
/* A string, in the file's bytes. Kubernetes allows 256 KiB for all annotations of an object. */
#define OCI_DOCUMENT_MAX_STRING (256u << 10)

struct oci_problems;

struct oci_document {
    char *text;
    gsize length;
    json_t *root;          /* NULL until it was parsed without a problem */
    GArray *long_integers; /* of struct oci_span: those that jansson cannot hold */
};

/* A piece of the text, in bytes. */
struct oci_span {
    gsize start, length;
};

/* Byte offsets into the text. */
struct oci_position {
    gsize key;   /* of the name; where there is none, the same as value */
    gsize value; /* of the value, or of the innermost object or array around where it would be */
};

/* Reads a file ("-": standard input) whole. ERROR_CONFIG says what failed, or that it is too big.
 */
char *oci_document_read(const char *path, gsize *length, GError **error);

/* Parses; takes @text over. A syntax error, or a root that is no object, goes to @problems. */
bool oci_document_init(struct oci_document *document, char *text, gsize length,
                       struct oci_problems *problems);
void oci_document_finish(struct oci_document *document);

/* @path is one of problems.h. Always finds a place: at worst the document's first byte. Returns
 * whether the value itself is there. */
bool oci_document_locate(const struct oci_document *document, const char *path,
                         struct oci_position *position);
void oci_document_line_column(const struct oci_document *document, gsize offset, unsigned *line,
                              unsigned *column);

/* The value at @path as the file writes it, or NULL. The caller owns it. */
char *oci_document_token(const struct oci_document *document, const char *path);

/*
 * The digits of an integer past 64 bits signed, which stands in the tree as the real @value; NULL
 * if that is an ordinary one. The caller owns them.
 */
char *oci_document_long_integer(const struct oci_document *document, double value);

/* PARENT.NAME, or PARENT["NAME"] where the name needs it. The caller owns it. */
char *oci_path_child(const char *parent, const char *name);
/* LIST[INDEX], or LIST[INDEX].MEMBER where there is a member. The caller owns it. */
char *oci_path_element(const char *list, gsize index, const char *member);
