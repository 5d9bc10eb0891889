// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/*
 * What a request to the control API, or to what the setting http serves, asks for: path, method,
 * query and body become a struct request here. Pure. docs/openapi.yaml says the same to others, and
 * a test compares the two.
 */

#include "src/agent/agent_exec.h"

#include <glib.h>
#include <stdbool.h>

enum api_resource {
    API_ADDRESSES,
    API_CONSOLE,
    API_EVENTS,
    API_EXEC,
    API_FREEZE,
    API_HEALTH,
    API_KILL,
    API_PAUSE,
    API_REBOOT,
    API_RESET,
    API_RESUME,
    API_STATE,
    API_STATS,
    API_STOP,
    API_THAW,
    API_WAIT,
    API_XML,
    API_RESOURCES,
    /* and of API_HTTP */
    API_HEALTHZ = API_RESOURCES,
    API_METRICS,
    API_READYZ,
    API_RESOURCES_OF_BOTH,
};

/* Where a request comes in. */
enum api_door {
    API_CONTROL, /* the socket in the root directory */
    API_HTTP,    /* the setting http: read only, for everybody */
};

/* Bytes: of a body, and of API_EXEC's, in which there may be what a command is to read, in base64.
 */
#define REQUEST_BODY_MAX (64 * 1024)
#define REQUEST_EXEC_BODY_MAX (1024 * 1024)

struct request {
    enum api_resource resource;
    bool timeout_set;
    guint64 timeout_ms;             /* of API_STOP */
    struct agent_exec_request exec; /* of API_EXEC */
};

/* What a body has put into it. */
void request_clear(struct request *request);

/* How long a body may be. */
gsize request_body_max(enum api_resource resource);

/* The path and the one method of @resource. */
const char *request_path(enum api_resource resource);
const char *request_method(enum api_resource resource);

/* 200, 404 for a path that @door does not have, 405 for a wrong method: @request->resource says
 * which is right. */
unsigned request_route(struct request *request, enum api_door door, const char *method,
                       const char *path);

/*
 * A parameter of the query; @value is NULL where there is no "=". False: it is wrong, and @message,
 * which the caller owns, says why.
 */
bool request_parameter(struct request *request, const char *key, const char *value, char **message);

/* The body: of API_EXEC what agent_json.h says, of all others nothing, or a JSON object that has
 * the query's parameters as its members. */
bool request_body(struct request *request, const char *bytes, gsize length, char **message);
