"""Connections on which nobody speaks are closed, also where the HTTP server would wait for ever.

Its own timeout begins with the first bytes of a request (it first waits to see which version of HTTP is spoken), so a
client that connects and says nothing, or stops in the middle of a TLS handshake, would keep its connection. The kernel
knows how much has arrived on each connection, and when; this asks it, for the connections of our own port:

    fewer bytes than the shortest request, none for the header timeout      nobody ever spoke
    no more than a handshake and a request, no byte either way for long     nobody speaks any more

Neither can cut an upload (it has sent more) or a download (it is being sent).
"""

import asyncio
import os
import socket
import stat
import struct
from contextlib import suppress
from pathlib import Path

# HTTP/2 begins with 24 fixed bytes; nothing shorter can have asked for anything (but `GET / HTTP/1.0`, long answered).
_SHORTEST = 24
# What a TLS handshake (up to 2 KiB from the client) and the head of a request come to.
_HANDSHAKE = 4096
# Far longer than any answer takes to begin; HTTP/2 connections in use exchange pings all the while.
LONG = 300.0
_ESTABLISHED = 1
# struct tcp_info of linux/tcp.h: the state is its first byte, the milliseconds since data was sent and received stand
# at 44 and 52, the count of bytes received at 128. Fields are only ever added at its end.
_STATE, _LAST_SENT, _LAST_RECEIVED, _RECEIVED, _LENGTH = 0, 44, 52, 128, 136


def watch_for_silence(listener: socket.socket, timeout: float) -> None:
    """Close silent connections to `listener` from now on; must be called on the running loop."""
    if listener.family == socket.AF_UNIX or not hasattr(socket, "TCP_INFO"):
        return
    loop = asyncio.get_running_loop()

    def look() -> None:
        close_silent(listener.getsockname()[1], timeout)
        loop.call_later(timeout / 2, look)

    loop.call_later(timeout / 2, look)


def close_silent(port: int, timeout: float, long: float = LONG) -> int:
    """Close the connections to our `port` on which nobody spoke for `timeout`, or speaks for `long`; count them."""
    descriptors = [int(entry.name) for entry in Path("/proc/self/fd").iterdir()]
    return sum(_close_if_silent(descriptor, port, timeout, long) for descriptor in descriptors)


def _close_if_silent(descriptor: int, port: int, timeout: float, long: float) -> bool:
    """Close one connection, if it is that.

    Descriptors are only looked at, never closed here: closing even a duplicate of a database file would drop the locks
    that SQLite holds on it. Only what proved to be a silent connection is duplicated, so that what is shut down is
    what was looked at even when another thread has closed the number and used it anew.
    """
    if not _looks_silent(descriptor, port, timeout, long):
        return False
    with suppress(OSError):
        duplicate = os.dup(descriptor)
        if not stat.S_ISSOCK(os.fstat(duplicate).st_mode):
            return False  # used anew for a file, within microseconds: better one lost descriptor than one lost lock
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM, 0, duplicate) as connection:
            if _is_silent(connection, timeout, long):
                connection.shutdown(socket.SHUT_RDWR)
                return True
    return False


def _looks_silent(descriptor: int, port: int, timeout: float, long: float) -> bool:
    with suppress(OSError):  # no TCP socket, or gone by now
        looked_at = socket.socket(socket.AF_INET, socket.SOCK_STREAM, 0, descriptor)
        try:
            return _is_silent(looked_at, timeout, long) and bool(looked_at.getsockname()[1] == port)
        finally:
            looked_at.detach()
    return False


def _is_silent(connection: socket.socket, timeout: float, long: float) -> bool:
    facts = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _LENGTH)
    if len(facts) < _LENGTH or facts[_STATE] != _ESTABLISHED:
        return False
    sent_before, heard_before = (struct.unpack_from("=I", facts, at)[0] / 1000 for at in (_LAST_SENT, _LAST_RECEIVED))
    (received,) = struct.unpack_from("=Q", facts, _RECEIVED)
    never_spoke = received < _SHORTEST and heard_before >= timeout
    speaks_no_more = received < _HANDSHAKE and min(sent_before, heard_before) >= long
    return bool(never_spoke or speaks_no_more)
