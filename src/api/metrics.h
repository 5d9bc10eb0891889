// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/*
 * Prometheus' text format, version 0.0.4. Pure.
 *
 * libvirt's statistics keep its names and its numbers, by rule:
 *     block.0.rd.bytes = 512, block.0.name = vda
 *     ocivirt_domain_block_rd_bytes_total{block="0",block_name="vda"} 512
 * - "ocivirt_domain_", and the words between the dots with _ between them; what is neither letter
 *   nor digit becomes _, too;
 * - a number among the words becomes a label, named like the word before it; if libvirt has a name
 *   for that, it is a label with _name behind;
 * - then the unit, where it is known and the name does not end with it, and _total for a counter;
 * - yes and no become 1 and 0; other strings are left out.
 */

#include "src/engine/control.h"

/* @statistics: of engine_question(); NULL: they are not known. The caller owns the string. */
char *metrics_format(const struct engine_view *view, const struct engine_health *health,
                     GVariant *statistics);
