// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/* The subcommands, and what they share. Each gets its arguments without the program's name and
 * returns an exit status. */

#include "oci/config.h"
#include "oci/document.h"
#include "oci/problems.h"
#include "oci/settings.h"
#include "src/engine/engine.h"
#include "src/engine/root.h"
#include "src/util/log.h"
#include "src/vm/vm_spec.h"

int command_run(int argc, char **argv);
int command_xml(int argc, char **argv);
int command_validate(int argc, char **argv);
int command_state(int argc, char **argv);
int command_prime(int argc, char **argv);
int command_wait(int argc, char **argv);
int command_stop(int argc, char **argv);
int command_kill(int argc, char **argv);
int command_pause(int argc, char **argv);
int command_resume(int argc, char **argv);
int command_reset(int argc, char **argv);
int command_reboot(int argc, char **argv);
int command_console(int argc, char **argv);
int command_events(int argc, char **argv);
int command_stats(int argc, char **argv);
int command_exec(int argc, char **argv);
int command_health(int argc, char **argv);
int command_addresses(int argc, char **argv);
int command_freeze(int argc, char **argv);
int command_thaw(int argc, char **argv);

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
    gboolean strict;
    char *format;
    char *timeout;
    char **env;       /* NULL: none; of NAME=VALUE */
    char **arguments; /* that are no options; NULL: none */
    gboolean interactive;
    gboolean live;
    gboolean ready;
    gboolean startup;
    gboolean quiet;
    gint verbosity;
};

enum option_group {
    OPTIONS_CONFIG = 1 << 0,   /* --bundle, --config */
    OPTIONS_ROOT = 1 << 1,     /* --root */
    OPTIONS_ID = 1 << 2,       /* --id */
    OPTIONS_RUN = 1 << 3,      /* --timings */
    OPTIONS_VALIDATE = 1 << 4, /* --strict, --format */
    OPTIONS_STATE = 1 << 5,    /* --format */
    OPTIONS_STOP = 1 << 6,     /* --timeout */
    OPTIONS_EVENTS = 1 << 7,   /* --format */
    OPTIONS_STATS = 1 << 8,    /* --format */
    OPTIONS_EXEC = 1 << 9,     /* --env, --timeout, --interactive, and a command */
    OPTIONS_HEALTH = 1 << 10,  /* --live, --ready, --startup */
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
    struct oci_document document;
    struct oci_problems problems;
    GPtrArray *warnings; /* of char * */
    struct oci_config *config;
    struct oci_settings settings;
    struct facts *facts;  /* what it was translated for */
    struct root root;     /* chosen, not opened */
    struct vm_spec *spec; /* NULL, and xml too: there are problems */
    char *xml;
};

enum machine_purpose {
    MACHINE_TO_RUN,
    MACHINE_TO_CHECK, /* neither QEMU nor KVM is needed to say whether a file is right */
};

/*
 * Finds, reads, checks and translates. True: what is wrong with the file is in @problems; if it is
 * not JSON at all, @config and @facts are NULL. Else what was in the way has been reported,
 * *@status is the exit status, and
 * @machine is finished.
 */
bool machine_examine(struct machine *machine, const struct options *options,
                     enum machine_purpose purpose, int *status);
/* The same, for who needs the VM: with problems these are reported, and it is false. */
bool machine_load(struct machine *machine, const struct options *options, int *status);
/* To stderr, one line each. */
void machine_report_problems(const struct machine *machine);
void machine_report_warnings(const struct machine *machine);
/* Whether the ports that are to be published can be. */
bool machine_check_ports(const struct machine *machine, GError **error);
/* To the log: which network the guest has. */
void machine_report_network(const struct machine *machine);
/* The file as messages name it. */
const char *machine_file_name(const struct machine *machine);
void machine_finish(struct machine *machine);

/* What @signal asks for; false: nothing. README, "Signals". */
bool request_of_signal(int signal, enum engine_request *request);

/* QEMU for @arch, absolute, or NULL with ERROR_UNAVAILABLE. The caller owns it. */
char *find_emulator(enum vm_arch arch, GError **error);
