// SPDX-License-Identifier: LGPL-2.1-or-later

/*
 * How long it takes from the text of a config.json to the domain XML: a row of `make bench`.
 *
 * usage: decode CONFIG.JSON... : each file; and two large ones that are made here.
 */

#include "oci/config.h"
#include "oci/document.h"
#include "oci/report.h"
#include "oci/translate.h"
#include "src/vm/domain_xml.h"

#include <stdio.h>
#include <string.h>

#define ROUNDS 101

static const struct oci_host host = {
    .cpus = 2,
    .emulator = "/usr/bin/qemu-system-x86_64",
    .id = "bench",
    .root = "/var/lib/ocivirt",
};

/* One pass; µs up to the checks, and up to the XML (0: it has problems, and becomes none). */
static void pass(const char *text, gsize length, gint64 *checked, gint64 *translated)
{
    char *environment[] = {NULL};
    g_autoptr(GPtrArray) warnings = g_ptr_array_new_with_free_func(g_free);
    struct oci_problems problems;
    struct oci_document document;
    struct oci_settings settings;
    char *copy = g_memdup2(text, length + 1);
    gint64 start = g_get_monotonic_time();
    oci_problems_init(&problems);
    if (!oci_document_init(&document, copy, length, &problems)) {
        g_error("not JSON");
    }
    struct oci_config *config = oci_config_decode(&document, "/bundle", &problems);
    oci_settings_init(&settings, config, environment, &problems, warnings);
    *checked = g_get_monotonic_time() - start;
    struct vm_spec *spec =
        oci_problems_any(&problems) ? NULL : oci_translate(config, &settings, &host, &problems);
    g_autofree char *xml = spec != NULL ? domain_xml(spec) : NULL;
    *translated = xml != NULL ? g_get_monotonic_time() - start : 0;
    vm_spec_free(spec);
    oci_settings_finish(&settings);
    oci_config_free(config);
    oci_document_finish(&document);
    oci_problems_finish(&problems);
}

static int by_value(const void *a, const void *b)
{
    gint64 left = *(const gint64 *)a, right = *(const gint64 *)b;
    return left < right ? -1 : left > right;
}

static void measure(const char *what, const char *text, gsize length)
{
    gint64 checked[ROUNDS], translated[ROUNDS];
    for (int i = 0; i < ROUNDS; i++) {
        pass(text, length, &checked[i], &translated[i]);
    }
    qsort(checked, ROUNDS, sizeof(gint64), by_value);
    qsort(translated, ROUNDS, sizeof(gint64), by_value);
    printf("  %-44s %7.1f KiB  %8.2f ms", what, length / 1024.0, checked[ROUNDS / 2] / 1000.0);
    if (translated[ROUNDS / 2] > 0) {
        printf("  %8.2f ms", translated[ROUNDS / 2] / 1000.0);
    }
    putchar('\n');
}

/* A MiB: @n elements made of @format, which takes their number twice and brings its own filler. */
static char *make_large(const char *begin, const char *format, int n, const char *end)
{
    GString *text = g_string_new(begin);
    for (int i = 0; i < n; i++) {
        g_string_append(text, i > 0 ? ",\n" : "");
        g_string_append_printf(text, "%s%05d%s", format, i, strchr(format, '\0') + 1);
    }
    g_string_append(text, end);
    return g_string_free(text, FALSE);
}

#define BEGIN "{\"ociVersion\":\"1.3.0\",\"vm\":{\"image\":{\"path\":\"/i\"}},"

int main(int argc, char **argv)
{
    puts("config.json: medians of " G_STRINGIFY(ROUNDS) " passes");
    printf("  %-44s %11s  %11s  %11s\n", "", "size", "checked", "domain XML");
    for (int i = 1; i < argc; i++) {
        g_autofree char *text = NULL;
        gsize length;
        g_autoptr(GError) error = NULL;
        if (!g_file_get_contents(argv[i], &text, &length, &error)) {
            g_error("%s", error->message);
        }
        measure(argv[i], text, length);
    }
    /* The two halves of an element are separated by a NUL. */
    g_autofree char *mounts = make_large(
        BEGIN "\"mounts\":[",
        "{\"destination\":\"/volumes/data/a\0\",\"type\":\"bind\",\"source\":\"/srv\",\"options\":"
        "[\"rbind\",\"ro\"]}",
        10000, "]}");
    measure("10,000 mounts", mounts, strlen(mounts));
    g_autofree char *annotations =
        make_large(BEGIN "\"annotations\":{",
                   "\"io.example.annotation.number-\0\":\"a value of some length, so that the file "
                   "has a mebibyte in all\"",
                   10000, "}}");
    measure("10,000 annotations", annotations, strlen(annotations));
    g_autofree char *wrong =
        make_large(BEGIN "\"mounts\":[", "{\"destination\":5,\"type\":\"a\0\"}", 10000, "]}");
    measure("10,000 wrong mounts", wrong, strlen(wrong));
    g_autofree char *limits =
        make_large(BEGIN "\"linux\":{\"resources\":{\"blockIO\":{\"throttleReadBpsDevice\":[",
                   "{\"major\":8,\"rate\":18446744073709551615,\"minor\":1\0}", 10000, "]}}}}");
    measure("10,000 limits past 63 bits", limits, strlen(limits));
    return 0;
}
