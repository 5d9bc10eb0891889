// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/*
 * What becomes of each property that a file has: one line each, in the file's order. Comes from
 * the same rows as decoding (fields.h).
 */

#include "oci/document.h"
#include "oci/problems.h"
#include "oci/verdicts.h"

struct oci_line {
    char *path;
    enum oci_fate fate; /* OCI_MEMBERS: it is wrong, and among the problems */
    char *text;
    bool nothing; /* null, or empty: no wish that could be honoured */
};

/* Of struct oci_line. @situation->spec may be NULL. The caller owns it. */
GPtrArray *oci_report_make(const struct oci_document *document,
                           const struct oci_situation *situation,
                           const struct oci_problems *problems);

/* A line of text for each, aligned. The caller owns it. */
char *oci_report_format(const GPtrArray *lines);
/* [{"path", "fate", "text"}, …], with fates in one word: "needs-guest-init". */
json_t *oci_report_to_json(const GPtrArray *lines);

/* Adds a problem for each property that is not honoured, if it says anything: --strict. */
void oci_report_be_strict(const GPtrArray *lines, struct oci_problems *problems);
