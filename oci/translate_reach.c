// SPDX-License-Identifier: LGPL-2.1-or-later
#include "oci/document.h"
#include "oci/translation.h"

/* What must not be within a guest's reach: replaced by a link, or by a program, it would lead the
 * next start, or a hook, to whatever the guest likes. */

/* As what each shared folder is passed on, also the one that is looked at. */
static const char another_folder[] = "another shared folder";

struct uses {
    oci_use_func *each;
    void *data;
};

static void use(const struct uses *uses, const char *path, const char *what)
{
    if (path != NULL) {
        uses->each(path, what, uses->data);
    }
}

/* Who replaces them runs as ocivirt does, the next time that it, or a helper, is started. */
static void use_programs(const struct uses *uses, const struct oci_config *config,
                         const struct oci_host *host)
{
    use(uses, translate_emulator(config, host), "QEMU");
    use(uses, "/proc/self/exe", "ocivirt itself");
    for (const char *const *library = host->libraries; library != NULL && *library; library++) {
        use(uses, *library, "a library of ocivirt's");
    }
    use(uses, "/etc/ld.so.cache", "the list of the system's libraries");
}

static void use_text(const char *path, void *data)
{
    use(data, path, "a file that a setting names");
}

static void use_mount(const struct uses *uses, const struct oci_config *config,
                      const struct oci_host *host, gsize index)
{
    const char *source = config->mounts.items[index].source;
    const char *image = host->mounts != NULL ? host->mounts[index].image : NULL;
    switch (oci_translate_mount_role(config, host, index)) {
    case OCI_MOUNT_DISK:
        use(uses, image != NULL ? image : source, "a disk");
        break;
    case OCI_MOUNT_FILE:
        use(uses, source, "a file that is copied");
        break;
    case OCI_MOUNT_FOLDER:
        use(uses, source, another_folder);
        break;
    case OCI_MOUNT_GUESTS:
    case OCI_MOUNT_ENGINES:
    case OCI_MOUNT_NOTHING:
        break;
    }
}

static void use_hooks(const struct uses *uses, const struct oci_config *config)
{
    for (gsize kind = 0; kind < OCI_HOOK_KINDS; kind++) {
        for (gsize i = 0; i < config->hooks[kind].length; i++) {
            use(uses, config->hooks[kind].items[i].path, "a hook");
        }
    }
}

static void use_namespaces(const struct uses *uses, const struct oci_config *config)
{
    for (gsize i = 0; i < config->namespaces.length; i++) {
        const struct oci_namespace *namespace = &config->namespaces.items[i];
        if (g_strcmp0(namespace->type, "network") == 0) {
            use(uses, namespace->path, "the network namespace");
        }
    }
}

static void use_disks(const struct uses *uses, const struct oci_config *config,
                      const struct oci_host *host)
{
    use(uses, host->image.image != NULL ? host->image.image : config->vm.image.path, "a disk");
    for (gsize i = 0; i < config->devices.length; i++) {
        const struct oci_device *device = &config->devices.items[i];
        if (g_strcmp0(device->type, "b") == 0) {
            use(uses, device->path, "a block device");
        }
    }
}

void oci_translate_each_use(const struct oci_config *config, const struct oci_settings *settings,
                            const struct oci_host *host, oci_use_func *each, void *data)
{
    struct uses uses = {each, data};
    oci_settings_each_file(settings, use_text, &uses);
    use(&uses, host->root, "the root directory");
    use(&uses, host->file, "this configuration");
    use_programs(&uses, config, host);
    use(&uses, config->vm.kernel.path, "the kernel");
    use(&uses, config->vm.kernel.initrd, "the initrd");
    use(&uses, config->vm.hw.device_tree, "the device tree");
    use_hooks(&uses, config);
    use_namespaces(&uses, config);
    use_disks(&uses, config, host);
    for (gsize i = 0; i < config->mounts.length; i++) {
        use_mount(&uses, config, host, i);
    }
}

/* The caller owns it. */
static char **way_to(const struct oci_host *host, const char *path)
{
    char **known = host->ways != NULL ? g_hash_table_lookup(host->ways, path) : NULL;
    if (known != NULL) {
        return g_strdupv(known);
    }
    char **way = g_new0(char *, 2);
    way[0] = g_canonicalize_filename(path, "/");
    return way;
}

static const char *end_of(char **way)
{
    return way[g_strv_length(way) - 1];
}

struct reach {
    struct translation *t;
    const struct vm_folder *folder;
    const char *real; /* where its source really is */
};

/* What the guest could replace on the way to @path; NULL: nothing. */
static const char *within_reach(const struct reach *reach, char **way, const char *what)
{
    for (char **place = way; *place != NULL; place++) {
        /* Shared twice, it is the guest's twice. */
        bool is_same =
            what == another_folder && place[1] == NULL && g_str_equal(*place, reach->real);
        if (!is_same && oci_mount_is_at_or_below(*place, reach->real)) {
            return *place;
        }
    }
    return NULL;
}

/* The caller owns it. */
static char *with_place(const char *path, const char *place)
{
    return g_str_equal(path, place) ? g_strdup(path) : g_strdup_printf("%s (at %s)", path, place);
}

static void keep_out_of_reach(const char *path, const char *what, void *data)
{
    const struct reach *reach = data;
    g_auto(GStrv) way = way_to(reach->t->host, path);
    const char *place = within_reach(reach, way, what);
    if (place != NULL) {
        g_autofree char *folder = with_place(reach->folder->source, reach->real);
        g_autofree char *file = with_place(path, place);
        g_autofree char *where = oci_path_child(reach->folder->origin, "source");
        oci_problems_add(reach->t->problems, where,
                         "the guest could write to all of %s, and %s, %s, is in there; share the "
                         "folder read-only (option ro), or put that somewhere else",
                         folder, what, file);
    }
}

void translate_check_writable_folders(struct translation *t)
{
    /* Where there are too many, that is said already. */
    guint folders = oci_problems_any(t->problems) ? 0 : t->spec->folders->len;
    for (guint i = 0; i < folders; i++) {
        const struct vm_folder *folder = g_ptr_array_index(t->spec->folders, i);
        if (!folder->readonly && folder->source != NULL) {
            g_auto(GStrv) way = way_to(t->host, folder->source);
            struct reach reach = {t, folder, end_of(way)};
            oci_translate_each_use(t->config, t->settings, t->host, keep_out_of_reach, &reach);
        }
    }
}
