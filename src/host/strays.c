// SPDX-License-Identifier: LGPL-2.1-or-later
#include "src/host/strays.h"
#include "src/host/process.h"
#include "src/util/log.h"

#include <glob.h>
#include <string.h>

/* Where libvirt writes a pid: of the VM's QEMU, and of one that it probes. */
static const char *const pid_files[] = {"run/qemu/*.pid", "lib/qemu/qmp-*/qmp.pid"};

/* Whether it is a QEMU with files of libvirt's below @root: its arguments say so. */
static bool is_qemu_of(pid_t pid, const char *root)
{
    g_autofree char *path = g_strdup_printf("/proc/%d/cmdline", pid);
    g_autofree char *files = g_strconcat(root, "/lib/qemu/", NULL);
    g_autofree char *words = NULL;
    gsize length = 0;
    return g_file_get_contents(path, &words, &length, NULL) &&
           memmem(words, length, files, strlen(files)) != NULL;
}

static pid_t read_pid(const char *path)
{
    g_autofree char *text = NULL;
    return g_file_get_contents(path, &text, NULL, NULL) ? (pid_t)g_ascii_strtoll(text, NULL, 10)
                                                        : 0;
}

static void end(pid_t pid, const char *root)
{
    /* Before its arguments are looked at: they are then those of the process that is ended. */
    guint64 started = process_start_time(pid);
    if (started > 0 && is_qemu_of(pid, root)) {
        process_end(pid, started);
        log_info("a QEMU (pid %d) that was being started when its ocivirt died is ended", pid);
    }
}

/* As a pattern that only @path matches. */
static char *quote(const char *path)
{
    GString *quoted = g_string_new(NULL);
    for (; *path != '\0'; path++) {
        if (strchr("*?[\\", *path) != NULL) {
            g_string_append_c(quoted, '\\');
        }
        g_string_append_c(quoted, *path);
    }
    return g_string_free(quoted, FALSE);
}

static void end_all(const char *pattern, const char *root)
{
    g_autofree char *folder = quote(root);
    g_autofree char *path = g_build_filename(folder, pattern, NULL);
    glob_t found;
    if (glob(path, 0, NULL, &found) == 0) {
        for (gsize i = 0; i < found.gl_pathc; i++) {
            end(read_pid(found.gl_pathv[i]), root);
        }
        globfree(&found);
    }
}

void strays_end(const char *root)
{
    for (gsize i = 0; i < G_N_ELEMENTS(pid_files); i++) {
        end_all(pid_files[i], root);
    }
}
