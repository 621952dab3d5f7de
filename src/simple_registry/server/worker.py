"""A worker process: serves the application on sockets that the parent opened.

    parent ──fork──► serve(): build → start → accept ──► "ready" on the pipe, then a beat every few seconds
           ──TERM──► stop accepting → finish requests in flight → stop → exit 0
           ──dies──► end-of-file on the alive pipe → the same, in at most 30 s

The parent handles the signals of the terminal: Ctrl-C reaches a worker as SIGTERM from the parent.
"""

import asyncio
import faulthandler
import logging
import os
import resource
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import uvloop

from simple_registry.config.load import Configured
from simple_registry.config.settings import Limits
from simple_registry.faults import StorageFault
from simple_registry.server.exporter import start_exporter
from simple_registry.server.listeners import Listener
from simple_registry.wire.exchange import Application as WireApplication, Client
from simple_registry.wire.heads import RequestHead
from simple_registry.wire.limits import WireLimits
from simple_registry.wire.queue import SharedQueue
from simple_registry.wire.server import WireServer

if TYPE_CHECKING:
    from simple_registry.server.live_certificate import LiveCertificate

READY = b"ready\n"
BEAT = b"."
BEAT_INTERVAL = 5.0
"""Seconds between two beats, which show the parent that the event loop runs."""
GRACE = 30.0
"""Seconds for requests in flight when the server stops."""
DUMP_STACKS = signal.SIGUSR1
"""The signal on which a worker writes the stack of each thread to the log, even if its event loop hangs."""

MAX_CONNECTIONS = 8192
"""Connections that one worker holds at once, where the limit of open files allows it."""
OTHER_DESCRIPTORS = 512
"""Descriptors left for the database, uploads and libraries."""

_log = logging.getLogger(__name__)


class Application(Protocol):
    """The application, as a worker sees it."""

    @property
    def http(self) -> WireApplication:
        """The handler of requests."""

    async def start(self) -> None:
        """Start, before the first request."""

    async def stop(self) -> None:
        """Stop, after the last request."""

    def find_client(self, peer: str, head: RequestHead | None) -> Client:
        """Return the client behind a peer, from the head of a request where there is one."""

    def trusts(self, peer: str) -> bool:
        """Return whether a peer is a trusted proxy."""

    async def metrics(self) -> bytes:
        """Return the metrics of all workers."""

    def follow_certificate(self, ends: Callable[[], float], warning: Callable[[], str | None]) -> None:
        """Export the end of the certificate, which `ends` returns as Unix time, and the `warning` about it, if any."""


@dataclass(frozen=True, slots=True)
class Post:
    """The number, the sockets and the pipes of one worker."""

    number: int
    listeners: tuple[Listener, ...]
    report: int
    """The pipe for `READY`, or the reason why this worker cannot start; after that, for beats."""
    parent_alive: int
    """A pipe that reaches end-of-file when the parent ends."""
    metrics: tuple[Listener, ...] = ()
    """The sockets of the metrics, which all workers share."""


Build = Callable[[Configured, int], Application]
"""Builds the application of the worker with this number."""


def serve(configured: Configured, post: Post, build: Build) -> int:
    """Serve until SIGTERM or the end of the parent; return the exit code."""
    faulthandler.register(DUMP_STACKS, file=sys.stderr, all_threads=True)
    return uvloop.run(_serve(configured, post, build))


async def _serve(configured: Configured, post: Post, build: Build) -> int:
    try:
        application = build(configured, post.number)
        await application.start()
    except StorageFault as fault:
        _report(post, str(fault).encode(errors="replace"))
        return 1
    try:
        exporter = start_exporter(application.metrics, post.metrics)
        await _accept(configured, post, application)
        exporter.stop()
    finally:
        await application.stop()
    return 0


async def _accept(configured: Configured, post: Post, application: Application) -> None:
    """Serve requests until the parent asks to stop, or is gone."""
    loop = asyncio.get_running_loop()
    stopping = asyncio.Event()
    certificate = _live_certificate(configured, post)
    if certificate is not None:
        application.follow_certificate(certificate.ends, certificate.expiry_warning)
    server = WireServer(
        application.http,
        limits=wire_limits(configured.settings.limits, resource.getrlimit(resource.RLIMIT_NOFILE)[0]),
        find_client=application.find_client,
        tls=certificate.context if certificate else lambda: None,
        trusts=application.trusts,
    )
    for listener in post.listeners:
        listener.resume()
        server.listen(listener.socket, SharedQueue(listener.queue, post.number) if listener.queue else None)

    def orphaned() -> None:
        loop.remove_reader(post.parent_alive)
        loop.call_later(GRACE, os._exit, 1)  # no parent is left to kill us
        stopping.set()

    loop.add_signal_handler(signal.SIGTERM, stopping.set)
    loop.add_reader(post.parent_alive, orphaned)
    background = [asyncio.ensure_future(_beat(post))]
    if certificate is not None:
        background.append(asyncio.ensure_future(certificate.run()))
    try:
        await stopping.wait()
        server.stop()
        await server.closed()
    finally:
        for task in background:
            task.cancel()


async def _beat(post: Post) -> None:
    """Report that this worker is ready, then beats, until the parent is gone."""
    os.set_blocking(post.report, False)  # a parent that does not read must not stop the event loop
    report = READY
    while _report(post, report):
        await asyncio.sleep(BEAT_INTERVAL)
        report = BEAT


def _report(post: Post, report: bytes) -> bool:
    """Write to the parent; return whether it exists."""
    try:
        os.write(post.report, report)
    except BlockingIOError:
        return True  # the pipe is full of earlier beats
    except OSError:
        return False
    return True


def _live_certificate(configured: Configured, post: Post) -> "LiveCertificate | None":
    if configured.certificate is None or configured.settings.tls is None:
        return None
    from simple_registry.server.live_certificate import LiveCertificate  # noqa: PLC0415 (only where there is TLS)

    return LiveCertificate(configured.settings.tls, configured.certificate, warn=post.number == 0)


def wire_limits(limits: Limits, open_files: int) -> WireLimits:
    """Return the limits of connections, from the settings and the limit of open files."""
    descriptors = max(open_files - OTHER_DESCRIPTORS, open_files // 2)
    connections = min(MAX_CONNECTIONS, descriptors)
    return WireLimits(
        header_timeout=limits.header_timeout,
        idle_timeout=limits.idle_timeout,
        handshake_timeout=limits.handshake_timeout,
        progress_period=limits.body_timeout,
        min_rate=limits.min_rate,
        drain_size=limits.drain_size,
        drain_timeout=limits.drain_timeout,
        connections=connections,
        connections_by_address=connections // 2,
        descriptors=descriptors,
    )
