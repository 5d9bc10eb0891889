// SPDX-License-Identifier: LGPL-2.1-or-later
#include "src/host/qemu_version.h"
#include "src/vm/vm_spec.h"

#include <glib.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define OPENING "QEMU emulator version "

unsigned qemu_version_parse(const char *text)
{
    unsigned major, minor, micro = 0;
    if (!g_str_has_prefix(text, OPENING) ||
        sscanf(text + strlen(OPENING), "%3u.%3u.%3u", &major, &minor, &micro) < 2) {
        return 0;
    }
    return VM_QEMU_VERSION(major, minor) + micro;
}

unsigned qemu_version_ask(const char *emulator)
{
    g_autofree char *program = g_strdup(emulator);
    char option[] = "--version";
    char *argv[] = {program, option, NULL};
    g_autofree char *output = NULL;
    bool ok = g_spawn_sync(NULL, argv, NULL, G_SPAWN_STDERR_TO_DEV_NULL, NULL, NULL, &output, NULL,
                           NULL, NULL);
    return ok ? qemu_version_parse(output) : 0;
}
