// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/* libvirt's schema of domain XML: what virt-xml-validate goes by, without a process for each file.
 */

#include <glib.h>
#include <libxml/parser.h>
#include <libxml/relaxng.h>
#include <stdbool.h>
#include <string.h>

/* Of Debian's libvirt0, and everybody else's libvirt. */
#define SCHEMA_FILE "/usr/share/libvirt/schemas/domain.rng"

struct schema {
    xmlRelaxNG *grammar;
    xmlRelaxNGValidCtxt *validator;
};

G_GNUC_PRINTF(2, 3) static inline void schema_complain(void *unused, const char *format, ...)
{
    (void)unused;
    va_list args;
    va_start(args, format);
    g_autofree char *message = g_strdup_vprintf(format, args);
    va_end(args);
    g_test_message("%s", g_strchomp(message));
}

/* Without the schema there is no test: that is an error. */
static inline void schema_init(struct schema *schema)
{
    xmlRelaxNGParserCtxt *parser = xmlRelaxNGNewParserCtxt(SCHEMA_FILE);
    g_assert_nonnull(parser);
    schema->grammar = xmlRelaxNGParse(parser);
    xmlRelaxNGFreeParserCtxt(parser);
    g_assert_nonnull(schema->grammar);
    schema->validator = xmlRelaxNGNewValidCtxt(schema->grammar);
    xmlRelaxNGSetValidErrors(schema->validator, schema_complain, schema_complain, NULL);
}

static inline void schema_finish(struct schema *schema)
{
    xmlRelaxNGFreeValidCtxt(schema->validator);
    xmlRelaxNGFree(schema->grammar);
}

/* Whether @text is well-formed, and a domain; messages say why not. */
static inline bool schema_accepts(const struct schema *schema, const char *text)
{
    xmlDoc *doc = xmlReadMemory(text, strlen(text), "domain.xml", NULL, XML_PARSE_NONET);
    bool valid = doc != NULL && xmlRelaxNGValidateDoc(schema->validator, doc) == 0;
    xmlFreeDoc(doc);
    return valid;
}
