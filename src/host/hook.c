// SPDX-License-Identifier: LGPL-2.1-or-later
#include "src/host/hook.h"
#include "src/util/error.h"
#include "src/util/log.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

/*
 * Theory of operation.
 *
 * The caller is a thread of the engine, or PID 1, which has all signals blocked: so nothing here
 * depends on SIGCHLD, nor on a signal's disposition. The end of a hook is its pidfd's to tell. The
 * state comes from a memfd, not through a pipe: a hook that does not read it blocks nobody, and
 * nobody gets a SIGPIPE. One poll(2) waits for output, the end, the timeout and the cancelling; it
 * comes round after each line that is logged, since the log can be slow (log.h).
 *
 * When the hook has ended what is in the pipe is read, and no more: a daemon that it has started
 * can hold the other end for ever.
 */

/* Of log per hook, with what is put before each line: a hook is not to fill a disk. */
#define MOST_LOGGED (64 * 1024)
/* The log cuts lines near this, which is 4096 with its own words. */
#define LONGEST_LINE 3840
#define LONGEST_LAST_WORDS 256
/* More than a pipe holds comes from who still writes. */
#define MOST_DRAINED (64 * 1024)
/* After SIGKILL; who has not gone by then hangs in the kernel. */
#define GIVE_UP_MS 5000

static const char *const kind_names[] = {
    [HOOK_PRESTART] = "prestart",
    [HOOK_CREATE_RUNTIME] = "createRuntime",
    [HOOK_CREATE_CONTAINER] = "createContainer",
    [HOOK_POSTSTART] = "poststart",
    [HOOK_POSTSTOP] = "poststop",
};
G_STATIC_ASSERT(G_N_ELEMENTS(kind_names) == HOOK_KINDS);

enum reason { ENDED_ITSELF, TIMED_OUT, CANCELLED };

struct run {
    const struct hook *hook;
    char *name; /* "hook createRuntime[0] (/path)" */
    pid_t pid;
    int pidfd;
    int output;       /* non-blocking; -1: at its end */
    GString *text;    /* output that is not logged yet */
    char *last_words; /* the last line that says anything */
    gsize logged;     /* bytes */
    gint64 deadline;  /* µs, monotonic; G_MAXINT64: none */
};

const char *hook_kind_name(enum hook_kind kind)
{
    return kind_names[kind];
}

/* --- its beginning --- */

/* A file with @text and no name, read from its beginning; -1 and errno. */
static int make_input(const char *text)
{
    /* Some systems want to be told that it is no program; others do not know the flag yet. */
    const unsigned noexec = 8; /* MFD_NOEXEC_SEAL */
    int fd = memfd_create("ocivirt-state", MFD_CLOEXEC | noexec);
    if (fd < 0 && errno == EINVAL) {
        fd = memfd_create("ocivirt-state", MFD_CLOEXEC);
    }
    for (gsize done = 0, length = strlen(text); fd >= 0 && done < length;) {
        ssize_t n = pwrite(fd, text + done, length - done, done);
        if (n < 0 && errno != EINTR) {
            int saved_errno = errno;
            close(fd);
            errno = saved_errno;
            return -1;
        }
        done += MAX(n, 0);
    }
    return fd;
}

/* posix_spawn(3) gives the error of exec itself, and may be used beside other threads. */
static int spawn_with(pid_t *pid, const struct hook *hook, int input, int output, int directory)
{
    const char *path_alone[] = {hook->path, NULL}, *empty[] = {NULL};
    const char *const *argv = hook->argv != NULL && *hook->argv != NULL ? hook->argv : path_alone;
    const char *const *env = hook->env != NULL ? hook->env : empty;
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attributes;
    sigset_t none, all;
    sigemptyset(&none);
    sigfillset(&all);

    posix_spawnattr_init(&attributes);
    posix_spawnattr_setflags(&attributes,
                             POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSID);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setsigdefault(&attributes, &all);
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_adddup2(&files, input, STDIN_FILENO);
    posix_spawn_file_actions_adddup2(&files, output, STDOUT_FILENO);
    posix_spawn_file_actions_adddup2(&files, output, STDERR_FILENO);
    posix_spawn_file_actions_addfchdir_np(&files, directory);
    posix_spawn_file_actions_addclosefrom_np(&files, STDERR_FILENO + 1);
    int saved_errno =
        posix_spawn(pid, hook->path, &files, &attributes, (char *const *)argv, (char *const *)env);
    posix_spawn_file_actions_destroy(&files);
    posix_spawnattr_destroy(&attributes);
    return saved_errno;
}

static bool fail_to_start(const struct run *run, const char *what, int saved_errno, GError **error)
{
    error_set_errno(error, ERROR_UNAVAILABLE, saved_errno, "%s %s", run->name, what);
    return false;
}

static bool spawn(struct run *run, const struct hook_context *context, GError **error)
{
    int ends[2];
    int directory = open(context->directory, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (directory < 0) {
        g_autofree char *what = g_strdup_printf("cannot run in %s", context->directory);
        return fail_to_start(run, what, errno, error);
    }
    int input = make_input(context->state);
    if (input < 0 || pipe2(ends, O_CLOEXEC) < 0) {
        fail_to_start(run, "cannot be given its input and output", errno, error);
        close(directory);
        if (input >= 0) {
            close(input);
        }
        return false;
    }
    run->output = ends[0];
    fcntl(run->output, F_SETFL, O_NONBLOCK);
    int saved_errno = spawn_with(&run->pid, run->hook, input, ends[1], directory);
    close(ends[1]);
    close(input);
    close(directory);
    return saved_errno == 0 || fail_to_start(run, "cannot be executed", saved_errno, error);
}

/* --- its output --- */

static void log_output(struct run *run, const char *line)
{
    if (run->logged > MOST_LOGGED) {
        return;
    }
    run->logged += strlen(run->name) + strlen(line) + strlen(": \n");
    if (run->logged > MOST_LOGGED) {
        log_warning("%s has said so much that the rest is left out", run->name);
    } else {
        log_info("%s: %s", run->name, line);
    }
}

/* The first @length bytes of the text are a line. */
static void take(struct run *run, gsize length)
{
    g_autofree char *line = g_strndup(run->text->str, length);
    g_strchomp(line);
    if (*line != '\0') {
        log_output(run, line);
        g_free(run->last_words);
        run->last_words = g_strndup(line, LONGEST_LAST_WORDS);
    }
}

/* Logs one line, if there is a whole one. */
static bool take_line(struct run *run)
{
    GString *text = run->text;
    const char *end = memchr(text->str, '\n', text->len);
    if (end == NULL && text->len < LONGEST_LINE) {
        return false;
    }
    gsize length = end != NULL ? MIN((gsize)(end - text->str) + 1, LONGEST_LINE) : LONGEST_LINE;
    take(run, length);
    g_string_erase(text, 0, length);
    return true;
}

/* Returns the number of bytes; 0 also when there are none now. */
static gsize read_output(struct run *run)
{
    char chunk[LONGEST_LINE];
    ssize_t n = read(run->output, chunk, sizeof(chunk));
    if (n > 0) {
        for (ssize_t i = 0; i < n; i++) {
            chunk[i] = chunk[i] != '\0' ? chunk[i] : '?'; /* it would end the line's text */
        }
        g_string_append_len(run->text, chunk, n);
    } else if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
        close(run->output);
        run->output = -1;
    }
    return MAX(n, 0);
}

static void drain(struct run *run)
{
    gsize drained = 0, n = 1;
    while (run->output >= 0 && n > 0 && drained < MOST_DRAINED) {
        n = read_output(run);
        drained += n;
        while (take_line(run)) {
        }
    }
    take(run, run->text->len);
}

/* --- its end --- */

static int poll_timeout(gint64 deadline)
{
    gint64 now = g_get_monotonic_time();
    if (deadline == G_MAXINT64) {
        return -1;
    }
    return deadline <= now ? 0 : (int)MIN((deadline - now + 999) / 1000, G_MAXINT);
}

/* Until it has ended, or has to be ended. */
static enum reason wait_for_end(struct run *run, int cancel)
{
    for (;;) {
        bool busy = take_line(run); /* then the pipe has to wait */
        struct pollfd fds[] = {
            {.fd = run->pidfd, .events = POLLIN},
            {.fd = cancel, .events = POLLIN},
            {.fd = busy ? -1 : run->output, .events = POLLIN},
        };
        poll(fds, G_N_ELEMENTS(fds), busy ? 0 : poll_timeout(run->deadline));
        if (fds[0].revents != 0) {
            return ENDED_ITSELF;
        }
        if (fds[1].revents != 0) {
            return CANCELLED;
        }
        if (g_get_monotonic_time() >= run->deadline) {
            return TIMED_OUT;
        }
        if (fds[2].revents != 0) {
            read_output(run);
        }
    }
}

/* Its pid, and so its group's number, is nobody else's before it is reaped. */
static void kill_group(struct run *run)
{
    kill(-run->pid, SIGKILL);
    struct pollfd end = {.fd = run->pidfd, .events = POLLIN};
    poll(&end, 1, GIVE_UP_MS);
}

/* How the hook ended, in words; NULL: well. The caller owns it. */
static char *describe_end(const struct run *run, enum reason reason)
{
    siginfo_t info = {0};
    bool reaped = waitid(P_PID, run->pid, &info, WEXITED | WNOHANG) == 0 && info.si_pid != 0;
    if (reason == CANCELLED) {
        return g_strdup("was killed before its end");
    }
    if (reason == TIMED_OUT) {
        return g_strdup_printf("was killed: it has a timeout of %g s",
                               run->hook->timeout_ms / 1000.0);
    }
    if (!reaped) {
        return g_strdup("has ended, and nobody could tell how");
    }
    if (info.si_code != CLD_EXITED) {
        return g_strdup_printf("died of signal %d (%s)", info.si_status, strsignal(info.si_status));
    }
    return info.si_status != 0 ? g_strdup_printf("exited with status %d", info.si_status) : NULL;
}

/* Before it has begun. */
static bool is_cancelled(const struct run *run, int cancel, GError **error)
{
    struct pollfd wish = {.fd = cancel, .events = POLLIN};
    if (poll(&wish, 1, 0) <= 0) {
        return false;
    }
    g_set_error(error, ERROR_DOMAIN, ERROR_UNAVAILABLE, "%s was not run any more", run->name);
    return true;
}

static bool watch(struct run *run, const struct hook_context *context, GError **error)
{
    run->pidfd = pidfd_open(run->pid, 0);
    if (run->pidfd < 0) {
        int saved_errno = errno;
        kill(-run->pid, SIGKILL);
        waitpid(run->pid, NULL, 0);
        return fail_to_start(run, "cannot be watched", saved_errno, error);
    }
    enum reason reason = wait_for_end(run, context->cancel);
    if (reason != ENDED_ITSELF) {
        kill_group(run);
    }
    drain(run);
    g_autofree char *how = describe_end(run, reason);
    if (how != NULL) {
        bool words = run->last_words != NULL;
        g_set_error(error, ERROR_DOMAIN, ERROR_UNAVAILABLE, "%s %s%s%s", run->name, how,
                    words ? "; its last words: " : "", words ? run->last_words : "");
    }
    return how == NULL;
}

bool hook_run(const struct hook *hook, enum hook_kind kind, gsize index,
              const struct hook_context *context, GError **error)
{
    gint64 now = g_get_monotonic_time();
    struct run run = {
        .hook = hook,
        .name = g_strdup_printf("hook %s[%" G_GSIZE_FORMAT "] (%s)", kind_names[kind], index,
                                hook->path),
        .pidfd = -1,
        .output = -1,
        .text = g_string_new(NULL),
        .deadline = hook->timeout_ms > 0 ? now + (gint64)hook->timeout_ms * 1000 : G_MAXINT64,
    };
    log_debug("%s begins", run.name);
    bool ok = !is_cancelled(&run, context->cancel, error) && spawn(&run, context, error) &&
              watch(&run, context, error);
    log_debug("%s has ended after %.1f ms", run.name, (g_get_monotonic_time() - now) / 1000.0);
    if (run.pidfd >= 0) {
        close(run.pidfd);
    }
    if (run.output >= 0) {
        close(run.output);
    }
    g_string_free(run.text, TRUE);
    g_free(run.last_words);
    g_free(run.name);
    return ok;
}

bool hook_run_list(const struct hook_list *list, enum hook_kind kind,
                   const struct hook_context *context, GError **error)
{
    for (gsize i = 0; i < list->length; i++) {
        if (!hook_run(&list->items[i], kind, i, context, error)) {
            return false;
        }
    }
    return true;
}
