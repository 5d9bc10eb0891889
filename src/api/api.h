// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/*
 * The control API: HTTP/1.1 and JSON on a UNIX socket, described by docs/openapi.yaml.
 *
 * It lives on the engine's main loop and reads requests there; what may block, libvirt, is asked
 * elsewhere (src/engine/control.h). Only its own user, and root, are answered. A second door, on
 * TCP where the setting http asks for it, has probes and metrics for everybody, and nothing else.
 */

#include "src/api/request.h"
#include "src/engine/control.h"

#define API_SOCKET "control.sock" /* in the root directory */

/*
 * A socket that listens at @path, mode 0600, where it replaces what an ocivirt that was killed has
 * left. For the process that outlives engines: clients that connect while there is none wait for
 * the next one. Not while there are threads: it changes the umask for a moment. -1 and @error
 * (ERROR_UNAVAILABLE) when it cannot be made.
 */
int api_listen(const char *path, GError **error);

/*
 * The same on TCP, for the setting http: @address is as of endpoint_parse(). ERROR_UNAVAILABLE: it
 * is in use, or not allowed, or not this machine's.
 */
int api_listen_http(const char *address, GError **error);

struct api;

/* Serves on @listener what @door has, from the main loop's next turn on; @engine and @listener stay
 * the caller's. Costs nothing before the first client comes. */
struct api *api_create(struct engine *engine, enum api_door door, int listener);

/*
 * The VM has ended with @exit_status: all who wait for that are told, as long as they take their
 * bytes at once. The process is to end then, and with it the API.
 */
void api_finish(struct api *api, int exit_status);
