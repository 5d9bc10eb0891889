// SPDX-License-Identifier: LGPL-2.1-or-later
#include "tests/fuzz/examine.h"
#include "tests/fuzz/fuzz.h"

#include <string.h>

#define SEPARATOR 0xff

/* Takes what is before the separator off the front. */
static char *take_part(struct fuzz_input *input, gsize *length)
{
    const guint8 *end = input->left > 0 ? memchr(input->rest, SEPARATOR, input->left) : NULL;
    *length = end != NULL ? (gsize)(end - input->rest) : input->left;
    char *part = g_malloc(*length + 1);
    memcpy(part, input->rest, *length);
    part[*length] = '\0';
    gsize used = *length + (end != NULL);
    input->rest += used;
    input->left -= used;
    return part;
}

/* NAME=VALUE, with a NUL between one and the next. */
static char **split_environment(const char *part, gsize length)
{
    g_autoptr(GStrvBuilder) environment = g_strv_builder_new();
    for (const char *entry = part; entry < part + length; entry += strlen(entry) + 1) {
        if (strchr(entry, '=') != NULL) {
            g_strv_builder_add(environment, entry);
        }
    }
    return g_strv_builder_end(environment);
}

void fuzz_input_init(struct fuzz_input *input, const uint8_t *data, size_t size)
{
    *input = (struct fuzz_input){.rest = data != NULL ? data : (const guint8 *)"", .left = size};
    input->json = take_part(input, &input->length);
    gsize length;
    g_autofree char *environment = take_part(input, &length);
    input->environment = split_environment(environment, length);
}

void fuzz_input_finish(struct fuzz_input *input)
{
    g_free(input->json);
    g_strfreev(input->environment);
}

int fuzz_run_json(const uint8_t *data, size_t size, fuzz_look *look)
{
    struct fuzz_input input;
    struct oci_problems problems;
    struct oci_document document;
    fuzz_input_init(&input, data, size);
    oci_problems_init(&problems);
    if (oci_document_init(&document, g_steal_pointer(&input.json), input.length, &problems)) {
        look(&document, &input, &problems);
    } else {
        g_assert(problems.list->len == 1);
        examine_problems(&problems);
    }
    oci_document_finish(&document);
    oci_problems_finish(&problems);
    fuzz_input_finish(&input);
    return 0;
}

guint64 fuzz_take(struct fuzz_input *input, unsigned bytes)
{
    guint64 number = 0;
    for (unsigned i = 0; i < bytes && input->left > 0; i++, input->left--) {
        number = number << 8 | *input->rest++;
    }
    return number;
}
