// SPDX-License-Identifier: LGPL-2.1-or-later

/* Writes libFuzzer's dictionary: every name and word that the tables know. */

#include "oci/settings.h"
#include "tests/fuzz/fuzz.h"

#include <stdio.h>

static GHashTable *written;

/* In quotes for libFuzzer; those for JSON, in front and behind, come with a backslash. */
static void write_word(const char *front, const char *word, const char *behind)
{
    g_autofree char *entry = g_strconcat(front, word, behind, NULL);
    if (g_hash_table_add(written, g_strdup(entry))) {
        printf("\"%s\"\n", entry);
    }
}

static void write_fields(const struct oci_field *fields)
{
    for (const struct oci_field *field = fields; field->name != NULL; field++) {
        write_word("\\\"", field->name, "\\\":");
        if (field->alias != NULL) {
            write_word("\\\"", field->alias, "\\\":");
        }
        for (const char *const *word = field->words; word != NULL && *word != NULL; word++) {
            write_word("\\\"", *word, "\\\"");
        }
        if (field->fields != NULL) {
            write_fields(field->fields);
        }
    }
}

static void write_settings(void)
{
    for (int id = 0; id < OCI_SETTING_COUNT; id++) {
        g_autofree char *upper = g_ascii_strup(oci_settings_name(id), -1);
        write_word("\\\"" OCI_SETTING_PREFIX, oci_settings_name(id), "\\\":");
        write_word("\\x00" OCI_SETTING_ENV_PREFIX, g_strdelimit(upper, "-.", '_'), "=");
    }
}

int main(void)
{
    written = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    write_fields(oci_fields_config);
    write_settings();
    g_hash_table_unref(written);
    return 0;
}
