"""One worker process: the application behind an HTTP server, on a socket that the parent opened.

    parent ──fork──► serve(): build → start → accept ──► "ready" on the pipe
           ──TERM──► stop accepting → finish what is in flight → stop → exit 0
           ──dies──► end of file on the life line → the same, within bounds

The parent keeps the terminal: Ctrl-C reaches a worker only as the SIGTERM that the parent sends.
"""

import asyncio
import logging
import os
import signal
import socket
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Protocol

import uvloop
from granian._granian import SocketHolder
from granian.http import HTTP1Settings, HTTP2Settings
from granian.log import LogLevels
from granian.server.embed import Server

from simple_registry.config.settings import Limits, Settings
from simple_registry.config.tls import Certificate
from simple_registry.faults import StorageFault
from simple_registry.server.exporter import Exporter
from simple_registry.server.listeners import BACKLOG
from simple_registry.server.silence import watch_for_silence

KIB = 1024
MIB = 1024 * KIB
READY = b"ready\n"
GRACE = 30.0
"""Seconds that requests in flight are given when everything ends."""

# Connections (not requests) that one worker holds at once: idle keep-alive ones must not keep new ones out.
_CONNECTIONS = 8192

_log = logging.getLogger(__name__)


class Application(Protocol):
    """What a worker serves."""

    async def start(self) -> None:
        """Open what must be open before the first request."""

    async def stop(self) -> None:
        """Close it, after the last request."""

    async def __rsgi__(self, scope: Any, protocol: Any) -> None:
        """Answer one request."""

    def metrics(self) -> bytes:
        """Return the metrics of all workers."""


@dataclass(frozen=True, slots=True)
class Configured:
    """What the files, flags and variables said when they were last read."""

    settings: Settings
    certificate: Certificate | None


@dataclass(frozen=True, slots=True)
class Post:
    """Where one worker stands: its number, its socket, and its pipes to and from the parent."""

    number: int
    listener: socket.socket
    ready: int
    """Written once: `READY`, or the reason why this worker cannot start."""
    life_line: int
    """Ends when the parent does."""
    metrics: socket.socket | None = None
    """The socket of the metrics, which all workers share."""


def serve(configured: Configured, post: Post, build: Callable[[Settings, int], Application]) -> int:
    """Serve until told to stop; return the exit code of this process."""
    return uvloop.run(_serve(configured, post, build))


async def _serve(configured: Configured, post: Post, build: Callable[[Settings, int], Application]) -> int:
    try:
        application = build(configured.settings, post.number)
        await application.start()
    except StorageFault as fault:
        _report(post, str(fault))
        return 1
    stopped, exporter = False, Exporter(application.metrics)
    try:
        if post.metrics is not None:
            await exporter.start(post.metrics)
        stopped = await _accept(configured, post, application)
    finally:
        exporter.stop()
        await application.stop()
    return 0 if stopped else 1


async def _accept(configured: Configured, post: Post, application: Application) -> bool:
    """Serve requests; return whether it ended because somebody asked for it."""
    loop = asyncio.get_running_loop()
    asked = asyncio.Event()
    with _pem_paths(configured.certificate) as pem:
        server = _HttpServer(_Target(application, lambda: _report_ready(server, post)), post.listener, pem, configured)

        def stop() -> None:
            asked.set()
            server.stop()  # type: ignore[no-untyped-call]

        def orphaned() -> None:
            loop.remove_reader(post.life_line)
            loop.call_later(GRACE, os._exit, 1)  # nobody is left to end us
            stop()

        loop.add_signal_handler(signal.SIGTERM, stop)
        loop.add_reader(post.life_line, orphaned)
        watch_for_silence(post.listener, configured.settings.limits.header_timeout)
        await server.serve()
    return asked.is_set()


def _report_ready(server: "_HttpServer", post: Post) -> None:
    if server.accepts():
        _report(post, "")


def _report(post: Post, fault: str) -> None:
    with suppress(OSError):
        os.write(post.ready, READY if not fault else fault.encode(errors="replace"))
        os.close(post.ready)


class _Target:
    """The application as the HTTP server calls it; `accepting` is called once it has begun to accept."""

    def __init__(self, application: Application, accepting: Callable[[], None]) -> None:
        self.__rsgi__ = application.__rsgi__
        self._accepting = accepting

    def __rsgi_init__(self, loop: asyncio.AbstractEventLoop) -> None:
        # The server calls this and then, without giving way to the loop, opens the doors: what we put on the loop
        # here runs when they are open.
        loop.call_soon(self._accepting)


class _HttpServer(Server):
    """Granian's embedded server on an inherited socket, with a key that need not be a file.

    The overridden methods are those that open a socket and read certificates; a test starts a real server with them,
    so a release that renames them does not go unnoticed.
    """

    def __init__(
        self, target: _Target, listener: socket.socket, pem: tuple[Path, Path] | None, configured: Configured
    ) -> None:
        self._listener = listener
        self._pem = pem
        limits = configured.settings.limits
        super().__init__(
            target=target,
            websockets=False,
            backlog=BACKLOG,
            backpressure=_CONNECTIONS,
            http1_settings=_http1(limits),
            http2_settings=_http2(),
            log_level=LogLevels.error,
            # Its own log set-up would replace ours: change nothing but its level.
            log_dictconfig={"incremental": True, "formatters": {}, "handlers": {}, "loggers": {}},
        )

    def accepts(self) -> bool:
        """Return whether the server did start."""
        return all(worker.is_alive() for worker in self.wrks)  # type: ignore[no-untyped-call]

    def _init_shared_socket(self) -> None:
        # The server closes what it is given; the socket itself stays ours.
        descriptor = os.dup(self._listener.fileno())
        self._ssp = None
        is_unix = self._listener.family == socket.AF_UNIX
        self._shd = SocketHolder(descriptor, is_unix, BACKLOG)  # type: ignore[call-arg, assignment]
        self._sfd = descriptor  # type: ignore[assignment]

    def build_ssl_context(self, *_: object) -> None:
        """Name the certificate and the key; without them, speak plain HTTP."""
        if self._pem is None:
            self.ssl_ctx = (False, None, None, None, "tls1.2", None, [], False)
        else:
            certificate, key = self._pem
            self.ssl_ctx = (True, str(certificate), str(key), None, "tls1.2", None, [], False)  # type: ignore[assignment]


def _http1(limits: Limits) -> HTTP1Settings:
    # Covers the wait for the next request of a kept connection too.
    return HTTP1Settings(header_read_timeout=int(limits.header_timeout * 1000))


def _http2() -> HTTP2Settings:
    # The default windows (64 KiB to 1 MiB) make an upload wait for a round trip every few milliseconds.
    return HTTP2Settings(
        initial_connection_window_size=16 * MIB,
        initial_stream_window_size=4 * MIB,
        max_frame_size=256 * KIB,
        max_headers_size=64 * KIB,
        max_concurrent_streams=128,
        keep_alive_interval=30_000,
        keep_alive_timeout=20,
    )


@contextmanager
def _pem_paths(certificate: Certificate | None) -> Iterator[tuple[Path, Path] | None]:
    """Lend the certificate and key as paths that nobody else can read, and that are gone when the worker ends."""
    if certificate is None:
        yield None
        return
    if hasattr(os, "memfd_create"):
        with _in_memory(certificate.chain) as chain, _in_memory(certificate.key) as key:
            yield Path(f"/proc/self/fd/{chain.fileno()}"), Path(f"/proc/self/fd/{key.fileno()}")
        return
    with tempfile.TemporaryDirectory() as directory:  # readable by us only
        chain_path, key_path = Path(directory, "chain.pem"), Path(directory, "key.pem")
        chain_path.write_bytes(certificate.chain)
        key_path.write_bytes(certificate.key)
        yield chain_path, key_path


def _in_memory(content: bytes) -> IO[bytes]:
    file = os.fdopen(os.memfd_create("simple-registry"), "wb", buffering=0)
    file.write(content)
    return file
