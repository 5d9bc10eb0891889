// SPDX-License-Identifier: LGPL-2.1-or-later
#include "src/host/accel.h"

#if defined(__x86_64__)

#include <linux/kvm.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

/*
 * Some hosts offer /dev/kvm on a processor whose virtualisation is not theirs to use. KVM then
 * interprets guest code, knows only part of the instruction set, and a stock kernel dies of an
 * "internal error" after a minute. The test: 64-bit code with an instruction that KVM's interpreter
 * has never had (MOVD with an SSE register). A processor that runs it gets as far as HLT.
 *
 * Guest memory, identity-mapped: page tables at 0x1000, 0x2000, 0x3000, code at 0x4000.
 */
#define MEMORY_SIZE 0x8000
#define CODE_AT 0x4000

static const unsigned char code[] = {
    0x66, 0x0f, 0x6e, 0xc3, /* movd %ebx, %xmm0 */
    0xf4,                   /* hlt */
};

static void fill_memory(unsigned char *memory)
{
    const unsigned long present_writable = 0x3, huge = 0x80;
    *(unsigned long *)(memory + 0x1000) = 0x2000 | present_writable;
    *(unsigned long *)(memory + 0x2000) = 0x3000 | present_writable;
    *(unsigned long *)(memory + 0x3000) = present_writable | huge;
    memcpy(memory + CODE_AT, code, sizeof(code));
}

/* Intel SDM volume 3, "Initializing IA-32e Mode". */
static bool enter_long_mode(int vcpu)
{
    struct kvm_sregs sregs;
    if (ioctl(vcpu, KVM_GET_SREGS, &sregs) < 0) {
        return false;
    }
    struct kvm_segment segment = {
        .limit = 0xffffffff, .selector = 8, .type = 11, .present = 1, .s = 1, .l = 1, .g = 1};
    sregs.cs = segment;
    segment.selector = 16;
    segment.type = 3;
    segment.l = 0;
    segment.db = 1;
    sregs.ds = sregs.es = sregs.fs = sregs.gs = sregs.ss = segment;
    sregs.cr3 = 0x1000;
    sregs.cr4 = 0x20 | 0x600;      /* PAE, OSFXSR, OSXMMEXCPT */
    sregs.cr0 = 0x80000000 | 0x13; /* PG; ET, MP, PE */
    sregs.efer = 0x500;            /* LMA, LME */
    struct kvm_regs regs = {.rip = CODE_AT, .rsp = MEMORY_SIZE, .rflags = 2};
    return ioctl(vcpu, KVM_SET_SREGS, &sregs) == 0 && ioctl(vcpu, KVM_SET_REGS, &regs) == 0;
}

static bool copy_cpuid(int kvm, int vcpu)
{
    const unsigned entries = 256;
    g_autofree struct kvm_cpuid2 *cpuid =
        g_malloc0(sizeof(*cpuid) + entries * sizeof(struct kvm_cpuid_entry2));
    cpuid->nent = entries;
    return ioctl(kvm, KVM_GET_SUPPORTED_CPUID, cpuid) == 0 &&
           ioctl(vcpu, KVM_SET_CPUID2, cpuid) == 0;
}

static bool runs(int kvm, int vcpu)
{
    int size = ioctl(kvm, KVM_GET_VCPU_MMAP_SIZE, 0);
    if (size <= 0) {
        return false;
    }
    struct kvm_run *run = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu, 0);
    if (run == MAP_FAILED) {
        return false;
    }
    bool ok = copy_cpuid(kvm, vcpu) && enter_long_mode(vcpu) && ioctl(vcpu, KVM_RUN, 0) == 0 &&
              run->exit_reason == KVM_EXIT_HLT;
    munmap(run, size);
    return ok;
}

bool accel_arch_runs_guest_code(int kvm, int vm)
{
    unsigned char *memory =
        mmap(NULL, MEMORY_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) {
        return false;
    }
    fill_memory(memory);
    struct kvm_userspace_memory_region region = {.memory_size = MEMORY_SIZE,
                                                 .userspace_addr = (unsigned long)memory};
    int vcpu = -1;
    bool ok = ioctl(vm, KVM_SET_USER_MEMORY_REGION, &region) == 0 &&
              (vcpu = ioctl(vm, KVM_CREATE_VCPU, 0)) >= 0 && runs(kvm, vcpu);
    if (vcpu >= 0) {
        close(vcpu);
    }
    munmap(memory, MEMORY_SIZE);
    return ok;
}

#else

/* On aarch64 KVM has no interpreter to fall back to: a VM that can be made runs. */
bool accel_arch_runs_guest_code(int kvm, int vm)
{
    (void)kvm;
    (void)vm;
    return true;
}

#endif
