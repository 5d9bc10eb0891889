// SPDX-License-Identifier: LGPL-2.1-or-later

/* Any bytes as config.json, with any environment: what `ocivirt validate` does, without files. */

#include "tests/fuzz/examine.h"
#include "tests/fuzz/fuzz.h"

const struct oci_field *const fuzz_fields = oci_fields_config;

static void decode(const struct oci_document *document, struct fuzz_input *input,
                   struct oci_problems *problems)
{
    static const struct oci_host host = {
        .cpus = 1, .emulator = "/usr/bin/qemu", .id = "fuzz", .root = "/root"};
    g_autoptr(oci_config) config = oci_config_decode(document, "/bundle", problems);
    g_autoptr(GPtrArray) warnings = g_ptr_array_new_with_free_func(g_free);
    struct oci_settings settings;
    oci_settings_init(&settings, config, input->environment, problems, warnings);
    examine_problems(problems);
    const struct oci_situation situation = {config, &settings, &host, NULL};
    examine_report(document, &situation, problems);
    oci_settings_finish(&settings);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    return fuzz_run_json(data, size, decode);
}
