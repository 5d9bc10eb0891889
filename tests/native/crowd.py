#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""usage: crowd.py CONTROL-SOCKET ENGINE-PID MIB

24 clients of the control API at once, half of them rude. The polite ones must get an answer to all
they ask, and the engine must never need more than MIB more than before for all of it. Says what went wrong, and
exits with 1; or else what it has seen. The guest floods its console meanwhile.
"""

import http.client
import json
import socket
import struct
import sys
import threading
import time

PATH, ENGINE, MEMORY_MAX = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]) << 20
POLITE = 12
REQUESTS = 100  # each of them
HEAD = b" HTTP/1.1\r\nHost: x\r\n"

trouble = []
answered = 0
done = threading.Event()


def connect():
    """Within 8 s, as all that follows: others are timed out later."""
    s = socket.socket(socket.AF_UNIX)
    # Python's own timeout would make it non-blocking, and a full queue an error.
    s.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("ll", 8, 0))
    s.connect(PATH)
    s.settimeout(8)
    return s


class Connection(http.client.HTTPConnection):
    def connect(self):
        self.sock = connect()


def memory():
    with open(f"/proc/{ENGINE}/status") as status:
        return next(int(line.split()[1]) << 10 for line in status if line.startswith("VmRSS"))


def polite():
    global answered
    try:
        for i in range(REQUESTS):
            connection = Connection("x")
            connection.request("GET", "/v1/state")
            answer = connection.getresponse()
            body = json.loads(answer.read())
            if answer.status != 200 or body["status"] != "running":
                trouble.append(f"a state request is answered with {answer.status} {body}")
            connection.close()
            answered += 1
    except Exception as error:
        trouble.append(f"a state request fails: {error!r}")


def hold(s):
    done.wait()
    s.close()


def half_a_request():
    s = connect()
    s.sendall(b"GET /v1/sta")
    hold(s)


def half_a_body():
    s = connect()
    s.sendall(b"POST /v1/stop" + HEAD + b"Content-Length: 1000\r\n\r\n{")
    hold(s)


def says_nothing():
    hold(connect())


def drips():
    s = connect()
    try:
        while not done.wait(0.05):
            s.sendall(b"G")
    except OSError:
        pass


def garbage():
    while not done.is_set():
        s = connect()
        try:
            s.sendall(bytes(range(256)) * 64)
            s.recv(4096)
        except OSError:
            pass
        s.close()


def a_gigabyte(head):
    """Ends when the connection has been cut."""
    sent = 0
    s = connect()
    try:
        s.sendall(head)
        while sent < 1 << 30 and not done.is_set():
            chunk = b"10000\r\n" + b"x" * 0x10000 + b"\r\n" if b"chunked" in head else b"x" * 0x10000
            s.sendall(chunk)
            sent += len(chunk)
        trouble.append(f"{sent} bytes of a body have been taken")
    except OSError:
        pass
    s.close()


def body_with_length():
    a_gigabyte(b"POST /v1/stop" + HEAD + b"Content-Length: 1073741824\r\n\r\n")


def body_in_chunks():
    a_gigabyte(b"POST /v1/stop" + HEAD + b"Transfer-Encoding: chunked\r\n\r\n")


def endless_header():
    a_gigabyte(b"GET /v1/state HTTP/1.1\r\nX: ")


def never_reads(request, times=1):
    s = connect()
    s.settimeout(0.2)
    try:
        for _ in range(times):
            s.sendall(request)
    except OSError:
        pass
    hold(s)


def events_unread():
    never_reads(b"GET /v1/events" + HEAD + b"\r\n")


def console_unread():
    never_reads(b"GET /v1/console" + HEAD + b"Connection: Upgrade\r\nUpgrade: ocivirt-console\r\n\r\n")


def answers_unread():
    never_reads(b"GET /v1/xml" + HEAD + b"\r\n", 10000)


RUDE = [
    half_a_request, half_a_body, says_nothing, drips, garbage, garbage, body_with_length,
    body_in_chunks, endless_header, events_unread, console_unread, answers_unread,
]


def all_at_once():
    """Everybody at the same time."""
    rude = [threading.Thread(target=client, daemon=True) for client in RUDE]
    crowd = [threading.Thread(target=polite) for _ in range(POLITE)]
    for thread in rude + crowd:
        thread.start()
    for thread in crowd:
        thread.join()


def more_than_there_is_room_for():
    """Connections that say nothing, and such as wait and leave."""
    idle = [connect() for _ in range(150)]
    polite()
    for s in idle:
        s.close()
    for _ in range(150):
        s = connect()
        s.sendall(b"GET /v1/wait" + HEAD + b"\r\n")
        s.close()
    polite()


def is_cut(s):
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            s.sendall(b"x")
        except OSError:
            return True
        time.sleep(0.1)
    return False


def console_is_cut():
    """Who does not read the console of a guest that floods it does not keep the connection."""
    s = connect()
    s.sendall(b"GET /v1/console" + HEAD + b"Connection: Upgrade\r\nUpgrade: ocivirt-console\r\n\r\n")
    # A peer that was cut off shows by a write that fails: reading would be what is not to happen.
    if not is_cut(s):
        trouble.append("a client that never reads the console is not cut off")


def endless_request_is_cut():
    """Who sends a byte now and then has no more time for it than who sends none."""
    if not is_cut(connect()):
        trouble.append("a request without an end is not cut off")


def watch_memory():
    global most
    while not done.wait(0.1):
        most = max(most, memory())


before = most = memory()
threading.Thread(target=watch_memory, daemon=True).start()
all_at_once()
more_than_there_is_room_for()
console_is_cut()
endless_request_is_cut()
grown = most - before
done.set()
if grown > MEMORY_MAX:
    trouble.append(f"the engine has grown by {grown} bytes")
print(f"{answered} requests answered; the engine has grown by {grown >> 10} KiB")
for line in sorted(set(trouble)):
    print("trouble:", line)
sys.exit(1 if trouble else 0)
