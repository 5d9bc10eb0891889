// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/* The subcommands, and what they share. Each gets its arguments without the program's name and
 * returns an exit status. */

#include "oci/config.h"
#include "oci/settings.h"
#include "src/engine/root.h"
#include "src/util/log.h"
#include "src/vm/vm_spec.h"

int command_run(int argc, char **argv);
int command_xml(int argc, char **argv);
int command_validate(int argc, char **argv);
int command_prime(int argc, char **argv);

/* µs, g_get_monotonic_time(), when main() began. */
extern gint64 program_started_at;

/* Options that more than one subcommand has; unset ones are filled from the environment. */
struct options {
    char *bundle;
    char *config;
    char *root;
    char *id;
    char *log_format;
    gboolean timings;
    gboolean quiet;
    gint verbosity;
};

enum option_group {
    OPTIONS_CONFIG = 1 << 0, /* --bundle, --config */
    OPTIONS_ROOT = 1 << 1,   /* --root */
    OPTIONS_ID = 1 << 2,     /* --id */
    OPTIONS_RUN = 1 << 3,    /* --timings */
};

/*
 * Parses; --help is answered here. False: the command is to return *@status at once.
 * Also sets the log up.
 */
bool options_parse(struct options *options, int argc, char **argv, const char *command,
                   const char *summary, unsigned groups, int *status);
void options_finish(struct options *options);

/* Logs @error, if there is one, and returns the exit status that it stands for. */
int report_error(GError *error);

/* A config.json with all that follows from it. */
struct machine {
    char *file;   /* config.json, as found */
    char *bundle; /* its directory, absolute */
    struct oci_config *config;
    struct oci_settings settings;
    struct root root; /* chosen, not opened */
    struct vm_spec *spec;
    char *xml;
};

enum machine_purpose {
    MACHINE_TO_RUN,
    MACHINE_TO_CHECK, /* neither QEMU nor KVM is needed to say whether a file is right */
};

/*
 * Finds, reads, checks and translates. On failure every problem has been reported (to stderr, one
 * line each), *@status is the exit status, and @machine is finished.
 */
bool machine_load(struct machine *machine, const struct options *options,
                  enum machine_purpose purpose, int *status);
/* The file as messages name it. */
const char *machine_file_name(const struct machine *machine);
void machine_finish(struct machine *machine);

/* QEMU for @arch, absolute, or NULL with ERROR_UNAVAILABLE. The caller owns it. */
char *find_emulator(enum vm_arch arch, GError **error);
