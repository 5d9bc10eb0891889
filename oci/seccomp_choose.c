// SPDX-License-Identifier: LGPL-2.1-or-later
#include "oci/seccomp_choose.h"
#include "oci/document.h"
#include "oci/seccomp.h"

#include <string.h>

extern const char oci_seccomp_default_end[];

/* The file as it is, since a C string literal may not be that long. */
__asm__(".pushsection .rodata\n"
        ".global oci_seccomp_default, oci_seccomp_default_end\n"
        ".hidden oci_seccomp_default, oci_seccomp_default_end\n"
        "oci_seccomp_default:\n"
        ".incbin \"oci/seccomp.json\"\n"
        "oci_seccomp_default_end:\n"
        ".byte 0\n"
        ".popsection\n");

gsize oci_seccomp_default_length(void)
{
    return oci_seccomp_default_end - oci_seccomp_default;
}

enum oci_seccomp_source oci_seccomp_source(const struct oci_config *config,
                                           const struct oci_settings *settings)
{
    const char *setting = settings->seccomp;
    if (setting == NULL) {
        return config->seccomp.default_action != NULL ? OCI_SECCOMP_CONFIG : OCI_SECCOMP_DEFAULT;
    }
    if (g_str_equal(setting, "off")) {
        return OCI_SECCOMP_OFF;
    }
    if (g_str_equal(setting, "default")) {
        return OCI_SECCOMP_DEFAULT;
    }
    return g_str_equal(setting, "config") ? OCI_SECCOMP_CONFIG : OCI_SECCOMP_FILE;
}

/* A profile that is a whole document; takes @text over. */
static GBytes *compile_text(char *text, gsize length, struct oci_problems *problems,
                            GPtrArray *warnings, unsigned *flags)
{
    struct oci_document document;
    struct oci_seccomp profile = {0};
    GBytes *filter = NULL;
    if (oci_document_init(&document, text, length, problems)) {
        oci_seccomp_decode(&document, problems, &profile);
        if (!oci_problems_any(problems)) {
            filter = oci_seccomp_compile(&profile, "", problems, warnings, flags);
        }
    }
    /* Before the document goes, to which positions refer. */
    problems->document = NULL;
    oci_seccomp_clear(&profile);
    oci_document_finish(&document);
    return filter;
}

/* What is wrong with the profile @name is a problem of who named it. */
static void tell(const struct oci_problems *found, const char *name,
                 const struct oci_settings *settings, struct oci_problems *problems)
{
    g_autofree char *text = oci_problems_format(found, name);
    g_auto(GStrv) lines = g_strsplit(g_strchomp(text), "\n", -1);
    for (char **line = lines; *line != NULL; line++) {
        oci_settings_problem(settings, OCI_SETTING_SECCOMP, problems, *line);
    }
}

static GBytes *compile_file(const char *path, const struct oci_settings *settings,
                            struct oci_problems *problems, GPtrArray *warnings, unsigned *flags)
{
    g_autoptr(GError) error = NULL;
    gsize length;
    char *text = oci_document_read(path, &length, &error);
    if (text == NULL) {
        oci_settings_problem(settings, OCI_SETTING_SECCOMP, problems, error->message);
        return NULL;
    }
    g_autoptr(GPtrArray) left_out = g_ptr_array_new_with_free_func(g_free);
    struct oci_problems found;
    oci_problems_init(&found);
    GBytes *filter = compile_text(text, length, &found, left_out, flags);
    for (guint i = 0; warnings != NULL && i < left_out->len; i++) {
        const char *line = g_ptr_array_index(left_out, i);
        g_ptr_array_add(warnings, g_strdup_printf("%s: %s", path, line));
    }
    if (filter == NULL) {
        tell(&found, path, settings, problems);
    }
    oci_problems_finish(&found);
    return filter;
}

/* It names calls that are newer than some libseccomp: no warnings, nobody could act on them. */
static GBytes *compile_default(struct oci_problems *problems, unsigned *flags)
{
    gsize length = oci_seccomp_default_length();
    struct oci_problems found;
    oci_problems_init(&found);
    GBytes *filter =
        compile_text(g_memdup2(oci_seccomp_default, length + 1), length, &found, NULL, flags);
    if (filter == NULL) {
        g_autofree char *text = oci_problems_format(&found, "the default seccomp profile");
        oci_problems_add_outside(problems, "seccomp", "%s", g_strchomp(text));
    }
    oci_problems_finish(&found);
    return filter;
}

static GBytes *compile_config(const struct oci_config *config, const struct oci_settings *settings,
                              struct oci_problems *problems, GPtrArray *warnings, unsigned *flags)
{
    if (config->seccomp.default_action == NULL) {
        oci_settings_problem(settings, OCI_SETTING_SECCOMP, problems,
                             "there is no profile in the config: give it a linux.seccomp, or use "
                             "\"default\"");
        return NULL;
    }
    return oci_seccomp_compile(&config->seccomp, "linux.seccomp", problems, warnings, flags);
}

GBytes *oci_seccomp_choose(const struct oci_config *config, const struct oci_settings *settings,
                           const char *bundle, struct oci_problems *problems, GPtrArray *warnings,
                           unsigned *flags)
{
    *flags = 0;
    switch (oci_seccomp_source(config, settings)) {
    case OCI_SECCOMP_OFF:
        return NULL;
    case OCI_SECCOMP_DEFAULT:
        return compile_default(problems, flags);
    case OCI_SECCOMP_CONFIG:
        return compile_config(config, settings, problems, warnings, flags);
    case OCI_SECCOMP_FILE:
        break;
    }
    g_autofree char *path = g_canonicalize_filename(settings->seccomp, bundle);
    return compile_file(path, settings, problems, warnings, flags);
}
