// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/* The copies of single files that a guest gets. */

#include "src/vm/vm_spec.h"

/* Makes @folder and copies @files (of struct vm_file) into it, anew each time. ERROR_UNAVAILABLE;
 * ERROR_CONFIG: one is too large, or is no file. */
bool files_copy(const GPtrArray *files, const char *folder, GError **error);
