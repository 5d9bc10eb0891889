// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/*
 * A child process under a seccomp filter. It may not be able to do anything any more, not even to
 * end: what it has seen it leaves in shared memory.
 */

#include <errno.h>
#include <glib.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* Loads the filter for the rest of this process; NULL: none. */
static inline bool seccomp_child_load(GBytes *filter, unsigned flags)
{
    if (filter == NULL) {
        return true;
    }
    gsize size;
    const void *code = g_bytes_get_data(filter, &size);
    struct sock_fprog program = {size / sizeof(struct sock_filter), (struct sock_filter *)code};
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
           syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &program) == 0;
}

#define SECCOMP_CHILD_UNSET (-1000)
#define SECCOMP_CHILD_NOT_LOADED (-1001)

/* Waits for @child; what stands at @shared, or less than 0: the signal that ended it before. */
static inline int seccomp_child_result(pid_t child, int *shared)
{
    int status;
    pid_t waited;
    do {
        waited = waitpid(child, &status, 0);
    } while (waited < 0 && errno == EINTR);
    int result = *shared;
    munmap(shared, sizeof(*shared));
    return result == SECCOMP_CHILD_UNSET && WIFSIGNALED(status) ? -WTERMSIG(status) : result;
}

/* A child that leaves its result at *@shared; 0 in the child. */
static inline pid_t seccomp_child_fork(int **shared)
{
    *shared = mmap(NULL, sizeof(int), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    g_assert_true(*shared != MAP_FAILED);
    **shared = SECCOMP_CHILD_UNSET;
    pid_t child = fork();
    g_assert_true(child >= 0);
    return child;
}

/* Where the filter forbids even that: an instruction that is none. By hand, since in front of what
 * the compiler knows not to return the address sanitizer makes system calls. */
static inline void seccomp_child_end(void)
{
    syscall(SYS_exit_group, 0);
#ifdef __x86_64__
    __asm__ volatile("ud2");
#else
    __asm__ volatile("udf #0");
#endif
}

/* What the system call comes to under the filter: 0, its errno, or less than 0: a signal. */
static inline int seccomp_child_call(GBytes *filter, unsigned flags, long number,
                                     const guint64 *args)
{
    static const guint64 none[6];
    const guint64 *a = args != NULL ? args : none;
    int *shared;
    pid_t child = seccomp_child_fork(&shared);
    if (child == 0) {
        if (seccomp_child_load(filter, flags)) {
            long result = syscall(number, a[0], a[1], a[2], a[3], a[4], a[5]);
            *shared = result < 0 ? errno : 0;
        } else {
            *shared = SECCOMP_CHILD_NOT_LOADED;
        }
        seccomp_child_end();
    }
    return seccomp_child_result(child, shared);
}

#ifdef __x86_64__
/* The same for getppid of 32-bit programs. */
static inline int seccomp_child_int80(GBytes *filter)
{
    int *shared;
    pid_t child = seccomp_child_fork(&shared);
    if (child == 0) {
        if (seccomp_child_load(filter, 0)) {
            long result = 64;
            __asm__ volatile("int $0x80" : "+a"(result) : : "memory", "r8", "r9", "r10", "r11");
            *shared = (int)result > 0 ? 0 : -(int)result;
        }
        seccomp_child_end();
    }
    return seccomp_child_result(child, shared);
}
#endif
