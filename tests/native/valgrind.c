// SPDX-License-Identifier: LGPL-2.1-or-later

/*
 * Loaded before libc into all that the native tests start, for valgrind's sake: an ocivirt,
 * wherever it has been copied to and whoever starts it, becomes one that runs under valgrind, with
 * the options in $VALGRIND_OPTS.
 */

#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <unistd.h>
#include <valgrind/valgrind.h>

/* Debian's "valgrind" is a shell script, and a shell drops variables whose names it does not like.
 */
static const char *const valgrinds[] = {"/usr/bin/valgrind.bin", "/usr/bin/valgrind"};

__attribute__((constructor)) static void enter(int argc, char **argv)
{
    if (RUNNING_ON_VALGRIND || strcmp(program_invocation_short_name, "ocivirt") != 0) {
        return;
    }
    char path[4096];
    ssize_t length = readlink("/proc/self/exe", path, sizeof(path) - 1);
    const char **arguments = calloc(argc + 2, sizeof(*arguments));
    for (int i = 0; length > 0 && arguments != NULL && i < 2; i++) {
        path[length] = '\0';
        arguments[0] = valgrinds[i];
        arguments[1] = path;
        memcpy(arguments + 2, argv + 1, argc * sizeof(*argv)); /* the NULL, too */
        execv(valgrinds[i], (char **)arguments);
    }
    perror("valgrind");
    _exit(126);
}

/* valgrind 3.24 does not know this system call, and would answer ENOSYS. */
int pidfd_send_signal(int pidfd, int signal, siginfo_t *info, unsigned int flags)
{
    (void)info;
    (void)flags;
    char path[64], line[256];
    int pid = -1;
    snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", pidfd);
    FILE *file = fopen(path, "re");
    while (file != NULL && fgets(line, sizeof(line), file) != NULL) {
        sscanf(line, "Pid: %d", &pid);
    }
    if (file != NULL) {
        fclose(file);
    }
    if (pid <= 0) {
        errno = ESRCH;
        return -1;
    }
    return kill(pid, signal);
}

/* GLib has its patterns made into machine code, which reads 16 bytes at once and not only those
 * that are there. As if there were no such thing; GLib goes on without. */
#define PCRE2_ERROR_JIT_BADOPTION (-45)

int pcre2_jit_compile_8(void *code, uint32_t options);
int pcre2_jit_compile_8(void *code, uint32_t options)
{
    (void)code;
    (void)options;
    return PCRE2_ERROR_JIT_BADOPTION;
}
