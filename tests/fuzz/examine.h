// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/* What must hold whatever the input is; aborts where it does not. */

#include "oci/report.h"

/* Of problems, as text and as JSON. */
void examine_problems(const struct oci_problems *problems);

/* Of the report, also as text, as JSON, and as the problems of --strict, which go to @problems. */
void examine_report(const struct oci_document *document, const struct oci_situation *situation,
                    struct oci_problems *problems);

/* Of anything that ocivirt says: no character that is an order to a terminal, but newlines. */
void examine_words(const char *text);
