// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/*
 * A process that ends with _exit() is not looked through by LeakSanitizer, unless it asks for it:
 * while what it still uses is in reach. Built without that sanitizer this is nothing.
 */
#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/lsan_interface.h>
#define leaks_check() __lsan_do_recoverable_leak_check()
#else
#define leaks_check() (void)0
#endif
