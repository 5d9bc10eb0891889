// SPDX-License-Identifier: LGPL-2.1-or-later

/* How much memory a guest gets: oci_translate() once more, from its most delicate side. */

#include "oci/translate.h"
#include "src/util/quantity.h"
#include "tests/unit/expect.h"
#include "tests/unit/fixture.h"

#define KIB ((guint64)1 << 10)
#define MIB ((guint64)1 << 20)
#define GIB ((guint64)1 << 30)

#define KERNEL "'kernel':{'path':'/k'}"
#define BOOT "'ociVersion':'1.0.0','vm':{" KERNEL "}"
#define HW "{'ociVersion':'1.0.0','vm':{" KERNEL ",'hwConfig':{'memory':%" G_GUINT64_FORMAT "}}}"
#define LIMIT "{" BOOT ",'linux':{'resources':{'memory':{'limit':%" G_GINT64_FORMAT "}}}}"
#define ANNOTATION "{" BOOT ",\n'annotations':{'org.ocivirt.memory':'%s'}}"

/* Bytes; 0: it cannot be made, and @f says why. */
static guint64 memory_of(struct fixture *f, const char *json, const char *variable,
                         enum vm_accel accel, guint64 limit)
{
    const struct oci_host host = {
        .arch = VM_ARCH_X86_64,
        .accel = accel,
        .cpus = 2,
        .memory_limit = limit,
        .emulator = "/q",
        .id = "id",
        .root = "/r",
    };
    const char *const environment[] = {variable, NULL};
    fixture_init(f, json);
    fixture_read_settings(f, environment);
    g_assert_true(fixture_is_fine(f));
    g_autoptr(vm_spec) spec = oci_translate(f->config, &f->settings, &host, &f->problems);
    if (spec == NULL) {
        g_assert_true(oci_problems_any(&f->problems));
        return 0;
    }
    g_assert_cmpuint(spec->memory_kib % 1024, ==, 0);
    /* TCG's cache is bounded where the container is */
    g_assert_cmpuint(spec->tcg_cache_mib > 0, ==, limit > 0);
    return spec->memory_kib * KIB;
}

static guint64 memory_of_hw(guint64 bytes, guint64 limit)
{
    g_autofree char *json = g_strdup_printf(HW, bytes);
    struct fixture f;
    guint64 memory = memory_of(&f, json, NULL, VM_ACCEL_KVM, limit);
    fixture_finish(&f);
    return memory;
}

/* Order: environment, annotation, hwConfig, resources, the container's limit, default. */
static void test_precedence(void)
{
    static const char full[] = "{'ociVersion':'1.0.0','annotations':{'org.ocivirt.memory':'600M'},"
                               "'vm':{" KERNEL ",'hwConfig':{'memory':524288000}},"
                               "'linux':{'resources':{'memory':{'limit':419430400}}}}";
    static const char spec_only[] = "{'ociVersion':'1.0.0',"
                                    "'vm':{" KERNEL ",'hwConfig':{'memory':524288000}},"
                                    "'linux':{'resources':{'memory':{'limit':419430400}}}}";
    static const char limit_only[] = "{" BOOT ",'linux':{'resources':{'memory':"
                                     "{'limit':419430400}}}}";
    static const struct {
        const char *json, *variable;
        guint64 limit, memory;
    } cases[] = {
        {full, "OCIVIRT_MEMORY=700M", 0, 700 * MIB},
        {full, "OCIVIRT_MEMORY=700M", 4 * GIB, 700 * MIB},
        {full, "OCIVIRT_MEMORY=", 4 * GIB, 600 * MIB},
        {full, NULL, 4 * GIB, 600 * MIB},
        {spec_only, NULL, 4 * GIB, 500 * MIB},
        {spec_only, "OCIVIRT_MEMORY=700M", 4 * GIB, 700 * MIB},
        {limit_only, NULL, 4 * GIB, 400 * MIB},
        {limit_only, NULL, 0, 400 * MIB},
        {"{" BOOT "}", NULL, 0, 1 * GIB},
        {"{" BOOT ",'linux':{'resources':{'memory':{'limit':-1}}}}", NULL, 0, 1 * GIB},
        {"{" BOOT ",'linux':{'resources':{'memory':{'limit':0}}}}", NULL, 0, 1 * GIB},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        struct fixture f;
        guint64 memory =
            memory_of(&f, cases[i].json, cases[i].variable, VM_ACCEL_TCG, cases[i].limit);
        expect_uint(cases[i].json, memory, cases[i].memory);
        fixture_finish(&f);
    }
}

/* Up to a whole MiB, never down: exactly what was asked for, or a little more. */
static void test_rounding(void)
{
    static const struct {
        guint64 asked, memory;
    } cases[] = {
        {16 * MIB, 16 * MIB}, {16 * MIB + 1, 17 * MIB},         {17 * MIB - 1, 17 * MIB},
        {17 * MIB, 17 * MIB}, {512 * MIB, 512 * MIB},           {1000000000, 954 * MIB},
        {64 * GIB, 64 * GIB}, {64 * GIB + KIB, 64 * GIB + MIB},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_assert_cmpuint(memory_of_hw(cases[i].asked, 0), ==, cases[i].memory);
    }
}

static guint64 need(guint64 memory, enum vm_accel accel)
{
    return memory + oci_translate_overhead(memory, accel);
}

static const guint64 limits[] = {
    256 * MIB, 300 * MIB, 300 * MIB + 12345, 512 * MIB, 1000000000, 1 * GIB,    1 * GIB + 4096,
    2 * GIB,   3 * GIB,   7 * GIB,           16 * GIB,  100 * GIB,  1024 * GIB,
};

/* Left to itself it takes all that fits, and not a MiB more. */
static void test_default_fits(void)
{
    for (gsize i = 0; i < 2 * G_N_ELEMENTS(limits); i++) {
        enum vm_accel accel = i % 2 ? VM_ACCEL_KVM : VM_ACCEL_TCG;
        guint64 limit = limits[i / 2];
        struct fixture f;
        guint64 memory = memory_of(&f, "{" BOOT "}", NULL, accel, limit);
        g_assert_cmpuint(memory, >=, 16 * MIB);
        g_assert_cmpuint(need(memory, accel), <=, limit);
        g_assert_cmpuint(need(memory + 2 * MIB, accel), >, limit);
        fixture_finish(&f);
    }
}

/* The number behind "at most " in the problem, as somebody would type it into the setting. */
static char *advice(const struct fixture *f)
{
    const struct oci_problem *problem = g_ptr_array_index(f->problems.list, 0);
    const char *number = strstr(problem->message, "at most ");
    g_assert_nonnull(number);
    GString *typed = g_string_new(NULL);
    for (const char *c = number + strlen("at most "); *c != '\0'; c = g_utf8_next_char(c)) {
        if (!g_unichar_isspace(g_utf8_get_char(c))) {
            g_string_append_unichar(typed, g_utf8_get_char(c));
        }
    }
    return g_string_free(typed, FALSE);
}

/* What fits is taken, what does not is refused with both numbers in the message, ... */
static void test_explicit_fits_or_not(void)
{
    for (gsize i = 0; i < G_N_ELEMENTS(limits); i++) {
        struct fixture f;
        guint64 most = memory_of(&f, "{" BOOT "}", NULL, VM_ACCEL_KVM, limits[i]);
        fixture_finish(&f);

        g_assert_cmpuint(memory_of_hw(most, limits[i]), ==, most);
        g_assert_cmpuint(memory_of_hw(most - MIB + 1, limits[i]), ==, most);

        g_autofree char *json = g_strdup_printf(HW, most + 1);
        g_assert_cmpuint(memory_of(&f, json, NULL, VM_ACCEL_KVM, limits[i]), ==, 0);
        g_autofree char *limit = quantity_format_size(limits[i]);
        g_autofree char *asked = quantity_format_size(most + 1);
        g_assert_true(fixture_has_only(&f, "vm.hwConfig.memory", limit));
        g_assert_true(fixture_has_only(&f, "vm.hwConfig.memory", asked));
        fixture_finish(&f);
    }
}

/* ... and the remedy in it is one: whoever follows it has the largest guest that fits. */
static void test_remedy_works(void)
{
    for (gsize i = 0; i < G_N_ELEMENTS(limits); i++) {
        struct fixture f;
        g_autofree char *too_much = g_strdup_printf(HW, limits[i]);
        g_assert_cmpuint(memory_of(&f, too_much, NULL, VM_ACCEL_TCG, limits[i]), ==, 0);
        g_autofree char *typed = advice(&f);
        fixture_finish(&f);

        guint64 bytes = 0;
        expect(typed, quantity_parse_size(typed, &bytes));
        if (bytes > 0) {
            g_autofree char *json = g_strdup_printf(ANNOTATION, typed);
            guint64 most = memory_of(&f, "{" BOOT "}", NULL, VM_ACCEL_TCG, limits[i]);
            fixture_finish(&f);
            expect_uint(typed, memory_of(&f, json, NULL, VM_ACCEL_TCG, limits[i]), most);
            fixture_finish(&f);
        }
    }
}

/* A problem stands where the number was given, and only that one is blamed. */
static void test_place(void)
{
    static const struct {
        const char *json, *variable, *where;
    } cases[] = {
        {"{" BOOT "}", "OCIVIRT_MEMORY=8G", "environment OCIVIRT_MEMORY"},
        {"{" BOOT ",'annotations':{'org.ocivirt.memory':'8G'}}", NULL,
         "annotations[\"org.ocivirt.memory\"]"},
        {"{" BOOT ",'annotations':{'org.ocivirt.memory':'256M'}}", "OCIVIRT_MEMORY=8G",
         "environment OCIVIRT_MEMORY"},
        {"{'ociVersion':'1.0.0','vm':{" KERNEL ",'hwConfig':{'memory':8589934592}}}", NULL,
         "vm.hwConfig.memory"},
        {"{'ociVersion':'1.0.0','vm':{" KERNEL ",'hwconfig':{'memory':8589934592}}}", NULL,
         "vm.hwconfig.memory"},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        struct fixture f;
        guint64 memory = memory_of(&f, cases[i].json, cases[i].variable, VM_ACCEL_TCG, 1 * GIB);
        expect_uint(cases[i].json, memory, 0);
        expect(cases[i].json, fixture_has_only(&f, cases[i].where, "do not fit the container's"));
        fixture_finish(&f);
    }
}

/* It says the most that there may be. The container's own limit may be lower, and often is the
 * same: then what QEMU needs has to fit, too. */
static void test_limit_is_no_demand(void)
{
    static const char *const formats[] = {
        LIMIT,
        "{" BOOT ",'annotations':{'io.kubernetes.cri.sandbox-memory':'%" G_GINT64_FORMAT "'}}"};
    for (gsize i = 0; i < G_N_ELEMENTS(limits); i++) {
        struct fixture f;
        guint64 most = memory_of(&f, "{" BOOT "}", NULL, VM_ACCEL_TCG, limits[i]);
        fixture_finish(&f);
        const guint64 asked[][2] = {
            {most, most}, {most + 1, most}, {limits[i], most}, {16 * MIB, 16 * MIB}};
        for (gsize k = 0; k < G_N_ELEMENTS(asked) * G_N_ELEMENTS(formats); k++) {
            const guint64 *sizes = asked[k / G_N_ELEMENTS(formats)];
            g_auto(GStrv) halves =
                g_strsplit(formats[k % G_N_ELEMENTS(formats)], "%" G_GINT64_FORMAT, 2);
            g_autofree char *json =
                g_strdup_printf("%s%" G_GUINT64_FORMAT "%s", halves[0], sizes[0], halves[1]);
            expect_uint(json, memory_of(&f, json, NULL, VM_ACCEL_TCG, limits[i]), sizes[1]);
            expect(json, fixture_is_fine(&f));
            fixture_finish(&f);
        }
    }
}

static void test_too_little(void)
{
    static const guint64 sizes[] = {1, 1 * MIB, 16 * MIB - 1};
    for (gsize i = 0; i < G_N_ELEMENTS(sizes); i++) {
        g_autofree char *json = g_strdup_printf(HW, sizes[i]);
        for (int limited = 0; limited < 2; limited++) {
            struct fixture f;
            g_assert_cmpuint(memory_of(&f, json, NULL, VM_ACCEL_TCG, limited * GIB), ==, 0);
            g_assert_true(fixture_has_only(&f, "vm.hwConfig.memory", "give it at least 16"));
            fixture_finish(&f);
        }
    }
    struct fixture f;
    g_autofree char *json = g_strdup_printf(LIMIT, (gint64)MIB);
    g_assert_cmpuint(memory_of(&f, json, NULL, VM_ACCEL_TCG, 0), ==, 0);
    g_assert_true(fixture_has_only(&f, "linux.resources.memory.limit", "is too little"));
    fixture_finish(&f);
}

static void test_too_much(void)
{
    struct fixture f;
    g_autofree char *json = g_strdup_printf(HW, G_MAXUINT64);
    g_assert_cmpuint(memory_of(&f, json, NULL, VM_ACCEL_KVM, 0), ==, 0);
    g_assert_true(fixture_has_only(&f, "vm.hwConfig.memory", "more memory than a machine can"));
    fixture_finish(&f);
    g_assert_cmpuint(memory_of(&f, json, NULL, VM_ACCEL_KVM, 1 * GIB), ==, 0);
    g_assert_cmpuint(f.problems.list->len, ==, 1);
    fixture_finish(&f);
}

/* A container that is too small for any guest: nobody's property is at fault. */
static void test_no_room(void)
{
    static const guint64 small[] = {1, 4096, 64 * MIB, 128 * MIB, 192 * MIB, 200 * MIB};
    for (gsize i = 0; i < G_N_ELEMENTS(small); i++) {
        struct fixture f;
        g_autofree char *limit = quantity_format_size(small[i]);
        g_assert_cmpuint(memory_of(&f, "{" BOOT "}", NULL, VM_ACCEL_TCG, small[i]), ==, 0);
        g_assert_true(fixture_has_only(&f, "", limit));
        g_assert_true(fixture_has_only(&f, "", "raise the limit"));
        fixture_finish(&f);
    }
}

static void test_overhead(void)
{
    guint64 previous = 0;
    for (guint64 memory = 16 * MIB; memory <= 1024 * GIB; memory *= 2) {
        guint64 kvm = oci_translate_overhead(memory, VM_ACCEL_KVM);
        g_assert_cmpuint(kvm, >=, previous); /* page tables grow with the guest */
        g_assert_cmpuint(kvm, >=, 100 * MIB);
        g_assert_cmpuint(oci_translate_overhead(memory, VM_ACCEL_TCG), >, kvm);
        previous = kvm;
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_set_nonfatal_assertions();
    g_test_add_func("/memory/precedence", test_precedence);
    g_test_add_func("/memory/rounding", test_rounding);
    g_test_add_func("/memory/default-fits", test_default_fits);
    g_test_add_func("/memory/explicit-fits-or-not", test_explicit_fits_or_not);
    g_test_add_func("/memory/remedy-works", test_remedy_works);
    g_test_add_func("/memory/place", test_place);
    g_test_add_func("/memory/limit-is-no-demand", test_limit_is_no_demand);
    g_test_add_func("/memory/too-little", test_too_little);
    g_test_add_func("/memory/too-much", test_too_much);
    g_test_add_func("/memory/no-room", test_no_room);
    g_test_add_func("/memory/overhead", test_overhead);
    return g_test_run();
}
