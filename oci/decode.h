// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/*
 * From JSON into C structs, by the tables of fields.h. Whatever does not fit becomes a problem at
 * its place, and decoding goes on.
 */

#include "oci/fields.h"
#include "oci/problems.h"

#include <jansson.h>

struct oci_decoder {
    const struct oci_document *document;
    const char *bundle; /* absolute */
    struct oci_problems *problems;
};

/* Decodes the members of @object, the document's root, into @out. */
void oci_decode(const struct oci_decoder *decoder, json_t *object, const struct oci_field *fields,
                void *out);
/* Frees what oci_decode() has put into @out. */
void oci_decode_clear(const struct oci_field *fields, void *out);
