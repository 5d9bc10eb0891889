// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/*
 * A config.json from a string in one call, for tests of what is made of it.
 *
 * JSON is written with ' in place of " so that it can be read in C; whoever needs the character
 * itself writes \u0027.
 */

#include "oci/config.h"
#include "oci/document.h"
#include "oci/problems.h"
#include "oci/settings.h"

#include <string.h>

#define FIXTURE_BUNDLE "/bundle"

struct fixture {
    const char *json; /* as given, for messages */
    struct oci_problems problems;
    struct oci_document document;
    struct oci_config *config;    /* NULL: the text is no JSON object */
    struct oci_settings settings; /* after fixture_read_settings() */
    GPtrArray *warnings;          /* of char * */
};

static inline char *fixture_json(const char *quoted)
{
    return g_strdelimit(g_strdup(quoted), "'", '"');
}

static inline void fixture_init(struct fixture *f, const char *quoted)
{
    *f = (struct fixture){.json = quoted, .warnings = g_ptr_array_new_with_free_func(g_free)};
    char *text = fixture_json(quoted);
    oci_problems_init(&f->problems);
    if (oci_document_init(&f->document, text, strlen(text), &f->problems)) {
        f->config = oci_config_decode(&f->document, FIXTURE_BUNDLE, &f->problems);
    }
}

/* @environment: NULL-terminated NAME=VALUE; NULL: empty. */
static inline void fixture_read_settings(struct fixture *f, const char *const *environment)
{
    g_auto(GStrv) copy = environment != NULL ? g_strdupv((char **)environment) : g_new0(char *, 1);
    oci_settings_init(&f->settings, f->config, copy, &f->problems, f->warnings);
}

static inline void fixture_finish(struct fixture *f)
{
    oci_settings_finish(&f->settings);
    oci_config_free(f->config);
    oci_document_finish(&f->document);
    oci_problems_finish(&f->problems);
    g_ptr_array_unref(f->warnings);
}

static inline void fixture_tell_problems(const struct fixture *f)
{
    g_autofree char *text = oci_problems_format(&f->problems, "config.json");
    g_test_message("problems of %s\n%s", f->json, *text != '\0' ? text : "none");
}

/* Whether there is no problem; says which there are. */
static inline bool fixture_is_fine(const struct fixture *f)
{
    if (oci_problems_any(&f->problems)) {
        fixture_tell_problems(f);
        return false;
    }
    return true;
}

/* Whether there is one problem and no more, at @where, with @fragment in its message. */
static inline bool fixture_has_only(const struct fixture *f, const char *where,
                                    const char *fragment)
{
    if (f->problems.list->len == 1) {
        const struct oci_problem *problem = g_ptr_array_index(f->problems.list, 0);
        if (g_str_equal(problem->where, where) && strstr(problem->message, fragment) != NULL) {
            return true;
        }
    }
    g_test_message("expected one problem at \"%s\" with \"%s\" in it", where, fragment);
    fixture_tell_problems(f);
    return false;
}
