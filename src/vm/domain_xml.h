// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/*
 * vm_spec → libvirt domain XML (https://libvirt.org/formatdomain.html).
 *
 * Pure: the same spec gives the same text. The result is well-formed whatever strings @spec holds:
 * characters that XML 1.0 has no way to write become U+FFFD.
 * The caller owns the string.
 */

#include "src/vm/vm_spec.h"

/* The namespace of the <metadata> that carries annotations which mean nothing to ocivirt. */
#define DOMAIN_XML_NAMESPACE "urn:ocivirt:annotations:1"

char *domain_xml(const struct vm_spec *spec);
