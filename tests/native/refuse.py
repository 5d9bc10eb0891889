#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""usage: refuse.py SOCKET [STATUS [BODY]]

A server at SOCKET that answers whatever it is asked with STATUS and an error, or BODY, or, without one, hangs up at once.
Prints a line for each who has asked.
"""

import socketserver
import sys

PATH, STATUS = sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else None
BODY = sys.argv[3].encode() if len(sys.argv) > 3 else b'{"error": "not for you"}'


class Refusal(socketserver.StreamRequestHandler):
    def handle(self):
        print("asked", flush=True)
        if STATUS is None:
            return
        while self.rfile.readline().strip():
            pass
        self.wfile.write(f"HTTP/1.1 {STATUS} No\r\nContent-Length: {len(BODY)}\r\n\r\n".encode() + BODY)


socketserver.UnixStreamServer(PATH, Refusal).serve_forever()
