// SPDX-License-Identifier: LGPL-2.1-or-later
#include "src/vm/xml.h"

#include <libxml/chvalid.h>

static char *to_xml_text(const char *text)
{
    g_autofree char *valid = g_utf8_make_valid(text, -1);
    GString *out = g_string_sized_new(strlen(valid));
    for (const char *p = valid; *p != '\0'; p = g_utf8_next_char(p)) {
        gunichar c = g_utf8_get_char(p);
        g_string_append_unichar(out, xmlIsCharQ(c) ? c : 0xFFFD);
    }
    return g_string_free(out, FALSE);
}

static void add_attributes(xmlNode *node, va_list args)
{
    const char *name;
    while ((name = va_arg(args, const char *)) != NULL) {
        const char *value = va_arg(args, const char *);
        if (value != NULL) {
            g_autofree char *text = to_xml_text(value);
            xmlNewProp(node, BAD_CAST name, BAD_CAST text);
        }
    }
}

xmlNode *xml_add(xmlNode *parent, const char *name, ...)
{
    xmlNode *node = xmlNewChild(parent, NULL, BAD_CAST name, NULL);
    va_list args;
    va_start(args, name);
    add_attributes(node, args);
    va_end(args);
    return node;
}

xmlNode *xml_add_text(xmlNode *parent, const char *name, const char *text, ...)
{
    if (text == NULL) {
        return NULL;
    }
    g_autofree char *xml_text = to_xml_text(text);
    xmlNode *node = xmlNewTextChild(parent, NULL, BAD_CAST name, BAD_CAST xml_text);
    va_list args;
    va_start(args, text);
    add_attributes(node, args);
    va_end(args);
    return node;
}
