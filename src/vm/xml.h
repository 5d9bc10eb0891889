// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/*
 * Building XML by appending: libxml2 escapes, and whatever is NULL is left out, so that an optional
 * thing needs no branch at its place of use.
 */

#include <glib.h>
#include <libxml/tree.h>

/* Adds <NAME ATTR='VALUE' …/>; the list of attribute, value pairs ends with NULL. A NULL value
 * leaves its attribute out. */
xmlNode *xml_add(xmlNode *parent, const char *name, ...) G_GNUC_NULL_TERMINATED;

/* Adds <NAME ATTR='VALUE' …>TEXT</NAME>, or nothing where @text is NULL. */
xmlNode *xml_add_text(xmlNode *parent, const char *name, const char *text,
                      ...) G_GNUC_NULL_TERMINATED;
