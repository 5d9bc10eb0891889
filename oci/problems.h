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
#include <jansson.h>
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
/* Whether there is no room for another: then it is counted here, and needs no message. */
bool oci_problems_count(struct oci_problems *problems);
/* Whether another one would only be counted. */
bool oci_problems_full(const struct oci_problems *problems);
/* Whether there is a problem with what stands at @path, or with something around it. */
bool oci_problems_cover(const struct oci_problems *problems, const char *path);
/* Whether there is one with what stands at @path, or with something in it. */
bool oci_problems_within(const struct oci_problems *problems, const char *path);

/* @value for a message, cut where it would hide what the message says of it. The caller owns it. */
char *oci_problems_shorten(const char *value);

/* Appends @words, valid UTF-8, so that a line stays one, and a terminal is told nothing. */
void oci_problems_append_visible(GString *text, const char *words);

/* One line per problem, "FILE:LINE:COLUMN: PATH: MESSAGE\n", by line; a long path is cut. The
 * caller owns it. */
char *oci_problems_format(const struct oci_problems *problems, const char *file);

/* [{"path", "line", "column", "message"}, …], by line; no line where there is no place. */
json_t *oci_problems_to_json(const struct oci_problems *problems);
