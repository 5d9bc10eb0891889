// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/*
 * What libFuzzer calls, and what the bytes that it calls with mean.
 *
 * A harness is one file with LLVMFuzzerTestOneInput(). clang links it with libFuzzer, and any
 * compiler with replay.c, which runs files through it.
 *
 * An input is a JSON text; then, each behind a byte 0xff, which no UTF-8 has, an environment and
 * what else is drawn from. Any config.json is such an input, and the rest is as if zero.
 */

#include "oci/document.h"
#include "oci/fields.h"
#include "oci/problems.h"

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The table of what the JSON is to a harness, for mutate.c; NULL: its inputs have none. */
extern const struct oci_field *const fuzz_fields;

struct fuzz_input {
    char *json; /* with a NUL behind; passes to who takes it */
    gsize length;
    char **environment;
    const guint8 *rest;
    gsize left;
};

void fuzz_input_init(struct fuzz_input *input, const uint8_t *data, size_t size);
void fuzz_input_finish(struct fuzz_input *input);

/* The input of @size bytes, whose JSON @look gets as a document. If it is none, that must be the
 * one problem. What LLVMFuzzerTestOneInput() returns. */
typedef void fuzz_look(const struct oci_document *document, struct fuzz_input *input,
                       struct oci_problems *problems);
int fuzz_run_json(const uint8_t *data, size_t size, fuzz_look *look);

/* The next @bytes bytes of the rest, at most 8, as a number; 0 where there are none. */
guint64 fuzz_take(struct fuzz_input *input, unsigned bytes);
