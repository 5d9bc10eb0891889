// SPDX-License-Identifier: LGPL-2.1-or-later
#include "oci/words.h"
#include "tests/unit/expect.h"

#include <string.h>

static const char *const formats[] = {"raw", "qcow2", "vdi", "vmdk", "vhd", NULL};
static const char *const names[] = {"accel",     "console",     "cpu-model",    "cpus", "memory",
                                    "on-reboot", "stop-method", "stop-timeout", NULL};

static const char *const actions[] = {"SCMP_ACT_KILL_PROCESS", "SCMP_ACT_KILL", "SCMP_ACT_ALLOW",
                                      "SCMP_EQ", NULL};
static const char *const domains[] = {"LINUX", "LINUX32", NULL};
static const char *const archs[] = {"SCMP_ARCH_X86_64", "SCMP_ARCH_PPC64", NULL};

static void test_nearest(void)
{
    static const struct {
        const char *const *words;
        const char *word;
        const char *nearest; /* NULL: none is near */
    } cases[] = {
        {names, "memory", "memory"},
        {names, "memroy", "memory"},  /* two letters exchanged */
        {names, "memor", "memory"},   /* one missing */
        {names, "memoryy", "memory"}, /* one too many */
        {names, "Memory", "memory"},  /* case is no difference */
        {names, "MEMORY", "memory"},
        {names, "cpu", "cpus"},
        {names, "cpu_model", "cpu-model"},
        {names, "cpumodel", "cpu-model"},
        {names, "stoptimeout", "stop-timeout"},
        {names, "stop-metod", "stop-method"},
        {names, "timeout", "stop-timeout"}, /* a piece */
        {names, "reboot", "on-reboot"},
        {names, "meth", "stop-method"},
        {names, "out", NULL}, /* none that a word has by itself */
        {names, "el", NULL},
        {names, "network", NULL},
        {names, "", NULL},
        {names, "x", NULL},
        {formats, "qcow", "qcow2"},
        {formats, "qcow3", "qcow2"},
        {formats, "vmd", "vmdk"},
        {formats, "iso", NULL},
        {formats, "row", "raw"},
        {actions, "SCMP_ACT_ALOW", "SCMP_ACT_ALLOW"},
        {actions, "scmp_act_allow", "SCMP_ACT_ALLOW"},
        {actions, "SMCP_ACT_ALLOW", "SCMP_ACT_ALLOW"}, /* what they share may be wrong, too */
        {actions, "SCMP_ACT_DENY", NULL},
        {actions, "SCMP_", NULL},
        {actions, "ALLOW", "SCMP_ACT_ALLOW"},
        {actions, "kill", "SCMP_ACT_KILL"}, /* the shortest */
        {actions, "KILL_P", "SCMP_ACT_KILL_PROCESS"},
        {actions, "OW", NULL},
        {actions, "KI", NULL}, /* too little to tell */
        {actions, "EQ", "SCMP_EQ"},
        {actions, "E", NULL},
        {archs, "SCMP_ARCH_AMD64", NULL}, /* what they share makes nothing near */
        {archs, "SCMP_ARCH_PPC6", "SCMP_ARCH_PPC64"},
        {domains, "LINUX3", "LINUX"}, /* no prefix: one is the start of the other */
    };
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        expect_str(cases[i].word, oci_words_nearest(cases[i].words, cases[i].word),
                   cases[i].nearest);
    }
}

/* Of several that are as near, the first: messages must not depend on chance. */
static void test_tie(void)
{
    static const char *const words[] = {"bat", "cat", "hat", NULL};
    g_assert_cmpstr(oci_words_nearest(words, "rat"), ==, "bat");
    g_assert_cmpstr(oci_words_nearest(words, "cat"), ==, "cat");
}

static void test_no_words(void)
{
    static const char *const none[] = {NULL};
    g_assert_null(oci_words_nearest(none, "memory"));
    g_autofree char *hint = oci_words_hint(none, "memory");
    g_assert_cmpstr(hint, ==, "");
}

/* Hostile lengths: 64 is the longest that is compared at all. */
static void test_long(void)
{
    char text[1024];
    memset(text, 'a', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    const char *const same[] = {text, NULL};
    g_assert_null(oci_words_nearest(same, text));
    g_assert_null(oci_words_nearest(names, text));
    g_assert_null(oci_words_nearest(same, "a"));

    text[64] = '\0';
    g_assert_cmpstr(oci_words_nearest(same, text), ==, text);
    text[63] = 'b';
    const char *const other[] = {"x", text, NULL};
    g_autofree char *word = g_strnfill(64, 'a');
    g_assert_cmpstr(oci_words_nearest(other, word), ==, text);
}

static void test_hint(void)
{
    g_autofree char *near = oci_words_hint(formats, "qcow");
    g_assert_cmpstr(near, ==, "raw, qcow2, vdi, vmdk, vhd (did you mean qcow2?)");
    g_autofree char *far = oci_words_hint(formats, "floppy");
    g_assert_cmpstr(far, ==, "raw, qcow2, vdi, vmdk, vhd");
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_set_nonfatal_assertions();
    g_test_add_func("/words/nearest", test_nearest);
    g_test_add_func("/words/tie", test_tie);
    g_test_add_func("/words/no-words", test_no_words);
    g_test_add_func("/words/long", test_long);
    g_test_add_func("/words/hint", test_hint);
    return g_test_run();
}
