"""The listening sockets, opened by the parent before it forks, so that no connection is lost with a worker.

    TCP    one SO_REUSEPORT socket per worker on one port; the kernel spreads connections; each outlives its worker
    unix   one socket that all workers accept from

What waits in the queue of a dead worker's socket is answered by its replacement, because the parent keeps every socket.
"""

import errno
import os
import socket
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from simple_registry.config.settings import TcpAddress, UnixAddress

BACKLOG = 1024
_LONGEST_UNIX_PATH = 107

# A peer that vanished (pulled plug, lost network) is noticed after two minutes, not after the system's two hours.
_KEEP_ALIVE = {"TCP_KEEPIDLE": 60, "TCP_KEEPINTVL": 15, "TCP_KEEPCNT": 4}

_ADVICE = {
    errno.EADDRINUSE: "address already in use; stop the other program or choose another address with -addr",
    errno.EADDRNOTAVAIL: "this machine has no such address; choose another with -addr",
    errno.EACCES: "not permitted (ports below 1024 need privileges); choose another address with -addr",
    errno.ENOENT: "the directory of the socket does not exist; create it or choose another path with -addr",
}


class ListenFault(Exception):
    """The address cannot be listened on; the sentence says why and what to do."""

    def __init__(self, where: str, cause: OSError | str) -> None:
        """Name the address and what stopped it."""
        reason = cause if isinstance(cause, str) else _ADVICE.get(cause.errno or 0, cause.strerror or str(cause))
        super().__init__(f"cannot listen on {where}: {reason}")

    def about(self, option: str) -> "ListenFault":
        """Return the same fault of an address that was given with another option."""
        fault = ListenFault("", "")
        fault.args = (str(self).replace("-addr", option),)
        return fault


@dataclass(frozen=True, slots=True)
class Listeners:
    """Open listening sockets, one for each worker (the same one for all on a unix socket)."""

    sockets: tuple[socket.socket, ...]
    authority: str
    """What a client writes: `127.0.0.1:5000`, `[::1]:5000` or `unix:/run/registry.sock`."""
    path: Path | None = None
    """The file of a unix socket."""
    metrics: "Listeners | None" = None
    """What all workers together tell metrics on."""

    def url(self, *, tls: bool) -> str:
        """Return the address as people write it."""
        return self.authority if self.path else f"{'https' if tls else 'http'}://{self.authority}"

    def close(self) -> None:
        """Stop listening, and remove the file of a unix socket; the second time does nothing."""
        is_open = any(listener.fileno() >= 0 for listener in self.sockets)
        for listener in self.sockets:
            listener.close()
        if self.path and is_open:  # once closed, the file of this name may be another server's
            with suppress(OSError):
                self.path.unlink()
        if self.metrics is not None:
            self.metrics.close()


def open_listeners(addr: TcpAddress | UnixAddress, count: int) -> Listeners:
    """Open what `count` workers listen on.

    Raises:
        ListenFault: the address is in use, not ours, or not there.

    """
    return _open_unix(addr.path, count) if isinstance(addr, UnixAddress) else _open_tcp(addr, count)


def _open_tcp(addr: TcpAddress, count: int) -> Listeners:
    where = _authority(addr.host, addr.port)
    family, host = _resolve(addr, where)
    port = addr.port
    sockets: list[socket.socket] = []
    with _faults(where, sockets):
        if port:
            _require_free(family, host, port)
        for _ in range(count):
            listener = _tcp_socket(family)
            sockets.append(listener)
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            listener.bind((host, port))
            port = listener.getsockname()[1]  # the others share the port that the first one was given
            listener.listen(BACKLOG)
            listener.setblocking(False)
    return Listeners(tuple(sockets), _authority(addr.host or host, port))


def _tcp_socket(family: socket.AddressFamily) -> socket.socket:
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if family == socket.AF_INET6:
        listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    # Inherited by accepted connections: small answers leave at once, dead peers are noticed.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in _KEEP_ALIVE.items():
        if hasattr(socket, name):
            listener.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
    return listener


def _require_free(family: socket.AddressFamily, host: str, port: int) -> None:
    """Bind once without SO_REUSEPORT: with it, a second server of the same user would silently share the port."""
    with _tcp_socket(family) as probe:
        probe.bind((host, port))


def _resolve(addr: TcpAddress, where: str) -> tuple[socket.AddressFamily, str]:
    if not addr.host:
        return (socket.AF_INET6, "::") if _has_ipv6() else (socket.AF_INET, "0.0.0.0")  # noqa: S104 (`:5000` asks for it)
    try:
        found = socket.getaddrinfo(addr.host, addr.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ListenFault(where, f"the host name does not resolve ({reason}); write an address with -addr") from error
    # A name may have several addresses; there is one socket per worker, and IPv4 is what most clients try.
    family, _, _, _, address = min(found, key=lambda entry: entry[0] != socket.AF_INET)
    return family, str(address[0])


def _has_ipv6() -> bool:
    try:
        with _tcp_socket(socket.AF_INET6) as probe:
            probe.bind(("::", 0))
    except OSError:
        return False
    return True


def _authority(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _open_unix(path: Path, count: int) -> Listeners:
    where = f"unix:{path}"
    if len(os.fsencode(path)) > _LONGEST_UNIX_PATH:
        raise ListenFault(where, f"the path of a unix socket has at most {_LONGEST_UNIX_PATH} bytes")
    _remove_stale(path, where)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    with _faults(where, [listener]):
        listener.bind(str(path))
        listener.listen(BACKLOG)
        listener.setblocking(False)
    return Listeners((listener,) * count, where, path)


def _remove_stale(path: Path, where: str) -> None:
    """Remove the socket file that a dead server left; refuse a live one, and anything that is no socket."""
    try:
        mode = path.stat(follow_symlinks=False).st_mode
    except FileNotFoundError:
        return
    except OSError as error:
        raise ListenFault(where, error) from error
    if not stat.S_ISSOCK(mode):
        raise ListenFault(where, "a file that is no socket has this name; choose another path with -addr")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            path.unlink(missing_ok=True)
        except OSError as error:
            raise ListenFault(where, error) from error
        else:
            raise ListenFault(where, OSError(errno.EADDRINUSE, "in use"))


@contextmanager
def _faults(where: str, sockets: list[socket.socket]) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        for listener in sockets:
            listener.close()
        raise ListenFault(where, error) from error
