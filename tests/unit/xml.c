// SPDX-License-Identifier: LGPL-2.1-or-later
#include "src/vm/xml.h"
#include "tests/unit/expect.h"

#include <libxml/parser.h>
#include <string.h>

static xmlDoc *new_doc(void)
{
    xmlDoc *doc = xmlNewDoc(BAD_CAST "1.0");
    xmlDocSetRootElement(doc, xmlNewDocNode(doc, NULL, BAD_CAST "r", NULL));
    return doc;
}

/* The text of @doc's root; frees @doc. */
static char *finish(xmlDoc *doc)
{
    xmlBuffer *buffer = xmlBufferCreate();
    xmlNodeDump(buffer, doc, xmlDocGetRootElement(doc), 0, 0);
    char *text = g_strdup((const char *)xmlBufferContent(buffer));
    xmlBufferFree(buffer);
    xmlFreeDoc(doc);
    return text;
}

static void test_elements(void)
{
    xmlDoc *doc = new_doc();
    xmlNode *root = xmlDocGetRootElement(doc);
    xmlNode *a = xml_add(root, "a", "x", "1", "y", "2", NULL);
    xml_add(a, "b", NULL);
    xml_add_text(a, "c", "text", NULL);
    xml_add_text(a, "d", "", "z", "3", NULL);
    g_autofree char *text = finish(doc);
    g_assert_cmpstr(text, ==, "<r><a x=\"1\" y=\"2\"><b/><c>text</c><d z=\"3\"></d></a></r>");
}

static void test_null_is_left_out(void)
{
    xmlDoc *doc = new_doc();
    xmlNode *root = xmlDocGetRootElement(doc);
    xml_add(root, "a", "x", NULL, "y", "2", "z", NULL, NULL);
    g_assert_null(xml_add_text(root, "b", NULL, "x", "1", NULL));
    xml_add_text(root, "c", "t", "x", NULL, NULL);
    g_autofree char *text = finish(doc);
    g_assert_cmpstr(text, ==, "<r><a y=\"2\"/><c>t</c></r>");
}

/* What @text comes back as, once as an element's text and once as an attribute's value. */
static void round_trip(const char *text, char **element, char **attribute)
{
    xmlDoc *doc = new_doc();
    xml_add_text(xmlDocGetRootElement(doc), "e", text, "a", text, NULL);
    g_autofree char *xml = finish(doc);
    doc = xmlReadMemory(xml, strlen(xml), NULL, NULL, XML_PARSE_NOERROR | XML_PARSE_NONET);
    *element = *attribute = NULL;
    if (doc != NULL) {
        xmlNode *node = xmlDocGetRootElement(doc)->children;
        xmlChar *content = xmlNodeGetContent(node), *value = xmlGetProp(node, BAD_CAST "a");
        *element = g_strdup((const char *)content);
        *attribute = g_strdup((const char *)value);
        xmlFree(content);
        xmlFree(value);
        xmlFreeDoc(doc);
    }
}

#define BAD "\xef\xbf\xbd" /* U+FFFD */

static void test_hostile_text(void)
{
    static const struct {
        const char *text, *expected; /* NULL: the same */
    } cases[] = {
        {"plain", NULL},
        {"", NULL},
        {"<a b='c'>&amp;</a>", NULL},
        {"</e><script/>", NULL},
        {"]]>", NULL},
        {"<![CDATA[x]]>", NULL},
        {"<!-- x -->", NULL},
        {"<?pi?>", NULL},
        {"&", NULL},
        {"&lt;", NULL},
        {"&unknown;", NULL},
        {"&#0;", NULL},
        {"\"quotes\" and 'others'", NULL},
        {"\" onload=\"x", NULL},
        {"tab\there", NULL},
        {"line\nbreak", NULL},
        {"carriage\rreturn\r\n", NULL},
        {" spaces  at both ends ", NULL},
        {"ä€𝄞", NULL},
        {"\xef\xbf\xbd", NULL},
        {"\xee\x80\x80", NULL}, /* U+E000 */
        {"\x7f", NULL},
        /* what XML 1.0 has no way to write, not even as a reference */
        {"a\x01z", "a" BAD "z"},
        {"\x08\x0b\x0c\x0e\x1b\x1f", BAD BAD BAD BAD BAD BAD},
        {"\xef\xbf\xbe", BAD}, /* U+FFFE */
        {"\xef\xbf\xbf", BAD},
        /* not UTF-8 at all */
        {"\xff", BAD},
        {"a\xc3", "a" BAD},
        {"\xc0\x80", BAD BAD},                 /* overlong */
        {"\xed\xa0\x80", BAD BAD BAD},         /* a surrogate */
        {"\xf4\x90\x80\x80", BAD BAD BAD BAD}, /* past U+10FFFF */
    };
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        const char *expected = cases[i].expected != NULL ? cases[i].expected : cases[i].text;
        g_autofree char *element = NULL, *attribute = NULL;
        round_trip(cases[i].text, &element, &attribute);
        g_autofree char *row = g_strescape(cases[i].text, NULL);
        expect_str(row, element, expected);
        expect_str(row, attribute, expected);
    }
}

/* Every single byte, and every ASCII character that is not a control character as it is. */
static void test_every_byte(void)
{
    for (int byte = 1; byte < 256; byte++) {
        char text[] = {'a', byte, 'z', '\0'};
        g_autofree char *element = NULL, *attribute = NULL;
        g_autofree char *row = g_strdup_printf("0x%02x", byte);
        round_trip(text, &element, &attribute);
        expect(row, element != NULL && attribute != NULL);
        expect_str(row, element, attribute);
        if (byte >= 0x20 && byte < 0x80) {
            expect_str(row, element, text);
        }
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_set_nonfatal_assertions();
    g_test_add_func("/xml/elements", test_elements);
    g_test_add_func("/xml/null-is-left-out", test_null_is_left_out);
    g_test_add_func("/xml/hostile-text", test_hostile_text);
    g_test_add_func("/xml/every-byte", test_every_byte);
    int status = g_test_run();
    xmlCleanupParser();
    return status;
}
