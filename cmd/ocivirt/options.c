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

static bool set_up_log(const struct options *options)
{
    const char *format = options->log_format != NULL ? options->log_format : "text";
    bool json = g_str_equal(format, "json");
    enum log_level level = options->quiet           ? LOG_ERROR
                           : options->verbosity > 0 ? LOG_DEBUG
                                                    : LOG_INFO;
    log_setup(level, json ? LOG_FORMAT_JSON : LOG_FORMAT_TEXT);
    if (!json && !g_str_equal(format, "text")) {
        log_error("--log-format is \"%s\", and can be text or json", format);
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
    const struct {
        unsigned group;
        const GOptionEntry *entries;
    } sets[] = {
        {OPTIONS_CONFIG, config},
        {OPTIONS_ROOT, root},
        {OPTIONS_ID, id},
        {OPTIONS_RUN, run},
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

    g_autofree char *program = g_strconcat("ocivirt ", command, NULL);
    g_set_prgname(program);
    g_autoptr(GError) error = NULL;
    g_auto(GStrv) arguments = g_new0(char *, argc + 1);
    for (int i = 0; i < argc; i++) {
        arguments[i] = g_strdup(argv[i]);
    }
    if (!g_option_context_parse_strv(context, &arguments, &error)) {
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
    default_from_environment(&options->root, "OCIVIRT_ROOT");
    default_from_environment(&options->id, "OCIVIRT_ID");
    default_from_environment(&options->log_format, "OCIVIRT_LOG_FORMAT");
    bool ok = set_up_log(options);
    *status = ok ? 0 : ERROR_USAGE;
    return ok;
}

void options_finish(struct options *options)
{
    g_free(options->bundle);
    g_free(options->config);
    g_free(options->root);
    g_free(options->id);
    g_free(options->log_format);
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
