// SPDX-License-Identifier: LGPL-2.1-or-later

/* Any bytes as a seccomp profile: what is accepted becomes a filter that the kernel would take. */

#include "oci/document.h"
#include "oci/seccomp.h"
#include "tests/fuzz/examine.h"
#include "tests/fuzz/fuzz.h"

#include <linux/filter.h>

const struct oci_field *const fuzz_fields = oci_fields_seccomp;

/* What the kernel's seccomp_check_filter() and bpf_check_classic() take of instruction @at, with
 * which @left are left. */
static void examine_instruction(const struct sock_filter *at, gsize left)
{
    switch (at->code) {
    case BPF_LD | BPF_W | BPF_ABS: /* a word of struct seccomp_data */
        g_assert(at->k < 64 && at->k % 4 == 0);
        break;
    case BPF_JMP | BPF_JA:
        g_assert((gsize)at->k + 1 < left);
        break;
    case BPF_JMP | BPF_JEQ | BPF_K:
    case BPF_JMP | BPF_JGE | BPF_K:
    case BPF_JMP | BPF_JGT | BPF_K:
    case BPF_JMP | BPF_JSET | BPF_K:
        g_assert((gsize)at->jt + 1 < left && (gsize)at->jf + 1 < left);
        break;
    case BPF_ST:
    case BPF_STX:
    case BPF_LD | BPF_MEM:
    case BPF_LDX | BPF_MEM:
        g_assert(at->k < BPF_MEMWORDS);
        break;
    case BPF_ALU | BPF_AND | BPF_K:
    case BPF_RET | BPF_K:
        break;
    default: /* there are more, which libseccomp does not write */
        g_error("instruction 0x%x", at->code);
    }
}

static void examine_filter(GBytes *filter)
{
    gsize size;
    const struct sock_filter *code = g_bytes_get_data(filter, &size);
    gsize count = size / sizeof(*code);
    g_assert(size % sizeof(*code) == 0 && count > 0 && count <= BPF_MAXINSNS);
    for (gsize i = 0; i < count; i++) {
        examine_instruction(&code[i], count - i);
    }
    g_assert(BPF_CLASS(code[count - 1].code) == BPF_RET);
}

static void compile(const struct oci_document *document, struct fuzz_input *input,
                    struct oci_problems *problems)
{
    (void)input;
    struct oci_seccomp seccomp = {0};
    g_autoptr(GPtrArray) warnings = g_ptr_array_new_with_free_func(g_free);
    g_autoptr(GBytes) filter = NULL;
    unsigned flags = 0;
    oci_seccomp_decode(document, problems, &seccomp);
    if (!oci_problems_any(problems)) {
        filter = oci_seccomp_compile(&seccomp, "", problems, warnings, &flags);
        g_assert((filter == NULL) == oci_problems_any(problems));
    }
    if (filter != NULL) {
        examine_filter(filter);
    }
    oci_seccomp_clear(&seccomp);
    examine_problems(problems);
    for (guint i = 0; i < warnings->len; i++) {
        g_assert(*(const char *)g_ptr_array_index(warnings, i) != '\0');
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    return fuzz_run_json(data, size, compile);
}
