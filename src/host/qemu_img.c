// SPDX-License-Identifier: LGPL-2.1-or-later
#include "src/host/qemu_img.h"

#include <gio/gio.h>
#include <jansson.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>

/*
 * For the look at an image that somebody else has made: to say what it is takes milliseconds and a
 * hundredth of that, but what is in it decides, and might have it take for ever.
 */
#define INFO_CPU_SECONDS 30
#define INFO_MS 60000 /* it can wait, too: for a FIFO, or a disk that does not answer */
#define INFO_BYTES ((rlim_t)1 << 30)

#define NO_LIMIT 0

/* The signals that the supervisor forwards are blocked in the engine, and would be in qemu-img. */
static void unblock_signals(gpointer data)
{
    (void)data;
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

static void limit(int resource, rlim_t most)
{
    struct rlimit now;
    if (getrlimit(resource, &now) == 0 && (now.rlim_cur == RLIM_INFINITY || now.rlim_cur > most)) {
        now.rlim_cur = most;
        setrlimit(resource, &now);
    }
}

static void set_up_info(gpointer data)
{
    unblock_signals(data);
    limit(RLIMIT_CPU, INFO_CPU_SECONDS);
    limit(RLIMIT_AS, INFO_BYTES);
}

static gboolean on_limit(gpointer data)
{
    g_cancellable_cancel(data);
    return G_SOURCE_REMOVE;
}

static void on_talked(GObject *process, GAsyncResult *result, gpointer data)
{
    (void)process;
    *(GAsyncResult **)data = g_object_ref(result);
}

/* Until @process ends; at the limit that is G_IO_ERROR_CANCELLED. Watched from here, since qemu-img
 * blocks SIGALRM. */
static bool talk(GSubprocess *process, guint limit_ms, char **output, char **errors, GError **error)
{
    g_autoptr(GMainContext) context = g_main_context_new();
    g_autoptr(GCancellable) cancellable = g_cancellable_new();
    g_autoptr(GSource) timer = g_timeout_source_new(limit_ms);
    g_autoptr(GAsyncResult) result = NULL;
    if (limit_ms != NO_LIMIT) {
        g_source_set_callback(timer, on_limit, cancellable, NULL);
        g_source_attach(timer, context);
    }
    g_main_context_push_thread_default(context);
    g_subprocess_communicate_utf8_async(process, NULL, cancellable, on_talked, &result);
    while (result == NULL) {
        g_main_context_iteration(context, TRUE);
    }
    g_main_context_pop_thread_default(context);
    g_source_destroy(timer);
    return g_subprocess_communicate_utf8_finish(process, result, output, errors, error);
}

/* A limit is reached; the image is the last of @arguments. */
static bool refuse_slow(const char *const *arguments, enum error_code refusal, GError **error)
{
    const char *path = arguments[g_strv_length((char **)arguments) - 1];
    g_set_error(error, ERROR_DOMAIN, refusal,
                "qemu-img took too long to look at %s and was ended; it may be made to take for "
                "ever, or name a file that does not answer: see what is in it (head -c 1024), and "
                "whether the disk that it is on answers",
                path);
    return false;
}

/* What it has said, or died of. */
static bool explain(GSubprocess *process, char *errors, enum error_code refusal, GError **error)
{
    if (g_subprocess_get_if_signaled(process)) {
        g_set_error(error, ERROR_DOMAIN, refusal, "qemu-img died of signal %d (%s)",
                    g_subprocess_get_term_sig(process),
                    g_strsignal(g_subprocess_get_term_sig(process)));
        return false;
    }
    const char *message = g_strstrip(errors);
    message = g_str_has_prefix(message, "qemu-img: ") ? message + 10 : message;
    g_set_error(error, ERROR_DOMAIN, refusal, "%s", message);
    return false;
}

static bool ran_out_of_cpu(GSubprocess *process)
{
    return g_subprocess_get_if_signaled(process) && g_subprocess_get_term_sig(process) == SIGXCPU;
}

static GSubprocess *spawn(const char *const *arguments, GSpawnChildSetupFunc set_up, GError **error)
{
    g_autoptr(GError) local = NULL;
    g_autoptr(GSubprocessLauncher) launcher =
        g_subprocess_launcher_new(G_SUBPROCESS_FLAGS_STDOUT_PIPE | G_SUBPROCESS_FLAGS_STDERR_PIPE);
    g_subprocess_launcher_set_child_setup(launcher, set_up, NULL, NULL);
    GSubprocess *process = g_subprocess_launcher_spawnv(launcher, arguments, &local);
    if (process == NULL) {
        g_set_error(error, ERROR_DOMAIN, ERROR_UNAVAILABLE,
                    "cannot run qemu-img: %s; install it (Debian: qemu-utils)", local->message);
    }
    return process;
}

/* Runs qemu-img and gives its standard output, if @output is wanted. */
static bool run(const char *const *arguments, GSpawnChildSetupFunc set_up, guint limit_ms,
                enum error_code refusal, char **output, GError **error)
{
    g_autoptr(GError) local = NULL;
    g_autofree char *errors = NULL;
    g_autoptr(GSubprocess) process = spawn(arguments, set_up, error);
    if (process == NULL) {
        return false;
    }
    if (talk(process, limit_ms, output, &errors, &local)) {
        return g_subprocess_get_successful(process) ||
               (ran_out_of_cpu(process) ? refuse_slow(arguments, refusal, error)
                                        : explain(process, errors, refusal, error));
    }
    g_subprocess_force_exit(process);
    if (g_error_matches(local, G_IO_ERROR, G_IO_ERROR_CANCELLED)) {
        return refuse_slow(arguments, refusal, error);
    }
    g_set_error(error, ERROR_DOMAIN, ERROR_INTERNAL, "cannot talk to qemu-img: %s", local->message);
    return false;
}

static const char *get_word(const json_t *object, const char *key)
{
    return json_string_value(json_object_get(object, key));
}

static const char *find_other(const json_t *info, const char *path)
{
    const json_t *data = json_object_get(json_object_get(info, "format-specific"), "data");
    const char *other = get_word(info, "backing-filename");
    if (other == NULL) {
        other = get_word(data, "data-file");
    }
    size_t i;
    json_t *extent;
    json_array_foreach(json_object_get(data, "extents"), i, extent)
    {
        const char *file = get_word(extent, "filename");
        if (other == NULL && g_strcmp0(file, path) != 0) {
            other = file;
        }
    }
    return other;
}

bool qemu_img_info_within(guint limit_ms, const char *path, const char *format,
                          enum error_code refusal, struct qemu_img_info *info, GError **error)
{
    g_autofree char *output = NULL;
    const char *const named[] = {"qemu-img", "info", "--output=json", "-f", format, path, NULL};
    const char *const found[] = {"qemu-img", "info", "--output=json", path, NULL};
    *info = (struct qemu_img_info){NULL};
    if (!run(format != NULL ? named : found, set_up_info, limit_ms, refusal, &output, error)) {
        return false;
    }
    json_t *answer = json_loads(output, 0, NULL);
    info->format = g_strdup(get_word(answer, "format"));
    info->size = json_integer_value(json_object_get(answer, "virtual-size"));
    info->other = g_strdup(find_other(answer, path));
    json_decref(answer);
    if (info->format == NULL) {
        g_set_error(error, ERROR_DOMAIN, ERROR_INTERNAL, "qemu-img does not say what %s is", path);
        return false;
    }
    return true;
}

bool qemu_img_info(const char *path, const char *format, enum error_code refusal,
                   struct qemu_img_info *info, GError **error)
{
    return qemu_img_info_within(INFO_MS, path, format, refusal, info, error);
}

void qemu_img_info_clear(struct qemu_img_info *info)
{
    g_clear_pointer(&info->format, g_free);
    g_clear_pointer(&info->other, g_free);
}

static char *number(guint64 size)
{
    return size > 0 ? g_strdup_printf("%" G_GUINT64_FORMAT, size) : NULL;
}

bool qemu_img_create(const char *path, const char *image, const char *format, guint64 size,
                     GError **error)
{
    g_autofree char *bytes = number(size);
    const char *const arguments[] = {"qemu-img", "create", "-q",  "-f", "qcow2", "-F",
                                     format,     "-b",     image, path, bytes,   NULL};
    return run(arguments, unblock_signals, NO_LIMIT, ERROR_UNAVAILABLE, NULL, error);
}

bool qemu_img_grow(const char *path, const char *format, guint64 size, GError **error)
{
    g_autofree char *bytes = number(size);
    const char *const arguments[] = {"qemu-img", "resize", "-q", "-f", format, path, bytes, NULL};
    return run(arguments, unblock_signals, NO_LIMIT, ERROR_UNAVAILABLE, NULL, error);
}
