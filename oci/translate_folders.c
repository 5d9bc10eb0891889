// SPDX-License-Identifier: LGPL-2.1-or-later
#include "oci/document.h"
#include "oci/rules.h"
#include "oci/translation.h"

#include <string.h>

/* virtio's: 36 bytes, of which QEMU wants the last to be 0. */
#define LONGEST_TAG 35

static void mount_problem(struct translation *t, gsize index, const char *member,
                          const char *format, ...) G_GNUC_PRINTF(4, 5);

static void mount_problem(struct translation *t, gsize index, const char *member,
                          const char *format, ...)
{
    va_list args;
    va_start(args, format);
    g_autofree char *message = g_strdup_vprintf(format, args);
    va_end(args);
    g_autofree char *path = oci_path_element("mounts", index, member);
    oci_problems_add(t->problems, path, "%s", message);
}

static bool is_taken(const struct vm_spec *spec, const char *tag)
{
    for (guint i = 0; i < spec->folders->len; i++) {
        const struct vm_folder *folder = g_ptr_array_index(spec->folders, i);
        if (g_str_equal(folder->tag, tag)) {
            return true;
        }
    }
    return g_str_equal(tag, VM_FILES_TAG);
}

/* "/srv/www" → "srv-www", by which people mount it: mount -t virtiofs srv-www /srv/www. The end of
 * a long path tells more than its beginning. A "-" in front would be an option to mount. */
static char *tag_of(const struct vm_spec *spec, const char *destination)
{
    g_autofree char *name = g_strdup(destination + strspn(destination, "/"));
    for (char *c = name; *c != '\0'; c++) {
        if (!g_ascii_isalnum(*c) && strchr("._-", *c) == NULL) {
            *c = '-';
        }
    }
    gsize length = strlen(name);
    const char *end = length > LONGEST_TAG ? name + length - LONGEST_TAG : name;
    end += strspn(end, "-");
    char *tag = g_strdup(*end != '\0' ? end : "folder");
    for (guint number = spec->folders->len; is_taken(spec, tag); number++) {
        char *unique = g_strdup_printf("%.*s-%u", LONGEST_TAG - 5, tag, number);
        g_free(tag);
        tag = unique;
    }
    return tag;
}

/* What is there already; NULL: nothing is. */
static struct vm_folder *folder_at(const struct vm_spec *spec, const char *destination)
{
    for (guint i = 0; i < spec->folders->len; i++) {
        struct vm_folder *folder = g_ptr_array_index(spec->folders, i);
        if (g_str_equal(folder->destination, destination)) {
            return folder;
        }
    }
    return NULL;
}

static const struct vm_file *file_at(const struct vm_spec *spec, const char *destination)
{
    for (guint i = 0; i < spec->files->len; i++) {
        const struct vm_file *file = g_ptr_array_index(spec->files, i);
        if (g_str_equal(file->destination, destination)) {
            return file;
        }
    }
    return NULL;
}

/*
 * Whether the mount repeats one before it, as a bind mount that is then remounted with options.
 * Where nobody has looked, a source may be missing.
 */
static bool is_repeated(struct translation *t, gsize index)
{
    const struct oci_mount *mount = &t->config->mounts.items[index];
    struct vm_folder *folder = folder_at(t->spec, mount->destination);
    const struct vm_file *file = file_at(t->spec, mount->destination);
    if (folder != NULL && g_strcmp0(folder->source, mount->source) == 0) {
        folder->readonly = oci_mount_is_readonly(mount);
        return true;
    }
    return file != NULL && g_strcmp0(file->source, mount->source) == 0;
}

/* An engine would mount the later one on top; which one a guest mounts last is its own affair. */
static bool is_vacant(struct translation *t, gsize index)
{
    const struct oci_mount *mount = &t->config->mounts.items[index];
    const struct vm_folder *folder = folder_at(t->spec, mount->destination);
    const struct vm_file *file = file_at(t->spec, mount->destination);
    const char *other = folder != NULL ? folder->source : file != NULL ? file->source : NULL;
    if (other != NULL) {
        mount_problem(t, index, "destination",
                      "%s is where %s is mounted already, so %s cannot be there too; give one of "
                      "them another place, or remove it",
                      mount->destination, other, mount->source);
    }
    return other == NULL;
}

/* The kernel's command line has no way to write a space inside such a word. */
static bool check_destination(struct translation *t, gsize index)
{
    const char *destination = t->config->mounts.items[index].destination;
    for (const char *c = destination; *c != '\0'; c++) {
        if (g_ascii_isspace(*c) || *c == '"' || *c == ':' || g_ascii_iscntrl(*c)) {
            mount_problem(t, index, "destination",
                          "\"%s\" cannot be told to the guest: in a shared folder's place there "
                          "can be no space, quote or colon",
                          destination);
            return false;
        }
    }
    g_autofree char *where = oci_path_element("mounts", index, "destination");
    if (!oci_rules_check_text(destination, true, where, t->problems)) {
        return false;
    }
    if (g_str_equal(destination, "/")) {
        mount_problem(t, index, "destination",
                      "\"%s\" is not a place for a folder: it must be a path in the guest, such as "
                      "/srv/data",
                      destination);
        return false;
    }
    if (oci_mount_is_at_or_below(destination, VM_FILES_DESTINATION)) {
        mount_problem(t, index, "destination",
                      "\"%s\" is where the guest finds the copies of files; name another place",
                      destination);
        return false;
    }
    return is_vacant(t, index);
}

static struct vm_folder *new_folder(struct translation *t, const char *tag)
{
    struct vm_folder *folder = g_new0(struct vm_folder, 1);
    folder->tag = g_strdup(tag);
    folder->socket = g_strdup_printf("%s/run/folder%u.sock", t->host->root, t->spec->folders->len);
    g_ptr_array_add(t->spec->folders, folder);
    return folder;
}

static void add_folder(struct translation *t, gsize index)
{
    const struct oci_mount *mount = &t->config->mounts.items[index];
    if (is_repeated(t, index) || !check_destination(t, index)) {
        return;
    }
    if (t->spec->folders->len == VM_FOLDERS_MAX) {
        mount_problem(t, index, "destination", "is one folder too many: a VM can share %d",
                      VM_FOLDERS_MAX);
        return;
    }
    g_autofree char *tag = tag_of(t->spec, mount->destination);
    struct vm_folder *folder = new_folder(t, tag);
    folder->source = g_strdup(mount->source);
    folder->destination = g_strdup(mount->destination);
    folder->origin = oci_path_element("mounts", index, NULL);
    folder->readonly = oci_mount_is_readonly(mount);
}

/* virtiofs shares folders alone: so there is one with copies of all files. */
static void add_file(struct translation *t, gsize index)
{
    const struct oci_mount *mount = &t->config->mounts.items[index];
    if (is_repeated(t, index) || !check_destination(t, index)) {
        return;
    }
    if (t->spec->files->len == VM_FILES_MAX) {
        mount_problem(t, index, "destination", "is one file too many: a VM can share %d",
                      VM_FILES_MAX);
        return;
    }
    struct vm_file *file = g_new0(struct vm_file, 1);
    file->name = g_strdup_printf("%u", t->spec->files->len);
    file->source = g_strdup(mount->source);
    file->destination = g_strdup(mount->destination);
    g_ptr_array_add(t->spec->files, file);
}

static void add_folder_of_files(struct translation *t)
{
    struct vm_folder *folder = new_folder(t, VM_FILES_TAG);
    folder->source = g_strconcat(t->host->root, "/run/files", NULL);
    folder->destination = g_strdup(VM_FILES_DESTINATION);
    folder->readonly = true;
}

static void refuse_nothing(struct translation *t, gsize index)
{
    const struct oci_mount *mount = &t->config->mounts.items[index];
    if (!oci_mount_is_bind(mount)) {
        mount_problem(
            t, index, "type",
            "a file system of type \"%s\" cannot be mounted for a guest; name a folder, a "
            "file or a disk, of type bind, or remove the mount",
            mount->type);
    } else if (t->host->mounts[index].kind == OCI_SOURCE_OTHER) {
        mount_problem(t, index, "source",
                      "%s is not possible in a VM: it is no file, folder or block device",
                      mount->source);
    } else if (mount->source == NULL) {
        mount_problem(t, index, NULL,
                      "there is nothing to mount on %s: it has no source; name a folder, a file or "
                      "a disk, or remove the mount",
                      mount->destination);
    } else {
        mount_problem(t, index, "source",
                      "cannot use %s: %s; put it there (podman: -v), or remove the mount",
                      mount->source, g_strerror(t->host->mounts[index].error));
    }
}

void translate_folders(struct translation *t)
{
    for (gsize i = 0; i < t->config->mounts.length; i++) {
        switch (oci_translate_mount_role(t->config, t->host, i)) {
        case OCI_MOUNT_FOLDER:
            add_folder(t, i);
            break;
        case OCI_MOUNT_NOTHING:
            refuse_nothing(t, i);
            break;
        case OCI_MOUNT_FILE:
            add_file(t, i);
            break;
        case OCI_MOUNT_DISK:
        case OCI_MOUNT_GUESTS:
        case OCI_MOUNT_ENGINES:
            break;
        }
    }
    if (t->spec->files->len > 0) {
        add_folder_of_files(t);
    }
}
