// SPDX-License-Identifier: LGPL-2.1-or-later
#include "src/util/quantity.h"
#include "tests/unit/expect.h"

#define KIB G_GUINT64_CONSTANT(1024)
#define MIB (KIB * KIB)
#define GIB (MIB * KIB)
#define TIB (GIB * KIB)

struct quantity {
    const char *text;
    guint64 value;
};

static void check(bool (*parse)(const char *, guint64 *), const struct quantity *good, gsize n_good,
                  const char *const *bad, gsize n_bad)
{
    for (gsize i = 0; i < n_good; i++) {
        guint64 value = G_MAXUINT64 - 1;
        expect(good[i].text, parse(good[i].text, &value));
        expect_uint(good[i].text, value, good[i].value);
    }
    for (gsize i = 0; i < n_bad; i++) {
        guint64 value;
        expect(bad[i], !parse(bad[i], &value));
    }
}

static void test_sizes(void)
{
    static const struct quantity good[] = {
        {"0", 0},
        {"1", 1},
        {"536870912", 512 * MIB},
        {"007", 7},
        {"5B", 5},
        {"1K", KIB},
        {"1k", KIB},
        {"1KB", KIB},
        {"1KiB", KIB},
        {"512M", 512 * MIB},
        {"512m", 512 * MIB},
        {"512MB", 512 * MIB},
        {"512MiB", 512 * MIB},
        {"512mib", 512 * MIB},
        {"1G", GIB},
        {"1GB", GIB},
        {"1GiB", GIB},
        {"3T", 3 * TIB},
        {"3TB", 3 * TIB},
        {"3TiB", 3 * TIB},
        {"18446744073709551615", G_MAXUINT64},
        {"18014398509481983K", G_MAXUINT64 - KIB + 1},
        {"16777215T", 16777215 * TIB},
    };
    static const char *const bad[] = {
        "",
        "K",
        "M",
        "-1",
        "+1",
        "-1M",
        " 1",
        "1 ",
        "1 M",
        "1.5G",
        "1,5G",
        "0x10",
        "1e3",
        "1P",
        "1Mi",
        "1MiBB",
        "1M1",
        "many",
        "1\n",
        "\xd9\xa1", /* ARABIC-INDIC DIGIT ONE */
        /* past 64 bits, as a number and by its unit */
        "18446744073709551616",
        "99999999999999999999999999",
        "18014398509481984K",
        "17592186044416M",
        "17179869184G",
        "16777216T",
    };
    check(quantity_parse_size, good, G_N_ELEMENTS(good), bad, G_N_ELEMENTS(bad));
}

static void test_durations(void)
{
    static const struct quantity good[] = {
        {"0", 0},
        {"8", 8000},
        {"8s", 8000},
        {"8S", 8000},
        {"500ms", 500},
        {"0ms", 0},
        {"2m", 120000},
        {"2min", 120000},
        {"1h", 3600000},
        {"1H", 3600000},
        {"18446744073709551s", 18446744073709551000u},
        {"18446744073709551615ms", G_MAXUINT64},
    };
    static const char *const bad[] = {
        "",
        "s",
        "ms",
        "-1s",
        "+1s",
        "1.5s",
        "1 s",
        " 1s",
        "1s ",
        "1d",
        "1sec",
        "1us",
        "1mss",
        "soon",
        "18446744073709551616ms",
        "18446744073709552",
        "18446744073709552s",
        "307445734561826m",
        "5124095576031h",
    };
    check(quantity_parse_duration, good, G_N_ELEMENTS(good), bad, G_N_ELEMENTS(bad));
}

static void test_counts(void)
{
    guint64 count;
    g_assert_true(quantity_parse_count("1", 1, 255, &count));
    g_assert_cmpuint(count, ==, 1);
    g_assert_true(quantity_parse_count("255", 1, 255, &count));
    g_assert_cmpuint(count, ==, 255);
    g_assert_true(quantity_parse_count("0", 0, 0, &count));
    g_assert_cmpuint(count, ==, 0);
    g_assert_true(quantity_parse_count("18446744073709551615", 0, G_MAXUINT64, &count));
    g_assert_cmpuint(count, ==, G_MAXUINT64);

    static const char *const bad[] = {"",   "0",   "256", "-1",  "+1",  " 1",
                                      "1 ", "1.0", "0x1", "one", "1e0", "18446744073709551616"};
    for (gsize i = 0; i < G_N_ELEMENTS(bad); i++) {
        expect(bad[i], !quantity_parse_count(bad[i], 1, 255, &count));
    }
}

/* What the header promises, in characters that any terminal and log has. */
static void test_format(void)
{
    static const struct {
        guint64 bytes;
        const char *text;
    } sizes[] = {
        {512 * MIB, "512 MiB"},
        {GIB + 512 * MIB, "1.5 GiB"},
        {16 * MIB, "16 MiB"},
        {2 * TIB, "2 TiB"},
        {1187 * MIB, "1187 MiB"},
        {536870911, "536870911 bytes"},
        {1, "1 byte"},
        {0, "0 bytes"},
        {1000, "1000 bytes"},
        {KIB, "1 KiB"},
        {G_MAXUINT64, "18446744073709551615 bytes"},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(sizes); i++) {
        g_autofree char *text = quantity_format_size(sizes[i].bytes);
        g_assert_cmpstr(text, ==, sizes[i].text);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_set_nonfatal_assertions();
    g_test_add_func("/quantity/sizes", test_sizes);
    g_test_add_func("/quantity/durations", test_durations);
    g_test_add_func("/quantity/counts", test_counts);
    g_test_add_func("/quantity/format", test_format);
    return g_test_run();
}
