// SPDX-License-Identifier: LGPL-2.1-or-later
#include "src/host/links.h"

#include <stdbool.h>
#include <string.h>

/* As the kernel's. */
#define LINKS_MAX 40

/* Takes the first name off @rest; NULL: there is none. The caller owns it. */
static char *take_name(GString *rest)
{
    g_string_erase(rest, 0, strspn(rest->str, "/"));
    gsize length = strcspn(rest->str, "/");
    char *name = length > 0 ? g_strndup(rest->str, length) : NULL;
    g_string_erase(rest, 0, length);
    return name;
}

/* Where @name in the folder @at is; NULL: no other place. The caller owns it. */
static char *step(const char *at, const char *name)
{
    if (g_str_equal(name, ".")) {
        return NULL;
    }
    return g_str_equal(name, "..") ? g_path_get_dirname(at) : g_build_filename(at, name, NULL);
}

char **links_follow(const char *path)
{
    g_autoptr(GPtrArray) way = g_ptr_array_new_with_free_func(g_free);
    g_autoptr(GString) rest = g_string_new(path);
    g_autofree char *at = g_strdup("/");
    while (true) {
        g_autofree char *name = take_name(rest);
        if (name == NULL) {
            break;
        }
        if (g_str_equal(name, "..")) { /* were it a link, this would lead elsewhere */
            g_ptr_array_add(way, g_strdup(at));
        }
        g_autofree char *next = step(at, name);
        g_autofree char *target =
            next != NULL && way->len < LINKS_MAX ? g_file_read_link(next, NULL) : NULL;
        if (target != NULL) {
            g_string_prepend_c(rest, '/');
            g_string_prepend(rest, target);
            g_ptr_array_add(way, g_steal_pointer(&next));
        }
        if (target != NULL ? *target == '/' : next != NULL) {
            g_free(at);
            at = target != NULL ? g_strdup("/") : g_steal_pointer(&next);
        }
    }
    g_ptr_array_add(way, g_steal_pointer(&at));
    g_ptr_array_add(way, NULL);
    return (char **)g_ptr_array_free(g_steal_pointer(&way), FALSE);
}
