// SPDX-License-Identifier: LGPL-2.1-or-later

/*
 * Any bytes as a request to the control API, behind what libmicrohttpd has made of them: a line
 * with the method and the path, a line with the query, KEY=VALUE&…, and the body.
 */

#include "src/api/request.h"
#include "src/engine/control.h"
#include "tests/fuzz/examine.h"
#include "tests/fuzz/fuzz.h"

#include <string.h>

const struct oci_field *const fuzz_fields = NULL;

/* Up to @end, or all; *@from is behind it afterwards. Without what is behind a NUL. */
static char *take(const char **from, const char *limit, char end)
{
    const char *stop = memchr(*from, end, limit - *from);
    stop = stop != NULL ? stop : limit;
    char *text = g_strndup(*from, stop - *from);
    *from = stop < limit ? stop + 1 : limit;
    return text;
}

static void examine(bool ok, char *message, const struct request *request)
{
    g_assert(ok == (message == NULL));
    if (message != NULL) {
        g_assert(g_utf8_validate(message, -1, NULL) && strlen(message) < 1000);
        examine_words(message);
        g_free(message);
    }
    g_assert(request->timeout_ms <= ENGINE_STOP_TIMEOUT_MAX_MS || !request->timeout_set);
    g_assert(!request->timeout_set || request->resource == API_STOP);
}

static bool read_query(struct request *request, char *query)
{
    g_auto(GStrv) pairs = g_strsplit(query, "&", -1);
    bool ok = true;
    for (char **pair = pairs; ok && *pair != NULL; pair++) {
        char *message = NULL;
        char *value = strchr(*pair, '=');
        if (value != NULL) {
            *value++ = '\0';
        }
        ok = request_parameter(request, *pair, value, &message);
        examine(ok, message, request);
    }
    return ok;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *at = (const char *)data, *limit = at + size;
    g_autofree char *method = take(&at, limit, ' ');
    g_autofree char *path = take(&at, limit, '\n');
    g_autofree char *query = take(&at, limit, '\n');
    struct request request;
    unsigned status = request_route(&request, API_CONTROL, method, path);
    g_assert(status == 200 || status == 404 || status == 405);
    if (status != 404) {
        g_assert_cmpstr(request_path(request.resource), ==, path);
        g_assert((status == 200) == g_str_equal(request_method(request.resource), method));
    }
    if (read_query(&request, query)) {
        char *message = NULL;
        bool ok = request_body(&request, at, limit - at, &message);
        examine(ok, message, &request);
        g_assert(ok || request.exec.command == NULL);
        request_clear(&request);
    }
    return 0;
}
