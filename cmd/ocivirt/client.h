// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/*
 * A client of the control API (docs/openapi.yaml): one connection, one request, one answer. Calls
 * block. Errors: ERROR_UNAVAILABLE where there is no VM, or its state does not allow what was asked
 * for; ERROR_INTERNAL where it could not be done.
 */

#include <glib.h>
#include <jansson.h>
#include <stdbool.h>

struct client;

/* To the VM of the root directory @root. @timeout_s: how long a read may take; 0: for ever. */
struct client *client_open(const char *root, unsigned timeout_s, GError **error);
void client_close(struct client *client); /* takes NULL */

/* @protocol: to switch to; NULL: none. */
bool client_send(struct client *client, const char *method, const char *target,
                 const char *protocol, GError **error);

/* A POST with the JSON @body. */
bool client_post(struct client *client, const char *target, const char *body, GError **error);

/* The head of the answer, whatever it says: its status; 0 and @error: there is none. */
unsigned client_receive_status(struct client *client, GError **error);

/* The head of the answer. An answer that is an error is read whole and becomes @error. */
bool client_receive(struct client *client, GError **error);

/* After an error: whether it is the answer that has been received, and not that there was none. */
bool client_is_refused(const struct client *client);

/* All of the body, which is JSON. The caller owns it. */
json_t *client_read_json(struct client *client, GError **error);

/* The next line of the body, without its end; NULL, without an @error: there is no more. The caller
 * owns it. */
char *client_read_line(struct client *client, GError **error);

/* After a switch of protocols: the socket, which stays the client's, and what has come already. */
int client_descriptor(struct client *client, GBytes **early);

/* The server gives up on QEMU after 10 s, and says so. */
#define CLIENT_PATIENCE_SECONDS 15

/* To standard output: as @format says, "text" or "json"; NULL: as text on a terminal. */
void client_print(const json_t *answer, const char *format, void (*print_text)(const json_t *));

/* Opens, sends, receives and closes. */
json_t *client_ask(const char *root, const char *method, const char *target, unsigned timeout_s,
                   GError **error);
