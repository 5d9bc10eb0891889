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
    g_free(disk->image);
    g_free(disk->format);
    g_free(disk->overlay);
    g_free(disk);
}

static void metadata_free(gpointer data)
{
    struct vm_metadata *metadata = data;
    g_free(metadata->key);
    g_free(metadata->value);
    g_free(metadata);
}

struct vm_spec *vm_spec_new(void)
{
    struct vm_spec *spec = g_new0(struct vm_spec, 1);
    spec->disks = g_ptr_array_new_with_free_func(disk_free);
    spec->metadata = g_ptr_array_new_with_free_func(metadata_free);
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
    g_strfreev(spec->emulator_args);
    g_free(spec->cpuset);
    g_free(spec->kernel);
    g_free(spec->initrd);
    g_free(spec->cmdline);
    g_free(spec->device_tree);
    g_ptr_array_unref(spec->disks);
    g_ptr_array_unref(spec->metadata);
    g_free(spec->console_socket);
    g_free(spec->agent_socket);
    g_free(spec);
}

struct vm_disk *vm_spec_add_disk(struct vm_spec *spec, const char *image, const char *format)
{
    g_assert(spec->disks->len < 26);
    struct vm_disk *disk = g_new0(struct vm_disk, 1);
    disk->target = g_strdup_printf("vd%c", 'a' + spec->disks->len);
    disk->image = g_strdup(image);
    disk->format = g_strdup(format);
    g_ptr_array_add(spec->disks, disk);
    return disk;
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
