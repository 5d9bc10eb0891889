// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/*
 * What the control API says of the guest agent, as JSON. Pure.
 *
 *     request   {"command": ["ls", "-l"], "env": ["A=b"], "stdin": BASE64, "timeout-ms": 5000}
 *     result    {"pid": 12, "end": "exited", "status": 0,
 *                "stdout": BASE64, "stdout-truncated": false,
 *                "stderr": BASE64, "stderr-truncated": false}
 *               end: exited, with status; killed, with signal; timed-out, with neither and without
 *               output, and with pid 0 where the agent has not even told that
 *     addresses {"interfaces": [{"name": "eth0", "hardware-address": "52:54:…",
 *                                "addresses": [{"address": "192.0.2.7", "prefix": 24}]}]}
 *
 * The caller owns the strings.
 */

#include "src/agent/agent_exec.h"

/* Decodes a request, which is not trusted. All but "command" may be missing; a member that there is
 * none of is an error. False and ERROR_USAGE: there is nothing in @request to clear. */
bool agent_json_decode_exec(const char *text, gsize length, struct agent_exec_request *request,
                            GError **error);

/* {"error": @message, "reason": "refused"}, or "not-executable", or "not-found". */
char *agent_json_encode_refusal(const char *message);

/* {"filesystems": @count} */
char *agent_json_encode_count(guint count);

char *agent_json_encode_result(const struct agent_exec_result *result);

/* @interfaces: of struct agent_interface. */
char *agent_json_encode_addresses(const GPtrArray *interfaces);
