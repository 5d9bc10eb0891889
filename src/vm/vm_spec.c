// SPDX-License-Identifier: LGPL-2.1-or-later
#include "src/vm/vm_spec.h"

static const struct {
    const char *name;
    const char *machine;
    const char *console;
} archs[] = {
    [VM_ARCH_X86_64] = {"x86_64", "q35", "ttyS0"},
    [VM_ARCH_AARCH64] = {"aarch64", "virt", "ttyAMA0"},
};
G_STATIC_ASSERT(G_N_ELEMENTS(archs) == VM_ARCH_COUNT);

static void disk_free(gpointer data)
{
    struct vm_disk *disk = data;
    g_free(disk->target);
    g_free(disk->origin);
    g_free(disk->image);
    g_free(disk->format);
    g_free(disk->overlay);
    g_free(disk->serial);
    g_free(disk);
}

static void metadata_free(gpointer data)
{
    struct vm_metadata *metadata = data;
    g_free(metadata->key);
    g_free(metadata->value);
    g_free(metadata);
}

static void folder_free(void *data)
{
    struct vm_folder *folder = data;
    g_free(folder->tag);
    g_free(folder->source);
    g_free(folder->destination);
    g_free(folder->origin);
    g_free(folder->socket);
    g_free(folder);
}

static void file_free(void *data)
{
    struct vm_file *file = data;
    g_free(file->name);
    g_free(file->source);
    g_free(file->destination);
    g_free(file);
}

static void nic_free(void *data)
{
    struct vm_nic *nic = data;
    g_free(nic->interface);
    g_free(nic->mac);
    g_free(nic->socket);
    g_free(nic->address);
    g_free(nic->router);
    g_free(nic->address6);
    g_array_unref(nic->ports);
    g_free(nic);
}

static void fw_cfg_free(void *data)
{
    struct vm_fw_cfg *entry = data;
    g_free(entry->name);
    g_free(entry->path);
    g_bytes_unref(entry->bytes);
    g_free(entry);
}

struct vm_seed *vm_seed_new(void)
{
    return g_new0(struct vm_seed, 1);
}

void vm_seed_free(struct vm_seed *seed)
{
    if (seed == NULL) {
        return;
    }
    g_free(seed->path);
    g_free(seed->target);
    g_clear_pointer(&seed->user_data, g_bytes_unref);
    g_clear_pointer(&seed->meta_data, g_bytes_unref);
    g_clear_pointer(&seed->vendor_data, g_bytes_unref);
    g_clear_pointer(&seed->network_config, g_bytes_unref);
    g_free(seed);
}

struct vm_spec *vm_spec_new(void)
{
    struct vm_spec *spec = g_new0(struct vm_spec, 1);
    spec->disks = g_ptr_array_new_with_free_func(disk_free);
    spec->folders = g_ptr_array_new_with_free_func(folder_free);
    spec->files = g_ptr_array_new_with_free_func(file_free);
    spec->nics = g_ptr_array_new_with_free_func(nic_free);
    spec->pci_devices = g_array_new(FALSE, FALSE, sizeof(struct vm_pci_device));
    spec->metadata = g_ptr_array_new_with_free_func(metadata_free);
    spec->fw_cfg = g_ptr_array_new_with_free_func(fw_cfg_free);
    spec->oem_strings = g_ptr_array_new_with_free_func(g_free);
    return spec;
}

void vm_spec_free(struct vm_spec *spec)
{
    if (spec == NULL) {
        return;
    }
    g_free(spec->name);
    g_free(spec->uuid);
    g_free(spec->machine);
    g_free(spec->cpu_model);
    g_free(spec->emulator);
    g_free(spec->launcher);
    g_clear_pointer(&spec->process.filter, g_bytes_unref);
    g_strfreev(spec->emulator_args);
    g_free(spec->cpuset);
    g_free(spec->kernel);
    g_free(spec->initrd);
    g_free(spec->cmdline);
    g_free(spec->device_tree);
    g_ptr_array_unref(spec->disks);
    g_ptr_array_unref(spec->folders);
    g_ptr_array_unref(spec->files);
    g_ptr_array_unref(spec->nics);
    g_array_unref(spec->pci_devices);
    g_ptr_array_unref(spec->metadata);
    vm_seed_free(spec->seed);
    g_ptr_array_unref(spec->fw_cfg);
    g_ptr_array_unref(spec->oem_strings);
    g_free(spec->nvram);
    g_free(spec->numa_nodes);
    g_free(spec->network_namespace);
    g_free(spec->security_model);
    g_free(spec->security_label);
    g_free(spec->console_socket);
    g_free(spec->agent_socket);
    g_free(spec->exit_pipe);
    g_free(spec->tpm_socket);
    g_free(spec->tpm_state);
    g_free(spec->ready_address);
    g_free(spec);
}

char *vm_disk_name(unsigned number)
{
    char letters[8];
    gsize at = sizeof(letters) - 1;
    letters[at] = '\0';
    /* There is no zero in it: after "z" comes "aa". */
    for (unsigned left = number + 1; left > 0; left = (left - 1) / 26) {
        letters[--at] = 'a' + (left - 1) % 26;
    }
    return g_strconcat("vd", letters + at, NULL);
}

const char *vm_disk_origin(const struct vm_disk *disk)
{
    return disk->origin != NULL ? disk->origin : disk->target;
}

const char *vm_disk_written(const struct vm_disk *disk)
{
    return disk->overlay != NULL ? disk->overlay : disk->image;
}

struct vm_disk *vm_spec_add_disk(struct vm_spec *spec, const char *image, const char *format)
{
    g_assert(spec->disks->len < VM_DISKS_MAX);
    struct vm_disk *disk = g_new0(struct vm_disk, 1);
    disk->target = vm_disk_name(spec->disks->len);
    disk->image = g_strdup(image);
    disk->format = g_strdup(format);
    g_ptr_array_add(spec->disks, disk);
    return disk;
}

struct vm_nic *vm_spec_add_nic(struct vm_spec *spec, const char *interface, unsigned mtu)
{
    g_assert(spec->nics->len < VM_NICS_MAX);
    struct vm_nic *nic = g_new0(struct vm_nic, 1);
    nic->interface = g_strdup(interface);
    nic->mtu = mtu;
    nic->ports = g_array_new(FALSE, FALSE, sizeof(struct port_range));
    g_ptr_array_add(spec->nics, nic);
    return nic;
}

struct vm_fw_cfg *vm_spec_add_fw_cfg(struct vm_spec *spec, const char *name, GBytes *bytes,
                                     const char *folder)
{
    struct vm_fw_cfg *entry = g_new0(struct vm_fw_cfg, 1);
    entry->name = g_strdup(name);
    entry->path = g_strdup_printf("%s/fw_cfg-%u", folder, spec->fw_cfg->len);
    entry->bytes = bytes;
    g_ptr_array_add(spec->fw_cfg, entry);
    return entry;
}

void vm_spec_add_metadata(struct vm_spec *spec, const char *key, const char *value)
{
    struct vm_metadata *metadata = g_new0(struct vm_metadata, 1);
    metadata->key = g_strdup(key);
    metadata->value = g_strdup(value);
    g_ptr_array_add(spec->metadata, metadata);
}

const char *vm_arch_name(enum vm_arch arch)
{
    return archs[arch].name;
}

const char *vm_arch_machine(enum vm_arch arch)
{
    return archs[arch].machine;
}

const char *vm_arch_console(enum vm_arch arch)
{
    return archs[arch].console;
}

const char *vm_numa_mode_name(enum vm_numa_mode mode)
{
    static const char *const names[] = {
        [VM_NUMA_STRICT] = "strict",
        [VM_NUMA_INTERLEAVE] = "interleave",
        [VM_NUMA_PREFERRED] = "preferred",
    };
    return names[mode];
}

enum vm_arch vm_arch_native(void)
{
#if defined(__aarch64__)
    return VM_ARCH_AARCH64;
#elif defined(__x86_64__)
    return VM_ARCH_X86_64;
#else
#error "ocivirt knows x86_64 and aarch64"
#endif
}

bool vm_nics_reconnect(const struct vm_spec *spec)
{
    return spec->emulator_version >= VM_QEMU_VERSION(8, 0);
}
