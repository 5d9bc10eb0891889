// SPDX-License-Identifier: LGPL-2.1-or-later
#include "oci/cloud_init.h"

#include <jansson.h>
#include <string.h>

/* Newlines and all between entries would be for people, who do not read it. */
static char *to_text(json_t *value)
{
    char *dumped = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);
    char *text = g_strdup(dumped);
    free(dumped);
    return text;
}

/* --- meta-data --- */

static json_t *known_of(const char *instance_id, const char *hostname, const GPtrArray *keys)
{
    json_t *known = json_pack("{s:s}", "instance-id", instance_id);
    if (hostname != NULL) {
        json_object_set_new(known, "local-hostname", json_string(hostname));
    }
    if (keys->len > 0) {
        json_t *list = json_array();
        for (guint i = 0; i < keys->len; i++) {
            json_array_append_new(list, json_string(g_ptr_array_index(keys, i)));
        }
        json_object_set_new(known, "public-keys", list);
    }
    return known;
}

static bool yaml_has_key(const char *yaml, const char *key)
{
    g_auto(GStrv) lines = g_strsplit(yaml, "\n", -1);
    g_autofree char *pattern = g_strdup_printf("^(\"%s\"|'%s'|%s)\\s*:", key, key, key);
    for (char **line = lines; *line != NULL; line++) {
        if (g_regex_match_simple(pattern, *line, G_REGEX_DEFAULT, G_REGEX_MATCH_DEFAULT)) {
            return true;
        }
    }
    return false;
}

/* Some editors put a byte order mark in front, which is no part of what follows. */
static const char *without_mark(const char *text)
{
    static const char mark[] = "\xef\xbb\xbf";
    return g_str_has_prefix(text, mark) ? text + strlen(mark) : text;
}

bool oci_cloud_init_has_key(const char *meta_data, const char *key)
{
    meta_data = without_mark(meta_data);
    json_t *json = json_loads(meta_data, 0, NULL);
    bool has = json != NULL ? json_object_get(json, key) != NULL : yaml_has_key(meta_data, key);
    json_decref(json);
    return has;
}

static bool matches(const char *line, const char *pattern)
{
    return g_regex_match_simple(pattern, line, G_REGEX_RAW, G_REGEX_MATCH_DEFAULT);
}

/* Whether lines at the end become entries: of a mapping in block style whose keys begin their
 * lines, and that nothing ends. */
static bool takes_lines(const char *yaml)
{
    g_auto(GStrv) lines = g_strsplit(yaml, "\n", -1);
    bool begun = false;
    for (char **line = lines; *line != NULL; line++) {
        bool says_nothing = matches(*line, "^\\s*(#|$)");
        bool is_head = !begun && matches(*line, "^(%|---\\s*(\\s#.*)?$)");
        if (says_nothing || is_head) {
            continue;
        }
        bool is_key = matches(*line, "^[^][\\s{},&*!|>%@`?#-].*:(\\s|$)");
        if (matches(*line, "^(---|\\.\\.\\.)(\\s|$)") || (!begun && !is_key)) {
            return false;
        }
        begun = true;
    }
    return true;
}

/* Lines at the end of a mapping in block style, as people write it; NULL: it is not. */
static char *complete_yaml(const char *own, json_t *known)
{
    GString *text = g_string_new(own);
    const char *key;
    json_t *value;
    json_object_foreach(known, key, value)
    {
        if (yaml_has_key(own, key)) {
            continue;
        }
        if (!takes_lines(own)) {
            g_string_free(text, TRUE);
            return NULL;
        }
        g_autofree char *word = to_text(value);
        bool open = text->len > 0 && text->str[text->len - 1] != '\n';
        g_string_append_printf(text, "%s%s: %s\n", open ? "\n" : "", key, word);
    }
    return g_string_free(text, FALSE);
}

char *oci_cloud_init_meta_data(const char *own, const char *instance_id, const char *hostname,
                               const GPtrArray *keys)
{
    json_t *known = known_of(instance_id, hostname, keys);
    own = own != NULL ? without_mark(own) : NULL;
    json_t *json = own != NULL ? json_loads(own, 0, NULL) : json_object();
    char *text;
    if (json_is_object(json)) {
        json_object_update_missing(json, known);
        g_autofree char *line = to_text(json);
        text = g_strconcat(line, "\n", NULL);
    } else {
        text = complete_yaml(own, known);
    }
    json_decref(json);
    json_decref(known);
    return text;
}

/* --- vendor-data --- */

/*
 * At each boot, and not by an entry "mounts": that is obeyed at the first boot alone, while folders
 * can be others at the next, and user-data with "mounts" of its own would replace it.
 */
static char *mount_script(const struct vm_spec *spec)
{
    GString *script = g_string_new("#cloud-boothook\n#!/bin/sh\n");
    for (guint i = 0; i < spec->folders->len; i++) {
        const struct vm_folder *folder = g_ptr_array_index(spec->folders, i);
        g_autofree char *tag = g_shell_quote(folder->tag);
        g_autofree char *at = g_shell_quote(folder->destination);
        g_string_append_printf(script,
                               "mkdir -p %s; findmnt %s >/dev/null || mount -t virtiofs%s %s %s\n",
                               at, at, folder->readonly ? " -o ro" : "", tag, at);
    }
    for (guint i = 0; i < spec->files->len; i++) {
        const struct vm_file *file = g_ptr_array_index(spec->files, i);
        g_autofree char *copy = g_build_filename(VM_FILES_DESTINATION, file->name, NULL);
        g_autofree char *folder = g_path_get_dirname(file->destination);
        g_autofree char *quoted_folder = g_shell_quote(folder);
        g_autofree char *at = g_shell_quote(file->destination);
        g_string_append_printf(script,
                               "mkdir -p %s; [ -e %s ] || : >%s; findmnt %s >/dev/null || "
                               "mount -o bind %s %s\n",
                               quoted_folder, at, at, at, copy, at);
    }
    return g_string_free(script, FALSE);
}

/* A hash of any kind, and also for a user whom the image has already. "password", the short way,
 * takes yescrypt's hashes for the password itself. */
static json_t *password_config(const char *user, const char *hash)
{
    return user == NULL
               ? json_pack("{s:{s:s,s:b}}", "user", "hashed_passwd", hash, "lock_passwd", false)
               : json_pack("{s:{s:b,s:[{s:s,s:s,s:s}]}}", "chpasswd", "expire", false, "users",
                           "name", user, "password", hash, "type", "hash");
}

static void add_part(json_t *parts, const char *type, const char *content)
{
    json_array_append_new(parts, json_pack("{s:s,s:s}", "type", type, "content", content));
}

char *oci_cloud_init_vendor_data(const struct vm_spec *spec, const char *user, const char *hash)
{
    if (spec->folders->len == 0 && hash == NULL) {
        return NULL;
    }
    json_t *parts = json_array();
    if (spec->folders->len > 0) {
        g_autofree char *script = mount_script(spec);
        add_part(parts, "text/cloud-boothook", script);
    }
    if (hash != NULL) {
        json_t *config = password_config(user, hash);
        g_autofree char *line = to_text(config);
        g_autofree char *text = g_strconcat("#cloud-config\n", line, "\n", NULL);
        add_part(parts, "text/cloud-config", text);
        json_decref(config);
    }
    g_autofree char *list = to_text(parts);
    json_decref(parts);
    return g_strconcat("#cloud-config-archive\n", list, "\n", NULL);
}

/* --- user-data --- */

bool oci_cloud_init_knows(GBytes *user_data)
{
    /* Words that begin a first line; and gzip, of any of these. */
    static const char *const beginnings[] = {
        "#cloud-config", "#!",           "#include", "#cloud-boothook", "#part-handler",
        "## template:",  "#upstart-job", "\x1f\x8b", "MIME-Version:",   "Content-Type:",
        "From ",
    };
    gsize length;
    const char *data = g_bytes_get_data(user_data, &length);
    for (gsize i = 0; i < G_N_ELEMENTS(beginnings); i++) {
        gsize n = strlen(beginnings[i]);
        if (length >= n && g_ascii_strncasecmp(data, beginnings[i], n) == 0) {
            return true;
        }
    }
    return length == 0;
}
