// SPDX-License-Identifier: LGPL-2.1-or-later
#include "oci/config.h"
#include "oci/decode.h"
#include "oci/devices.h"
#include "oci/document.h"
#include "oci/mounts.h"
#include "oci/rules.h"
#include "oci/seccomp.h"

struct oci_config *oci_config_decode(const struct oci_document *document, const char *bundle,
                                     struct oci_problems *problems)
{
    struct oci_config *config = g_new0(struct oci_config, 1);
    struct oci_decoder decoder = {document, bundle, problems};
    oci_decode(&decoder, document->root, oci_fields_config, config);
    json_t *vm = json_object_get(document->root, "vm");
    bool go = !json_is_object(json_object_get(vm, "hwConfig")) &&
              json_is_object(json_object_get(vm, "hwconfig"));
    oci_mounts_resolve(config, bundle);
    config->may_open_all_devices =
        oci_device_rules_allow_all(config) || oci_mounts_bind_all_devices(config);
    config->vm.hw.path = go ? "vm.hwconfig" : "vm.hwConfig";
    json_t *seccomp = json_object_get(json_object_get(document->root, "linux"), "seccomp");
    oci_seccomp_check_template(seccomp, "linux.seccomp", problems);
    oci_rules_check(config, problems);
    return config;
}

void oci_config_free(struct oci_config *config)
{
    if (config != NULL) {
        oci_decode_clear(oci_fields_config, config);
        g_free(config);
    }
}

void oci_seccomp_decode(const struct oci_document *document, struct oci_problems *problems,
                        struct oci_seccomp *seccomp)
{
    struct oci_decoder decoder = {document, "/", problems};
    oci_decode(&decoder, document->root, oci_fields_seccomp, seccomp);
    oci_seccomp_check_template(document->root, "", problems);
    oci_rules_check_seccomp(seccomp, "", problems);
}

void oci_seccomp_clear(struct oci_seccomp *seccomp)
{
    oci_decode_clear(oci_fields_seccomp, seccomp);
}
