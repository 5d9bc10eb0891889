// SPDX-License-Identifier: LGPL-2.1-or-later
#include "cmd/ocivirt/commands.h"
#include "src/util/error.h"

#include <stdio.h>
#include <string.h>

static gboolean count_verbosity(const char *name, const char *value, gpointer data, GError **error)
{
    (void)name;
    (void)value;
    (void)error;
    ((struct options *)data)->verbosity++;
    return TRUE;
}

static void default_from_environment(char **option, const char *variable)
{
    const char *value = g_getenv(variable);
    if (*option == NULL && value != NULL && *value != '\0') {
        *option = g_strdup(value);
    }
}

/* @source: where the format comes from. */
static bool set_up_log(const struct options *options, const char *source)
{
    const char *format = options->log_format != NULL ? options->log_format : "text";
    bool json = g_str_equal(format, "json");
    enum log_level level = options->quiet           ? LOG_ERROR
                           : options->verbosity > 0 ? LOG_DEBUG
                                                    : LOG_INFO;
    log_setup(level, json ? LOG_FORMAT_JSON : LOG_FORMAT_TEXT);
    if (!json && !g_str_equal(format, "text")) {
        log_error("%s is \"%s\", and can be text or json", source, format);
        return false;
    }
    return true;
}

bool options_parse(struct options *options, int argc, char **argv, const char *command,
                   const char *summary, unsigned groups, int *status)
{
    *options = (struct options){0};
    gboolean help = FALSE;
    const GOptionEntry common[] = {
        {"help", 'h', 0, G_OPTION_ARG_NONE, &help, "this text", NULL},
        {"log-format", 0, 0, G_OPTION_ARG_STRING, &options->log_format,
         "how ocivirt's own messages look: text (default) or json", "FORMAT"},
        {"verbose", 'v', G_OPTION_FLAG_NO_ARG, G_OPTION_ARG_CALLBACK, count_verbosity, "tell more",
         NULL},
        {"quiet", 'q', 0, G_OPTION_ARG_NONE, &options->quiet, "tell errors only", NULL},
        G_OPTION_ENTRY_NULL,
    };
    const GOptionEntry config[] = {
        {"bundle", 'b', 0, G_OPTION_ARG_FILENAME, &options->bundle, "directory with a config.json",
         "DIR"},
        {"config", 'c', 0, G_OPTION_ARG_FILENAME, &options->config,
         "the config.json itself; - is standard input", "FILE"},
        G_OPTION_ENTRY_NULL,
    };
    const GOptionEntry root[] = {
        {"root", 0, 0, G_OPTION_ARG_FILENAME, &options->root,
         "where all state is kept (default " ROOT_DEFAULT ", or, where that cannot be written, a "
         "temporary one that is removed at the end)",
         "DIR"},
        G_OPTION_ENTRY_NULL,
    };
    const GOptionEntry id[] = {
        {"id", 0, 0, G_OPTION_ARG_STRING, &options->id,
         "name of the VM (default: this container's host name)", "ID"},
        G_OPTION_ENTRY_NULL,
    };
    const GOptionEntry run[] = {
        {"timings", 0, 0, G_OPTION_ARG_NONE, &options->timings,
         "tell how long each part of the start takes", NULL},
        G_OPTION_ENTRY_NULL,
    };
    const GOptionEntry validate[] = {
        {"strict", 0, 0, G_OPTION_ARG_NONE, &options->strict,
         "what is not honoured is an error, too", NULL},
        {"format", 0, 0, G_OPTION_ARG_STRING, &options->format,
         "how the report looks: text (default) or json", "FORMAT"},
        G_OPTION_ENTRY_NULL,
    };
    const GOptionEntry state[] = {
        {"format", 0, 0, G_OPTION_ARG_STRING, &options->format,
         "how the state looks: json, which is the only one", "FORMAT"},
        G_OPTION_ENTRY_NULL,
    };
    const GOptionEntry stop[] = {
        {"timeout", 't', 0, G_OPTION_ARG_STRING, &options->timeout,
         "how long the guest may take: 500ms, 8s, 2m (default: its setting stop-timeout)",
         "DURATION"},
        G_OPTION_ENTRY_NULL,
    };
    const GOptionEntry events[] = {
        {"format", 0, 0, G_OPTION_ARG_STRING, &options->format,
         "how an event looks: json (default), an object a line, or text", "FORMAT"},
        G_OPTION_ENTRY_NULL,
    };
    const GOptionEntry stats[] = {
        {"format", 0, 0, G_OPTION_ARG_STRING, &options->format,
         "how they look: text (default on a terminal) or json (default elsewhere)", "FORMAT"},
        G_OPTION_ENTRY_NULL,
    };
    /* Names of files are bytes to GLib; strings it would convert from the locale, and a guest has
     * another one. */
    const GOptionEntry exec[] = {
        {"env", 'e', 0, G_OPTION_ARG_FILENAME_ARRAY, &options->env,
         "a variable of the command's environment, of which there is else the agent's; again for "
         "more",
         "NAME=VALUE"},
        {"interactive", 'i', 0, G_OPTION_ARG_NONE, &options->interactive,
         "the command gets our standard input, once all of that is there", NULL},
        {"timeout", 't', 0, G_OPTION_ARG_STRING, &options->timeout,
         "how long to wait for its end: 500ms, 8s, 2m (default: for ever)", "DURATION"},
        {G_OPTION_REMAINING, 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &options->arguments, NULL,
         "COMMAND [ARGUMENT…]"},
        G_OPTION_ENTRY_NULL,
    };
    const GOptionEntry health[] = {
        {"live", 0, 0, G_OPTION_ARG_NONE, &options->live,
         "is it alive? Also while it is made, paused or stopped", NULL},
        {"ready", 0, 0, G_OPTION_ARG_NONE, &options->ready,
         "does it run, and is what its setting ready waits for there? (default)", NULL},
        {"startup", 0, 0, G_OPTION_ARG_NONE, &options->startup, "has it been ready, once?", NULL},
        G_OPTION_ENTRY_NULL,
    };
    const struct {
        unsigned group;
        const GOptionEntry *entries;
    } sets[] = {
        {OPTIONS_CONFIG, config}, {OPTIONS_ROOT, root},         {OPTIONS_ID, id},
        {OPTIONS_RUN, run},       {OPTIONS_VALIDATE, validate}, {OPTIONS_STATE, state},
        {OPTIONS_STOP, stop},     {OPTIONS_EVENTS, events},     {OPTIONS_STATS, stats},
        {OPTIONS_EXEC, exec},     {OPTIONS_HEALTH, health},
    };

    g_autoptr(GOptionContext) context = g_option_context_new(NULL);
    GOptionGroup *group = g_option_group_new("", "", "", options, NULL);
    for (gsize i = 0; i < G_N_ELEMENTS(sets); i++) {
        if (groups & sets[i].group) {
            g_option_group_add_entries(group, sets[i].entries);
        }
    }
    g_option_group_add_entries(group, common);
    g_option_context_set_main_group(context, group);
    g_option_context_set_help_enabled(context, FALSE);
    g_option_context_set_summary(context, summary);
    /* What follows the first word is the command's. */
    g_option_context_set_strict_posix(context, (groups & OPTIONS_EXEC) != 0);

    g_autofree char *program = g_strconcat("ocivirt ", command, NULL);
    g_set_prgname(program);
    g_autoptr(GError) error = NULL;
    g_auto(GStrv) arguments = g_new0(char *, argc + 1);
    for (int i = 0; i < argc; i++) {
        arguments[i] = g_strdup(argv[i]);
    }
    bool parsed = g_option_context_parse_strv(context, &arguments, &error);
    const char *source = options->log_format != NULL ? "--log-format" : "$OCIVIRT_LOG_FORMAT";
    default_from_environment(&options->log_format, "OCIVIRT_LOG_FORMAT");
    if (!set_up_log(options, source)) {
        *status = ERROR_USAGE;
        return false;
    }
    if (!parsed) {
        log_error("%s; see %s --help", error->message, program);
        *status = ERROR_USAGE;
        return false;
    }
    if (help) {
        g_autofree char *text = g_option_context_get_help(context, TRUE, NULL);
        fputs(text, stdout);
        *status = 0;
        return false;
    }
    if (arguments[0] != NULL && arguments[1] != NULL) {
        log_error("unexpected argument \"%s\": %s takes options only; see %s --help", arguments[1],
                  program, program);
        *status = ERROR_USAGE;
        return false;
    }
    if (options->config != NULL && options->bundle != NULL) {
        log_error("--config and --bundle both name the config.json; give one of them");
        *status = ERROR_USAGE;
        return false;
    }
    if (options->format != NULL && !g_str_equal(options->format, "json") &&
        !g_str_equal(options->format, "text")) {
        log_error("--format is \"%s\", and can be text or json", options->format);
        *status = ERROR_USAGE;
        return false;
    }
    default_from_environment(&options->root, "OCIVIRT_ROOT");
    default_from_environment(&options->id, "OCIVIRT_ID");
    *status = 0;
    return true;
}

void options_finish(struct options *options)
{
    g_free(options->bundle);
    g_free(options->config);
    g_free(options->root);
    g_free(options->id);
    g_free(options->log_format);
    g_free(options->format);
    g_free(options->timeout);
    g_strfreev(options->env);
    g_strfreev(options->arguments);
    *options = (struct options){0};
}

int report_error(GError *error)
{
    if (error == NULL) {
        return 0;
    }
    log_error("%s", error->message);
    return error_exit_status(error);
}
