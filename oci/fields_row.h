// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/* What the tables of fields*.c are written with; for them alone. */

#include "oci/fields.h"
#include "oci/values.h"
#include "oci/verdicts.h"

/* Where the member of an element's own struct is. For those of struct oci_config each file has an
 * AT(). */
#define IN(type, member) .offset = G_STRUCT_OFFSET(struct type, member)

#define END                                                                                        \
    {                                                                                              \
        .name = NULL                                                                               \
    }

#define UINT32 .max = G_MAXUINT32

/* CPULIST_MAX_LENGTH */
#define CPU_LIST "a list of CPUs such as \"0-3,5\", of at most 4096 characters"
#define NODE_LIST "a list of NUMA nodes such as \"0-1,3\", of at most 4096 characters"
