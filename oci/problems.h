// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/*
 * What is wrong with a config.json: all of it, each with its place.
 *
 * A place is a JSON path as people write it, `vm.kernel.path`, `mounts[3].source` or
 * `annotations["org.ocivirt.memory"]` ("" is the whole document), from which line and column
 * follow; or any other words (`environment OCIVIRT_MEMORY`), which have none.
 */

#include <glib.h>
#include <stdbool.h>

/* Past this many the rest is counted and not kept: hostile files must not cost memory. */
#define OCI_PROBLEMS_MAX 100

struct oci_document;

struct oci_problem {
    char *where;
    char *message;
    unsigned line, column; /* from 1, in bytes; 0: no place in the file */
};

struct oci_problems {
    const struct oci_document *document; /* not owned; NULL: no positions */
    GPtrArray *list;                     /* of struct oci_problem, in order of detection */
    gsize dropped;
};

void oci_problems_init(struct oci_problems *problems);
void oci_problems_finish(struct oci_problems *problems);

/* At the value that JSON path @path names, or at the innermost object around it that exists. */
void oci_problems_add(struct oci_problems *problems, const char *path, const char *format, ...)
    G_GNUC_PRINTF(3, 4);
/* At the name rather than the value: what is wrong is the key. */
void oci_problems_add_key(struct oci_problems *problems, const char *path, const char *format, ...)
    G_GNUC_PRINTF(3, 4);
/* At a place that is not in the document. */
void oci_problems_add_outside(struct oci_problems *problems, const char *where, const char *format,
                              ...) G_GNUC_PRINTF(3, 4);
/* At a line and column that the JSON parser itself named. */
void oci_problems_add_syntax(struct oci_problems *problems, unsigned line, unsigned column,
                             const char *format, ...) G_GNUC_PRINTF(4, 5);

bool oci_problems_any(const struct oci_problems *problems);

/* One line per problem, "FILE:LINE:COLUMN: PATH: MESSAGE\n", by line. The caller owns it. */
char *oci_problems_format(const struct oci_problems *problems, const char *file);
