// SPDX-License-Identifier: LGPL-2.1-or-later
#include "cmd/ocivirt/facts.h"
#include "cmd/ocivirt/commands.h"
#include "oci/devices.h"
#include "src/host/interfaces.h"
#include "src/host/image_file.h"
#include "src/host/limits.h"
#include "src/host/links.h"
#include "src/host/netns.h"
#include "src/host/topology.h"

#include <errno.h>
#include <link.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

/* libvirt's names of domains: no '/', and no control characters. */
static char *choose_id(const char *wanted)
{
    g_autofree char *id = g_strdup(wanted != NULL ? wanted : g_get_host_name());
    for (char *c = id; *c != '\0'; c++) {
        if (!g_ascii_isalnum(*c) && strchr("._-", *c) == NULL) {
            *c = '-';
        }
    }
    return *id != '\0' ? g_steal_pointer(&id) : g_strdup("ocivirt");
}

static struct oci_location locate(const char *path)
{
    struct oci_location location = {false, {0, 0}, {0, 0}};
    location.known = path != NULL && topology_locate(path, &location.device, &location.disk);
    return location;
}

/* Of a file that may not be there yet: of what it will be in. */
static struct oci_location locate_nearest(const char *path)
{
    g_autofree char *nearest = g_strdup(path);
    while (!g_file_test(nearest, G_FILE_TEST_EXISTS) && strlen(nearest) > 1) {
        char *parent = g_path_get_dirname(nearest);
        g_free(nearest);
        nearest = parent;
    }
    return locate(nearest);
}

static void add_vfio_group(struct facts *facts, const struct oci_device *device)
{
    guint64 number = oci_device_vfio_group(device);
    GArray *devices = topology_vfio_group(number);
    struct oci_vfio_group group = {number, (const struct vm_pci_device *)devices->data,
                                   devices->len};
    g_ptr_array_add(facts->vfio_arrays, devices);
    g_array_append_val(facts->vfio_groups, group);
}

/* Only as many of each as a VM can have: the translation refuses the others unseen. */
static void find_devices(struct facts *facts, const struct oci_config *config)
{
    facts->vfio_arrays = g_ptr_array_new_with_free_func((GDestroyNotify)g_array_unref);
    facts->vfio_groups = g_array_new(FALSE, FALSE, sizeof(struct oci_vfio_group));
    facts->block_devices = g_array_new(FALSE, FALSE, sizeof(struct oci_location));
    for (gsize i = 0; i < config->devices.length; i++) {
        const struct oci_device *device = &config->devices.items[i];
        if (device->path == NULL || device->type == NULL) {
            continue;
        }
        enum oci_device_role role = oci_device_role(config, device);
        if (role == OCI_DEVICE_VFIO && facts->vfio_groups->len < OCI_VFIO_GROUPS_MAX) {
            add_vfio_group(facts, device);
        } else if (role == OCI_DEVICE_DISK && facts->block_devices->len < VM_DISKS_MAX) {
            struct oci_location location = locate(device->path);
            g_array_append_val(facts->block_devices, location);
        }
    }
}

static struct oci_source look_at(const char *path)
{
    struct stat status;
    if (path == NULL || *path != '/') {
        return (struct oci_source){OCI_SOURCE_MISSING, ENOENT};
    }
    if (stat(path, &status) < 0) {
        return (struct oci_source){OCI_SOURCE_MISSING, errno};
    }
    switch (status.st_mode & S_IFMT) {
    case S_IFREG:
        return (struct oci_source){OCI_SOURCE_FILE, 0};
    case S_IFDIR:
        return (struct oci_source){OCI_SOURCE_FOLDER, 0};
    case S_IFBLK:
        return (struct oci_source){OCI_SOURCE_BLOCK, 0};
    default:
        return (struct oci_source){OCI_SOURCE_OTHER, 0};
    }
}

static void image_file_free(void *data)
{
    image_file_clear(data);
    g_free(data);
}

/* What the source of a disk has in it. */
static void look_closer(struct facts *facts, const char *path, struct oci_source *source)
{
    struct image_file *file = g_new0(struct image_file, 1);
    g_ptr_array_add(facts->images, file);
    image_file_look(path, file);
    source->image = file->path;
    source->names = (const char *const *)file->names;
    source->block = file->block;
    source->read_error = file->read_error;
    source->write_error = file->write_error;
    source->volume = file->volume;
    source->direct_io = file->direct_io;
    source->allocated = file->allocated;
    source->in_use = file->in_use;
    source->device = file->device;
    source->inode = file->inode;
    source->location = locate(file->path);
}

static void find_mounts(struct facts *facts, const struct oci_config *config)
{
    facts->mounts = g_array_new(FALSE, FALSE, sizeof(struct oci_source));
    gsize disks = 0; /* more than a VM can have are refused unseen */
    for (gsize i = 0; i < config->mounts.length; i++) {
        const struct oci_mount *mount = &config->mounts.items[i];
        struct oci_source source = look_at(mount->source);
        if (oci_mount_role(config, mount, source.kind) == OCI_MOUNT_DISK &&
            disks++ < VM_DISKS_MAX) {
            look_closer(facts, mount->source, &source);
        }
        g_array_append_val(facts->mounts, source);
    }
}

/* What is in the way of a socket that listens. */
static GArray *find_unusable_ports(const GArray *in_use)
{
    GArray *ports = g_array_copy((GArray *)in_use);
    guint first = interfaces_first_free_port();
    const struct port_range ephemeral = interfaces_ephemeral_ports();
    for (int udp = 0; udp < 2; udp++) {
        struct port_range low = {1, first - 1, 1, udp}, own = ephemeral;
        own.udp = udp;
        if (first > 1) {
            g_array_append_val(ports, low);
        }
        g_array_append_val(ports, own);
    }
    return ports;
}

struct look {
    const struct oci_config *config;
    GArray *interfaces, *ports_in_use, *unusable_ports;
};

/* The namespace that QEMU is to run in: the guest's network is what can be seen from there. */
static void enter_network(const struct oci_config *config)
{
    bool joined = false;
    for (gsize i = 0; i < config->namespaces.length && !joined; i++) {
        const struct oci_namespace *namespace = &config->namespaces.items[i];
        if (g_strcmp0(namespace->type, "network") == 0 && namespace->path != NULL) {
            int there = netns_open_file(namespace->path, NULL);
            joined = there >= 0 && netns_join(there, namespace->path, NULL);
            close(there);
        }
    }
}

static gpointer look_around(gpointer data)
{
    struct look *look = data;
    enter_network(look->config);
    look->interfaces = interfaces_find();
    look->ports_in_use = interfaces_ports_in_use();
    look->unusable_ports = find_unusable_ports(look->ports_in_use);
    return NULL;
}

/* From a thread that ends in there: who may join a namespace may not always come back. */
static void look_at_network(struct facts *facts, const struct oci_config *config)
{
    struct look look = {.config = config};
    g_thread_join(g_thread_new("network", look_around, &look));
    facts->found = look.interfaces;
    facts->in_use = look.ports_in_use;
    facts->unusable = look.unusable_ports;
}

static const char *none_if_empty(const char *text)
{
    return *text != '\0' ? text : NULL;
}

static void find_network(struct facts *facts, const struct oci_config *config)
{
    struct rlimit files = {0, 0};
    look_at_network(facts, config);
    facts->interfaces = g_array_new(FALSE, FALSE, sizeof(struct oci_interface));
    bool is_hosts = false;
    for (guint i = 0; i < facts->found->len; i++) {
        const struct interface *interface = &g_array_index(facts->found, struct interface, i);
        const struct oci_interface copy = {
            .name = interface->name,
            .mtu = interface->mtu,
            .routed = interface->is_default,
            .address = none_if_empty(interface->address),
            .prefix = interface->prefix,
            .router = none_if_empty(interface->router),
            .address6 = none_if_empty(interface->address6),
        };
        g_array_append_val(facts->interfaces, copy);
        is_hosts |= interface->is_device;
    }
    getrlimit(RLIMIT_NOFILE, &files);
    facts->host.network = (struct oci_network_facts){
        .interfaces = (const struct oci_interface *)facts->interfaces->data,
        .interface_count = facts->interfaces->len,
        .is_hosts = is_hosts,
        .unusable = facts->unusable,
        .in_use = facts->in_use,
        .files = files.rlim_max,
    };
}

static struct oci_source find_image(struct facts *facts, const char *path)
{
    struct oci_source source = {OCI_SOURCE_UNSEEN};
    if (path != NULL) {
        source = look_at(path);
        look_closer(facts, path, &source);
    }
    return source;
}

static int add_library(struct dl_phdr_info *info, size_t size, void *libraries)
{
    (void)size;
    if (*info->dlpi_name == '/') {
        g_ptr_array_add(libraries, g_strdup(info->dlpi_name));
    }
    return 0;
}

/* Those that this program runs with; those of QEMU and its helpers are beside them. */
static GPtrArray *find_libraries(void)
{
    GPtrArray *libraries = g_ptr_array_new_with_free_func(g_free);
    dl_iterate_phdr(add_library, libraries);
    g_ptr_array_add(libraries, NULL);
    return libraries;
}

static void find_way(const char *path, const char *what, void *data)
{
    (void)what;
    g_hash_table_insert(data, g_strdup(path), links_follow(path));
}

/* As it is named: "x/.." is not nothing where x is a link. */
static char *absolute(const char *path)
{
    g_autofree char *here = g_get_current_dir();
    return g_path_is_absolute(path) ? g_strdup(path) : g_build_filename(here, path, NULL);
}

struct facts *facts_new(const struct oci_config *config, const struct oci_settings *settings,
                        const char *id, const char *root, const char *file)
{
    struct facts *facts = g_new0(struct facts, 1);
    facts->id = choose_id(id);
    facts->root = g_strdup(root);
    facts->file = file != NULL ? absolute(file) : NULL;
    facts->ways =
        g_hash_table_new_full(g_str_hash, g_str_equal, g_free, (GDestroyNotify)g_strfreev);
    facts->images = g_ptr_array_new_with_free_func(image_file_free);
    facts->emulator = find_emulator(vm_arch_native(), NULL);
    facts->libraries = find_libraries();
    find_devices(facts, config);
    find_mounts(facts, config);
    find_network(facts, config);
    facts->host = (struct oci_host){
        .arch = vm_arch_native(),
        .cpus = limits_cpus(),
        .memory = limits_physical_memory(),
        .memory_limit = limits_memory(),
        .emulator = facts->emulator,
        .libraries = (const char *const *)facts->libraries->pdata,
        .id = facts->id,
        .root = facts->root,
        .file = facts->file,
        .ways = facts->ways,
        .allowed_cpus = topology_allowed_cpus(&facts->cpus) ? &facts->cpus : NULL,
        .nodes = topology_memory_nodes(&facts->nodes) ? &facts->nodes : NULL,
        .may_set_memory_policy = topology_may_set_memory_policy(),
        .security_model = topology_security_model(),
        .image = find_image(facts, config->vm.image.path),
        .overlays = locate_nearest(root),
        .block_devices = (const struct oci_location *)facts->block_devices->data,
        .block_device_count = facts->block_devices->len,
        .network = facts->host.network,
        .mounts = (const struct oci_source *)facts->mounts->data,
        .vfio_groups = (const struct oci_vfio_group *)facts->vfio_groups->data,
        .vfio_group_count = facts->vfio_groups->len,
    };
    oci_translate_each_use(config, settings, &facts->host, find_way, facts->ways);
    return facts;
}

void facts_free(struct facts *facts)
{
    if (facts != NULL) {
        g_ptr_array_unref(facts->vfio_arrays);
        g_array_unref(facts->vfio_groups);
        g_array_unref(facts->block_devices);
        g_array_unref(facts->mounts);
        g_array_unref(facts->found);
        g_array_unref(facts->interfaces);
        g_array_unref(facts->unusable);
        g_array_unref(facts->in_use);
        g_ptr_array_unref(facts->images);
        g_ptr_array_unref(facts->libraries);
        g_free(facts->id);
        g_hash_table_unref(facts->ways);
        g_free(facts->root);
        g_free(facts->file);
        g_free(facts->emulator);
        g_free(facts->launcher);
        g_free(facts);
    }
}
