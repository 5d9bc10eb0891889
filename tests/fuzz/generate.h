// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/*
 * Random JSON by the tables of oci/fields.h: for the property test, and for the fuzzers' mutator.
 * It knows no property by name, so that a new row is generated from the day it is there.
 */

#include "oci/fields.h"

#include <jansson.h>

/* An object of @fields: what is required, and some of the rest, each as its row wants it. */
json_t *generate_object(GRand *rand, const struct oci_field *fields);

/* A value that row @field takes; what the rules want besides is left to chance. */
json_t *generate_value(GRand *rand, const struct oci_field *field);

/* Any JSON at all, at most @depth deep. */
json_t *generate_anything(GRand *rand, unsigned depth);

/* Text that hurts where it is not taken with care; valid UTF-8. The caller owns it. */
char *generate_text(GRand *rand);

/* A row of @fields. */
const struct oci_field *generate_field(GRand *rand, const struct oci_field *fields);
