#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""usage: deaf.py HOST:PORT CLIENTS

More clients than there may be, each of whom asks for metrics again and again, reads none, and comes back when it is cut
off. Says "there" once all have asked, and goes on until it is killed.
"""

import select
import socket
import sys

HOST, PORT = sys.argv[1].rsplit(":", 1)
CLIENTS = int(sys.argv[2])
REQUESTS = b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n" * 1000


def connect():
    s = socket.socket()
    s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    s.setblocking(False)
    s.connect_ex((HOST, int(PORT)))
    return s


def ask(s):
    """False: it is not there any more."""
    try:
        s.send(REQUESTS)
    except BlockingIOError:
        pass
    except OSError:
        return False
    return True


clients = [connect() for _ in range(CLIENTS)]
passes = 0
while True:
    for i, s in enumerate(clients):
        if not ask(s):
            s.close()
            clients[i] = connect()
    passes += 1
    if passes == 10:
        print("there", flush=True)
    select.select([], [], [], 0.1)
