// SPDX-License-Identifier: LGPL-2.1-or-later
#include "oci/devices.h"
#include "oci/document.h"
#include "oci/rules.h"
#include "oci/translation.h"
#include "oci/words.h"

#include <string.h>

/*
 * What a container was handed, a volume or a device, it was handed to keep data on: it is written.
 * What is part of the container's image is not, since a write would first copy all of the file into
 * the container's own layer: there the writes go to an overlay. The setting disk says otherwise.
 */

/* What virtio-blk passes on of a serial number. */
#define LONGEST_SERIAL 20

/* udev's links to virtio disks, by their serial numbers. */
#define BY_ID "/dev/disk/by-id/virtio-"

static const struct {
    const char *word;   /* config-vm.md's */
    const char *qemu;   /* QEMU's and libvirt's */
    const char *suffix; /* of a file's name that has it */
} formats[] = {
    {"raw", "raw", ".raw"},    {"qcow2", "qcow2", ".qcow2"}, {"vdi", "vdi", ".vdi"},
    {"vmdk", "vmdk", ".vmdk"}, {"vhd", "vpc", ".vhd"},
};

/* A disk that the config asks for. */
struct wish {
    const char *where;  /* JSON path of what names the file, for problems */
    const char *origin; /* JSON path of all of it */
    const char *path;   /* as the config has it */
    const struct oci_source *source;
    const char *format; /* QEMU's name; NULL: the file's own name tells */
    const char *place;  /* in the guest; NULL: nothing is said of it */
    bool readonly;
    bool block;
    bool is_image; /* vm.image */
};

/* --- formats --- */

static const char *format_of_word(const char *word)
{
    for (gsize i = 0; i < G_N_ELEMENTS(formats); i++) {
        if (g_str_equal(formats[i].word, word)) {
            return formats[i].qemu;
        }
    }
    return NULL;
}

/* Never by what is in the file: a guest that may write a raw disk can make it look like another
 * format, which names files of the container. */
static const char *format_of_name(const char *path)
{
    for (gsize i = 0; i < G_N_ELEMENTS(formats); i++) {
        if (g_str_has_suffix(path, formats[i].suffix)) {
            return formats[i].qemu;
        }
    }
    return "raw";
}

/* --- serial numbers --- */

/* "/dev/disk/data" → "disk-data": the guest finds it as /dev/disk/by-id/virtio-disk-data. NULL for
 * a path that has no name behind /dev/. */
static char *serial_of(const char *path)
{
    static const char *const prefixes[] = {BY_ID, "/dev/", "/"};
    const char *name = path;
    for (gsize i = 0; i < G_N_ELEMENTS(prefixes) && name == path; i++) {
        name += g_str_has_prefix(path, prefixes[i]) ? strlen(prefixes[i]) : 0;
    }
    g_autofree char *serial = g_strdup(name);
    for (char *c = serial; *c != '\0'; c++) {
        if (!g_ascii_isalnum(*c) && *c != '_' && *c != '-') {
            *c = '-';
        }
    }
    /* The end tells more: of "mapper-group-volume", "volume". */
    gsize length = strlen(serial);
    if (length == 0) {
        return NULL;
    }
    return g_strdup(length > LONGEST_SERIAL ? serial + length - LONGEST_SERIAL : serial);
}

/* --- two disks --- */

static bool is_same(const struct vm_location *a, const struct vm_location *b)
{
    return a->major == b->major && a->minor == b->minor;
}

static bool is_written(const struct vm_disk *disk)
{
    return !disk->readonly && disk->overlay == NULL;
}

/* Whether they share data: one device by two paths, a partition and its disk, or one file. */
static bool overlap(const struct vm_disk *a, const struct vm_disk *b)
{
    if (a->block && b->block) {
        bool known = a->location.major != 0 || a->location.minor != 0;
        return known && (is_same(&a->location, &b->location) || is_same(&a->location, &b->whole) ||
                         is_same(&a->whole, &b->location));
    }
    bool same = g_str_equal(a->image, b->image) ||
                (a->inode != 0 && a->inode == b->inode && a->device == b->device);
    return same && (is_written(a) || is_written(b));
}

/* The last disk against those before it. */
static void check_last_disk(struct translation *t, const char *where)
{
    guint last = t->spec->disks->len - 1;
    struct vm_disk *disk = g_ptr_array_index(t->spec->disks, last);
    for (guint i = 0; i < last; i++) {
        const struct vm_disk *other = g_ptr_array_index(t->spec->disks, i);
        if (overlap(disk, other)) {
            oci_problems_add(t->problems, where,
                             "%s and %s have the same data on the host: a guest that takes them "
                             "for two disks destroys it; remove one of them",
                             disk->image, other->image);
            return;
        }
        if (g_strcmp0(disk->serial, other->serial) == 0 && disk->serial != NULL) {
            /* What was cut off made the difference; the name of the disk in the guest does, too. */
            char *unique =
                g_strdup_printf("%.*s-%s", (int)(LONGEST_SERIAL - 1 - strlen(disk->target)),
                                disk->serial, disk->target);
            g_free(disk->serial);
            disk->serial = unique;
        }
    }
}

/* --- which file it is --- */

static void folder_problem(struct translation *t, const struct wish *wish)
{
    const char *const *names = wish->source->names;
    if (wish->source->read_error != 0) {
        oci_problems_add(t->problems, wish->where, "cannot read the folder %s: %s", wish->path,
                         g_strerror(wish->source->read_error));
    } else if (names == NULL || names[0] == NULL) {
        oci_problems_add(t->problems, wish->where,
                         "the folder %s has no image in it; it must have exactly one file, which "
                         "is the disk (symbolic links, and names that begin with a dot, do not "
                         "count)",
                         wish->path);
    } else {
        g_autofree char *list = g_strjoinv(", ", (char **)names);
        g_autofree char *shown = oci_problems_shorten(list);
        oci_problems_add(t->problems, wish->where,
                         "the folder %s has more than one file in it, and which of them is the "
                         "disk is not clear: %s; name the file itself, or leave one there",
                         wish->path, shown);
    }
}

/* NULL: there is none, and a problem. */
static const char *find_image(struct translation *t, const struct wish *wish)
{
    const struct oci_source *source = wish->source;
    if (source == NULL || source->kind == OCI_SOURCE_UNSEEN) {
        return wish->path;
    }
    const char *image = source->image != NULL ? source->image : wish->path;
    if (source->kind == OCI_SOURCE_MISSING) {
        oci_problems_add(t->problems, wish->where,
                         "there is no disk image %s: %s; put it there, mount the volume that has "
                         "it, or correct the path",
                         wish->path, g_strerror(source->error));
    } else if (source->kind == OCI_SOURCE_FOLDER && source->image == NULL) {
        folder_problem(t, wish);
    } else if (source->kind == OCI_SOURCE_OTHER) {
        oci_problems_add(t->problems, wish->where,
                         "%s is no disk image: neither a regular file, nor a block device, nor a "
                         "folder with one file in it",
                         wish->path);
    } else if (source->read_error != 0) {
        oci_problems_add(t->problems, wish->where,
                         "cannot read the disk image %s: %s; make it readable", image,
                         g_strerror(source->read_error));
    } else if (source->in_use) {
        oci_problems_add(t->problems, wish->where,
                         "%s is in use on the host, mounted perhaps; two systems on one disk "
                         "destroy it: unmount it first",
                         image);
    } else {
        return image;
    }
    return NULL;
}

/* --- how it is written --- */

static bool wants_overlay(const struct translation *t, const struct wish *wish)
{
    const struct oci_source *source = wish->source;
    if (wish->readonly || t->settings->disk != OCI_DISK_AUTO) {
        return !wish->readonly && t->settings->disk == OCI_DISK_OVERLAY;
    }
    if (wish->block || source->volume) {
        /* A bundle is mounted read-only as often as not, and its image boots all the same. Of
         * another disk nobody knows that its data may go with the container. */
        return wish->is_image && source->write_error != 0;
    }
    return true;
}

static void check_writable(struct translation *t, const struct wish *wish,
                           const struct vm_disk *disk)
{
    int error = wish->source != NULL ? wish->source->write_error : 0;
    if (error != 0 && is_written(disk)) {
        oci_problems_add(t->problems, wish->where,
                         "cannot write the disk image %s: %s; make it writable%s, or have what the "
                         "guest writes in an overlay, which goes with the container: "
                         "org.ocivirt.disk=overlay",
                         disk->image, g_strerror(error),
                         wish->is_image ? "" : ", or the disk read-only (option ro)");
    }
}

/*
 * The page cache is for what containers share, the layers of their images; what is one guest's own
 * is in that guest's cache already. The kernel's asynchronous I/O is the fastest where it does not
 * have to wait, which it would, with all of QEMU, for a file system that looks for new blocks.
 */
static enum vm_disk_io choose_io(const struct wish *wish, const struct vm_disk *disk)
{
    const struct oci_source *source = wish->source;
    if (disk->overlay != NULL) {
        return VM_DISK_CACHED;
    }
    if (disk->block) {
        return VM_DISK_DIRECT_NATIVE;
    }
    if (source == NULL || !source->direct_io || (disk->readonly && !source->volume)) {
        return VM_DISK_CACHED;
    }
    bool raw = g_str_equal(disk->format, "raw");
    return raw && source->allocated ? VM_DISK_DIRECT_NATIVE : VM_DISK_DIRECT;
}

static void set_location(struct vm_disk *disk, const struct oci_source *source)
{
    if (source->location.known) {
        disk->location = source->location.device;
        disk->whole = source->location.disk;
    }
    if (!source->block) {
        disk->device = source->device;
        disk->inode = source->inode;
    }
}

/* NULL: there is a problem. */
static struct vm_disk *add_disk(struct translation *t, const struct wish *wish)
{
    if (t->spec->disks->len >= VM_DISKS_MAX) {
        oci_problems_add(t->problems, wish->where, "is one disk too many: a VM can have %d",
                         VM_DISKS_MAX);
        return NULL;
    }
    const char *image = find_image(t, wish);
    if (image == NULL || !oci_rules_check_text(image, true, wish->where, t->problems)) {
        return NULL;
    }
    const char *format = wish->format != NULL ? wish->format : format_of_name(image);
    struct vm_disk *disk = vm_spec_add_disk(t->spec, image, format);
    disk->origin = g_strdup(wish->origin);
    disk->readonly = wish->readonly;
    disk->serial = wish->place != NULL ? serial_of(wish->place) : NULL;
    if (wants_overlay(t, wish)) {
        disk->overlay = g_strdup_printf("%s/disks/%s.qcow2", t->host->root, disk->target);
    }
    disk->block = wish->block;
    if (wish->source != NULL) {
        set_location(disk, wish->source);
    }
    disk->io = choose_io(wish, disk);
    check_writable(t, wish, disk);
    return disk;
}

/* --- who asks for it --- */

static void add_image(struct translation *t)
{
    const char *path = t->config->vm.image.path, *format = t->config->vm.image.format;
    if (path == NULL) {
        return;
    }
    struct wish wish = {
        .where = "vm.image.path",
        .origin = "vm.image",
        .path = path,
        .source = &t->host->image,
        .block = t->host->image.block,
        .is_image = true,
    };
    if (format != NULL) {
        wish.format = format_of_word(format);
    } else if (t->host->image.kind != OCI_SOURCE_FOLDER) {
        wish.format = "raw"; /* config-vm.md: the default */
    }
    add_disk(t, &wish);
}

/* False: there is a problem. */
static bool choose_format(struct translation *t, gsize index, struct wish *wish)
{
    const char *word = oci_mount_format(&t->config->mounts.items[index]);
    if (word == NULL) {
        wish->format = wish->block ? "raw" : NULL;
        return true;
    }
    wish->format = format_of_word(word);
    if (wish->format == NULL) {
        const char *words[G_N_ELEMENTS(formats) + 1] = {NULL};
        for (gsize i = 0; i < G_N_ELEMENTS(formats); i++) {
            words[i] = formats[i].word;
        }
        g_autofree char *hint = oci_words_hint(words, word);
        g_autofree char *shown = oci_problems_shorten(word);
        g_autofree char *where = oci_path_element("mounts", index, "options");
        oci_problems_add(t->problems, where, "format=%s: \"%s\" is not one of %s", shown, shown,
                         hint);
    }
    return wish->format != NULL;
}

static void add_mount(struct translation *t, gsize index)
{
    const struct oci_mount *mount = &t->config->mounts.items[index];
    if (oci_translate_mount_role(t->config, t->host, index) != OCI_MOUNT_DISK) {
        return;
    }
    g_autofree char *where = oci_path_element("mounts", index, "source");
    g_autofree char *origin = oci_path_element("mounts", index, NULL);
    static const struct oci_source unseen = {OCI_SOURCE_UNSEEN};
    const struct oci_source *source = t->host->mounts != NULL ? &t->host->mounts[index] : &unseen;
    struct wish wish = {
        .where = where,
        .origin = origin,
        .path = mount->source,
        .source = source,
        .block = source->block,
        .place = mount->destination,
        .readonly = oci_mount_is_readonly(mount),
    };
    if (mount->source == NULL) {
        oci_problems_add(t->problems, origin,
                         "a disk needs a source: the file, the block device, or the folder with "
                         "one file in it that is to be %s",
                         mount->destination);
    } else if (choose_format(t, index, &wish) && add_disk(t, &wish) != NULL) {
        check_last_disk(t, where);
    }
}

/* The disk that a partition is on; else the device itself. */
static struct vm_location whole_of(const struct oci_host *host, struct vm_location device)
{
    for (gsize i = 0; i < host->block_device_count; i++) {
        const struct oci_location *location = &host->block_devices[i];
        if (location->known && is_same(&location->device, &device)) {
            return location->disk;
        }
    }
    return device;
}

static void add_device(struct translation *t, gsize index)
{
    const struct oci_device *device = &t->config->devices.items[index];
    if (oci_device_role(t->config, device) != OCI_DEVICE_DISK) {
        return;
    }
    g_autofree char *where = oci_path_element("linux.devices", index, "path");
    g_autofree char *origin = oci_path_element("linux.devices", index, NULL);
    const struct wish wish = {
        .where = where,
        .origin = origin,
        .path = device->path,
        .format = "raw",
        .place = device->path,
        .readonly = !oci_device_is_writable(t->config, device),
        .block = true,
    };
    struct vm_disk *disk = add_disk(t, &wish);
    if (disk != NULL) {
        disk->location = (struct vm_location){device->major.value, device->minor.value};
        disk->whole = whole_of(t->host, disk->location);
        check_last_disk(t, where);
    }
}

/* --- how large it is --- */

static char *refuse_size(const struct vm_spec *spec)
{
    if (spec->disks->len == 0) {
        return g_strdup("there is no disk that could be made larger: leave it out, or name one in "
                        "vm.image.path");
    }
    const struct vm_disk *disk = g_ptr_array_index(spec->disks, 0);
    if (disk->overlay != NULL) {
        return NULL;
    }
    if (disk->readonly) {
        return g_strdup_printf("the first disk, %s, is read-only, and cannot be made larger",
                               disk->image);
    }
    if (disk->block) {
        return g_strdup_printf("the first disk, %s, is a block device, and as large as it is; make "
                               "it larger on the host, or use an overlay: org.ocivirt.disk=overlay",
                               disk->image);
    }
    if (!g_str_equal(disk->format, "raw") && !g_str_equal(disk->format, "qcow2")) {
        return g_strdup_printf("the first disk, %s, cannot be made larger: its format can not; "
                               "convert it (qemu-img convert -O qcow2 %s NEW), or use an overlay: "
                               "org.ocivirt.disk=overlay",
                               disk->image, disk->image);
    }
    return NULL;
}

static void set_size(struct translation *t)
{
    if (t->settings->disk_size == 0) {
        return;
    }
    g_autofree char *refusal = refuse_size(t->spec);
    if (refusal != NULL) {
        oci_settings_problem(t->settings, OCI_SETTING_DISK_SIZE, t->problems, refusal);
        return;
    }
    struct vm_disk *disk = g_ptr_array_index(t->spec->disks, 0);
    disk->size = t->settings->disk_size;
    if (disk->io == VM_DISK_DIRECT_NATIVE) {
        disk->io = VM_DISK_DIRECT; /* what is new has no blocks yet */
    }
}

void translate_disks(struct translation *t)
{
    gsize before = t->problems->list->len;
    add_image(t);
    for (gsize i = 0; i < t->config->mounts.length; i++) {
        add_mount(t, i);
    }
    for (gsize i = 0; i < t->config->devices.length; i++) {
        add_device(t, i);
    }
    if (t->problems->list->len == before) { /* else there may be disks missing */
        set_size(t);
    }
}

const struct vm_disk *oci_translate_mount_disk(const struct vm_spec *spec, gsize index)
{
    g_autofree char *origin = oci_path_element("mounts", index, NULL);
    for (guint i = 0; i < spec->disks->len; i++) {
        const struct vm_disk *disk = g_ptr_array_index(spec->disks, i);
        if (g_strcmp0(disk->origin, origin) == 0) {
            return disk;
        }
    }
    return NULL;
}
