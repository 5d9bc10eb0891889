// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/*
 * A process that ends with _exit() is looked through by LeakSanitizer and valgrind only if it asks
 * for that: while what it still uses is in reach. Built without that sanitizer, or run without
 * valgrind, this is nothing.
 */
#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/lsan_interface.h>
#define leaks_check() __lsan_do_recoverable_leak_check()
#elif defined(__has_include) && __has_include(<valgrind/memcheck.h>)
#include <valgrind/memcheck.h>
#define leaks_check() VALGRIND_DO_LEAK_CHECK
#else
#define leaks_check() (void)0
#endif
