// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/*
 * From JSON into C structs, by table: a row says what a property is called, what it must be and
 * where it goes. Whatever does not fit becomes a problem at its place, and decoding goes on.
 */

#include "oci/problems.h"

#include <jansson.h>

enum oci_type {
    OCI_STRING,      /* char * */
    OCI_STRINGS,     /* char **, NULL-terminated */
    OCI_UINT,        /* struct oci_uint, within min and max */
    OCI_INT,         /* struct oci_int */
    OCI_ANNOTATIONS, /* GPtrArray * of struct oci_annotation */
    OCI_OBJECT,      /* its members are rows of their own, in the same struct */
    OCI_UNSUPPORTED, /* an array that must be empty; @note says why */
};

enum oci_field_flags {
    OCI_REQUIRED = 1 << 0,
    OCI_ABSOLUTE = 1 << 1,       /* a path that must begin with '/' */
    OCI_BUNDLE_PATH = 1 << 2,    /* a path that may be relative to the bundle */
    OCI_EMPTY_IS_UNSET = 1 << 3, /* "" is how Go's types write an absent string */
};

struct oci_field {
    const char *name;
    const char *alias; /* another spelling seen in the wild */
    enum oci_type type;
    unsigned flags;
    gsize offset; /* of the member in the decoded struct */
    guint64 min, max;
    const char *const *words;       /* the only values allowed */
    const struct oci_field *fields; /* of an OCI_OBJECT */
    const char *note;
};

struct oci_decoder {
    const struct oci_document *document;
    const char *bundle; /* absolute */
    struct oci_problems *problems;
};

/* Decodes the members of @object, which stands at @path, into @out. Rows end with a NULL name. */
void oci_decode(const struct oci_decoder *decoder, json_t *object, const char *path,
                const struct oci_field *fields, void *out);
/* Frees what oci_decode() has put into @out. */
void oci_decode_clear(const struct oci_field *fields, void *out);
