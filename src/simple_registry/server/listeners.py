"""The listening sockets, opened by the parent before it forks, so that no connection is lost with a worker.

    TCP         one SO_REUSEPORT socket per worker on one port; the kernel spreads connections; each outlives its worker
    unix        one socket that all workers accept from
    inherited   sockets that systemd opened (LISTEN_FDS); all workers accept from each

The parent keeps every socket, so connections in the queue of a dead worker's socket are answered by its replacement.
"""

import errno
import os
import socket
import stat
from collections.abc import Iterator, MutableMapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from simple_registry.config.values import Address, TcpAddress, UnixAddress
from simple_registry.wire.queue import Counts, shared_counts

BACKLOG = 1024
_MAX_UNIX_PATH = 107
_FIRST_INHERITED = 3
"""SD_LISTEN_FDS_START."""

# A peer that vanished (power cut, lost network) is noticed after two minutes, not after the system's two hours.
_KEEP_ALIVE = {"TCP_KEEPIDLE": 60, "TCP_KEEPINTVL": 15, "TCP_KEEPCNT": 4}

_REASONS = {
    errno.EADDRINUSE: "address already in use; stop the other program or choose another address with -addr",
    errno.EADDRNOTAVAIL: "this machine has no such address; choose another with -addr",
    errno.EACCES: "not permitted (ports below 1024 need privileges); choose another address with -addr",
    errno.ENOENT: "the directory of the socket does not exist; create it or choose another path with -addr",
}


class ListenFault(Exception):
    """Cannot listen on an address; the message says why and what to do."""

    def __init__(self, where: str, cause: OSError | str) -> None:
        reason = cause if isinstance(cause, str) else _REASONS.get(cause.errno or 0, cause.strerror or str(cause))
        super().__init__(f"cannot listen on {where}: {reason}")
        self._where = where
        self._in_use = isinstance(cause, OSError) and cause.errno == errno.EADDRINUSE

    def or_own(self, ours: str | None) -> "ListenFault":
        """Return the fault, or a clearer one if the address is in use by our own listener on `ours`."""
        if ours is None or not self._in_use:
            return self
        return ListenFault(self._where, f"the registry itself listens on {ours}; choose another address with -addr")

    def about(self, option: str) -> "ListenFault":
        """Return the same fault for an address from another option."""
        fault = ListenFault("", "")
        fault.args = (str(self).replace("-addr", option),)
        return fault


@dataclass(frozen=True, slots=True)
class Listener:
    """A listening socket, and its queue when several workers accept from it."""

    socket: socket.socket
    queue: "Counts | None" = None
    is_own: bool = False
    """Whether only one worker accepts from it, and the others from further sockets of its address."""

    def resume(self) -> None:
        """Accept connections again, if it is paused."""
        if self.is_own and not self.socket.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
            self.socket.listen(BACKLOG)


@dataclass(frozen=True, slots=True)
class Listeners:
    """Open listening sockets."""

    workers: tuple[tuple[Listener, ...], ...]
    """For each worker, the sockets that it accepts from."""
    authorities: tuple[str, ...]
    """The addresses as clients write them: `127.0.0.1:5000`, `[::1]:5000` or `unix:/run/registry.sock`."""
    paths: tuple[Path, ...] = ()
    """The files of unix sockets that we remove."""
    metrics: "Listeners | None" = None
    """The sockets of the metrics, which all workers share."""

    def urls(self, *, tls: bool) -> tuple[str, ...]:
        """Return the addresses as users write them."""
        scheme = "https" if tls else "http"
        return tuple(each if each.startswith("unix:") else f"{scheme}://{each}" for each in self.authorities)

    def pause(self, worker: int) -> bool:
        """Take the worker's own sockets out of the kernel's choice; return whether there are any.

        Connections that wait there are reset, and the port stays ours. `resume` puts them back.
        """
        own = [listener.socket for listener in self.workers[worker] if listener.is_own]
        for each in own:
            with suppress(OSError):
                each.shutdown(socket.SHUT_RD)
        return bool(own)

    def resume(self, worker: int) -> None:
        """Accept again on paused sockets, as the worker does at its start."""
        for listener in self.workers[worker]:
            with suppress(OSError):
                listener.resume()

    def close(self) -> None:
        """Stop listening, and remove the files of unix sockets; the second time does nothing."""
        sockets = {listener.socket for worker in self.workers for listener in worker}
        is_open = any(each.fileno() >= 0 for each in sockets)
        for each in sockets:
            each.close()
        for path in self.paths if is_open else ():  # after the first time, a file of this name may be another server's
            with suppress(OSError):
                path.unlink()
        if self.metrics is not None:
            self.metrics.close()


@dataclass(frozen=True, slots=True)
class _Opened:
    """The sockets of one address, one for each worker or one that they share."""

    sockets: tuple[socket.socket, ...]
    authority: str
    path: Path | None = None


def open_listeners(addresses: Sequence[Address], count: int, *, existing: Listeners | None = None) -> Listeners:
    """Open sockets for `count` workers; `existing` ones are named in the fault of an address that they use.

    Raises: ListenFault when an address is in use, belongs to another machine, or does not exist.
    """
    opened: list[_Opened] = []
    for addr in addresses:
        try:
            opened.append(_open_unix(addr) if isinstance(addr, UnixAddress) else _open_tcp(addr, count))
        except ListenFault as fault:
            _together(opened, count).close()
            ours = [*(existing.authorities if existing else ()), *(each.authority for each in opened)]
            raise fault.or_own(_rival(addr, ours)) from fault.__cause__
    return _together(opened, count)


def _rival(addr: Address, authorities: Sequence[str]) -> str | None:
    """Return the authority with the same path or port as an address."""
    if isinstance(addr, UnixAddress):
        return next((each for each in authorities if each == f"unix:{addr.path}"), None)
    tcp = (each for each in authorities if not each.startswith("unix:"))
    return next((each for each in tcp if each.endswith(f":{addr.port}")), None)


def inherited_listeners(environment: MutableMapping[str, str], count: int) -> Listeners | None:
    """Return the sockets that systemd opened for this process (sd_listen_fds(3)), if there are any.

    Raises: ListenFault when one of them is not a listening stream socket.
    """
    pid, number = environment.pop("LISTEN_PID", ""), environment.pop("LISTEN_FDS", "")
    environment.pop("LISTEN_FDNAMES", None)
    if pid != str(os.getpid()) or not (number.isascii() and number.isdecimal()) or not int(number):
        return None
    return _together([_inherited(fd) for fd in range(_FIRST_INHERITED, _FIRST_INHERITED + int(number))], count)


def _inherited(fd: int) -> _Opened:
    where = f"the socket that was passed as descriptor {fd}"
    try:
        listener = socket.socket(fileno=fd)
        is_right = listener.type == socket.SOCK_STREAM and listener.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
    except OSError as error:
        raise ListenFault(where, error) from error
    if not is_right:
        raise ListenFault(where, "it is not a listening stream socket; the socket unit needs ListenStream=")
    listener.set_inheritable(False)
    listener.setblocking(False)
    name = listener.getsockname()
    if listener.family == socket.AF_UNIX:
        return _Opened((listener,), f"unix:{name if isinstance(name, str) else os.fsdecode(name)}")
    _set_tcp_options(listener)
    return _Opened((listener,), _authority(name[0], name[1]))


def _together(opened: Sequence[_Opened], count: int) -> Listeners:
    queues = [shared_counts(count) if count > len(each.sockets) else None for each in opened]
    workers = tuple(
        tuple(
            Listener(each.sockets[worker % len(each.sockets)], queue, is_own=1 < count == len(each.sockets))
            for each, queue in zip(opened, queues, strict=True)
        )
        for worker in range(count)
    )
    paths = tuple(each.path for each in opened if each.path is not None)
    return Listeners(workers, tuple(each.authority for each in opened), paths)


def _open_tcp(addr: TcpAddress, count: int) -> _Opened:
    where = _authority(addr.host, addr.port)
    family, host = _resolve(addr, where)
    sockets: list[socket.socket] = []
    with _faults(where, sockets), _tcp_socket(family) as probe:
        # Without SO_REUSEPORT, a port in use is refused; with it, a second server of the same user would share it.
        probe.bind((host, addr.port))
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        # A socket whose port the kernel chose would lose the port when it is paused; one that asked for it keeps it.
        port = probe.getsockname()[1]
        for _ in range(count):
            listener = _tcp_socket(family)
            sockets.append(listener)
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            listener.bind((host, port))
            listener.listen(BACKLOG)
            listener.setblocking(False)
    return _Opened(tuple(sockets), _authority(addr.host or host, port))


def _tcp_socket(family: socket.AddressFamily) -> socket.socket:
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if family == socket.AF_INET6:
        listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    _set_tcp_options(listener)
    return listener


def _set_tcp_options(listener: socket.socket) -> None:
    """Set the options that accepted connections inherit: small answers leave at once, dead peers are noticed."""
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in _KEEP_ALIVE.items():
        if hasattr(socket, name):
            listener.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)


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


def _open_unix(addr: UnixAddress) -> _Opened:
    path, where = addr.path, f"unix:{addr.path}"
    if len(os.fsencode(path)) > _MAX_UNIX_PATH:
        raise ListenFault(where, f"the path of a unix socket has at most {_MAX_UNIX_PATH} bytes")
    _remove_stale(path, where)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    with _faults(where, [listener]):
        with _mask(0o777 & ~addr.mode):  # not chmod: the path could have become a link meanwhile
            listener.bind(str(path))
        listener.listen(BACKLOG)
        listener.setblocking(False)
    return _Opened((listener,), where, path)


@contextmanager
def _mask(mask: int) -> Iterator[None]:
    """Keep these permissions from new files of the whole process, which has only one thread at this time."""
    before = os.umask(mask)
    try:
        yield
    finally:
        os.umask(before)


def _remove_stale(path: Path, where: str) -> None:
    """Remove the socket file that a dead server left; refuse a live one, and any other file."""
    try:
        mode = path.stat(follow_symlinks=False).st_mode
    except FileNotFoundError:
        return
    except OSError as error:
        raise ListenFault(where, error) from error
    if not stat.S_ISSOCK(mode):
        raise ListenFault(where, "a file that is not a socket has this name; choose another path with -addr")
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
