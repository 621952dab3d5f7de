"""Connections on which nobody ever spoke are closed after the header timeout.

The HTTP server's own timeout begins with the first bytes of a request (it first waits to see which version of HTTP is
spoken), so a client that connects and says nothing would keep its connection for ever. The kernel knows how much has
arrived on each connection and when; this asks it, for the connections of our own port. What is closed here has sent
less than the shortest request, so no request is ever cut.
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
_ESTABLISHED = 1
# struct tcp_info of linux/tcp.h: the state is its first byte, milliseconds since data arrived stand at 52, the count of
# bytes received at 128. Fields are only ever added at its end.
_STATE, _LAST_RECEIVED, _RECEIVED, _LENGTH = 0, 52, 128, 136


def watch_for_silence(listener: socket.socket, timeout: float) -> None:
    """Close silent connections to `listener` from now on; must be called on the running loop."""
    if listener.family == socket.AF_UNIX or not hasattr(socket, "TCP_INFO"):
        return
    loop = asyncio.get_running_loop()

    def look() -> None:
        close_silent(listener.getsockname()[1], timeout)
        loop.call_later(timeout / 2, look)

    loop.call_later(timeout / 2, look)


def close_silent(port: int, timeout: float) -> int:
    """Close the connections to our `port` that were silent for `timeout` seconds; return how many there were."""
    descriptors = [int(entry.name) for entry in Path("/proc/self/fd").iterdir()]
    return sum(_close_if_silent(descriptor, port, timeout) for descriptor in descriptors)


def _close_if_silent(descriptor: int, port: int, timeout: float) -> bool:
    """Close one connection, if it is that.

    Descriptors are only looked at, never closed here: closing even a duplicate of a database file would drop the locks
    that SQLite holds on it. Only what proved to be a silent connection is duplicated, so that what is shut down is
    what was looked at even when another thread has closed the number and used it anew.
    """
    if not _looks_silent(descriptor, port, timeout):
        return False
    with suppress(OSError):
        duplicate = os.dup(descriptor)
        if not stat.S_ISSOCK(os.fstat(duplicate).st_mode):
            return False  # used anew for a file, within microseconds: better one lost descriptor than one lost lock
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM, 0, duplicate) as connection:
            if _is_silent(connection, timeout):
                connection.shutdown(socket.SHUT_RDWR)
                return True
    return False


def _looks_silent(descriptor: int, port: int, timeout: float) -> bool:
    with suppress(OSError):  # no TCP socket, or gone by now
        looked_at = socket.socket(socket.AF_INET, socket.SOCK_STREAM, 0, descriptor)
        try:
            return _is_silent(looked_at, timeout) and bool(looked_at.getsockname()[1] == port)
        finally:
            looked_at.detach()
    return False


def _is_silent(connection: socket.socket, timeout: float) -> bool:
    facts = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _LENGTH)
    if len(facts) < _LENGTH or facts[_STATE] != _ESTABLISHED:
        return False
    (milliseconds,) = struct.unpack_from("=I", facts, _LAST_RECEIVED)
    (received,) = struct.unpack_from("=Q", facts, _RECEIVED)
    return bool(received < _SHORTEST and milliseconds >= timeout * 1000)
