// SPDX-License-Identifier: LGPL-2.1-or-later
#include "cmd/ocivirt/commands.h"
#include "cmd/ocivirt/output.h"
#include "src/util/error.h"

#include <fcntl.h>
#include <locale.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

gint64 program_started_at;

static const struct {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *summary;
} commands[] = {
    {"run", command_run, "boot the VM that a config.json describes, and be its console (default)"},
    {"validate", command_validate, "report everything that is wrong with a config.json"},
    {"xml", command_xml, "print the libvirt domain XML that run would start"},
    {"state", command_state, "print the state of a VM, as the OCI runtime-spec has it"},
    {"wait", command_wait, "wait until a VM has ended, and print its exit status"},
    {"stop", command_stop, "ask a guest to power off, and wait until it has"},
    {"kill", command_kill, "end a VM at once"},
    {"pause", command_pause, "halt a guest"},
    {"resume", command_resume, "let a paused guest go on"},
    {"reset", command_reset, "reset a machine, without asking its guest"},
    {"reboot", command_reboot, "ask a guest to reboot"},
    {"console", command_console, "attach to a guest's console"},
    {"events", command_events, "print what happens to a VM"},
    {"stats", command_stats, "print a VM's statistics"},
    {"health", command_health, "tell whether a VM is ready"},
    {"exec", command_exec, "run a command in a guest, through its agent"},
    {"addresses", command_addresses, "print the network addresses that a guest has"},
    {"freeze", command_freeze, "have a guest write back its file systems, and hold them"},
    {"thaw", command_thaw, "let a guest's file systems go on"},
    {"prime", command_prime, "probe QEMU now, so that a start from this root directory is fast"},
};

static void print_help(FILE *out)
{
    fputs("Usage: ocivirt [COMMAND] [OPTION…]\n\n"
          "Run a virtual machine as a container: be the container's entrypoint.\n\nCommands:\n",
          out);
    for (gsize i = 0; i < G_N_ELEMENTS(commands); i++) {
        fprintf(out, "  %-10s %s\n", commands[i].name, commands[i].summary);
    }
    fputs("\nOptions:\n"
          "  -h, --help     this text; `ocivirt COMMAND --help` tells a command's options\n"
          "  -V, --version  the version of ocivirt, and of the OCI runtime-spec that it knows\n\n"
          "The manual is ocivirt(1).\n",
          out);
}

static int print_version(void)
{
    puts("ocivirt " OCIVIRT_VERSION "\nOCI runtime-spec 1.3.0");
    return 0;
}

/* A descriptor 0, 1 or 2 that is closed would be given to the first file that is opened. */
static void open_standard_descriptors(void)
{
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
        if (fcntl(fd, F_GETFD) < 0) {
            (void)!open("/dev/null", O_RDWR);
        }
    }
}

static int run_command(int argc, char **argv)
{
    if (argc < 2) {
        return command_run(argc, argv);
    }
    const char *word = argv[1];
    if (g_str_equal(word, "--help") || g_str_equal(word, "-h") || g_str_equal(word, "help")) {
        print_help(stdout);
        return 0;
    }
    if (g_str_equal(word, "--version") || g_str_equal(word, "-V") || g_str_equal(word, "version")) {
        return print_version();
    }
    if (*word == '-') { /* `ocivirt --root DIR` is `ocivirt run --root DIR` */
        return command_run(argc, argv);
    }
    for (gsize i = 0; i < G_N_ELEMENTS(commands); i++) {
        if (g_str_equal(word, commands[i].name)) {
            return commands[i].run(argc - 1, argv + 1);
        }
    }
    log_error("there is no command \"%s\"; see ocivirt --help", word);
    return ERROR_USAGE;
}

int main(int argc, char **argv)
{
    program_started_at = g_get_monotonic_time();
    open_standard_descriptors();
    setlocale(LC_CTYPE, "");
    /* A guest's console is not stdio's: however little of that is taken, run ends as its VM does.
     */
    return output_finish(run_command(argc, argv));
}
