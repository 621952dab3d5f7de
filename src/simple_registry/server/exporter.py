"""The metrics on an address of their own: plain HTTP, no login, only `/metrics`.

All workers accept from one socket that the parent opened, so one live worker is enough, also when the registry's own
sockets are flooded.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from simple_registry.metrics.exposition import CONTENT_TYPE
from simple_registry.server.listeners import Listener
from simple_registry.wire.answers import SAFE_HEADERS, Headers
from simple_registry.wire.exchange import Client, ClientGone, Exchange
from simple_registry.wire.heads import RequestHead, RequestRefused
from simple_registry.wire.limits import WireLimits
from simple_registry.wire.server import WireServer

LIMITS = WireLimits(
    header_timeout=5.0, idle_timeout=65.0, progress_period=5.0, drain_timeout=5.0, drain_size=64 * 1024, connections=32
)


@dataclass(frozen=True, slots=True)
class Text:
    """An answer in plain text."""

    status: int
    content: bytes
    kind: str = "text/plain; charset=utf-8"

    @property
    def headers(self) -> Headers:
        """The header lines."""
        return [("content-type", self.kind), ("cache-control", "no-store"), *SAFE_HEADERS]

    @property
    def size(self) -> int:
        """Bytes of content."""
        return len(self.content)


class Exporter:
    """Answers Prometheus."""

    def __init__(self, text: Callable[[], Awaitable[bytes]]) -> None:
        self._text = text

    async def __call__(self, exchange: Exchange) -> None:
        """Answer one request."""
        try:
            await exchange.send(await self._answer(exchange.head))
        except ClientGone:
            return

    async def _answer(self, head: RequestHead) -> Text:
        if head.path != "/metrics":
            return Text(404, b"not found; the metrics are at /metrics\n")
        if head.method not in {"GET", "HEAD"}:
            return Text(405, b"only GET and HEAD are supported\n")
        return Text(200, await self._text(), CONTENT_TYPE)

    def refuse(self, _peer: str, refused: RequestRefused) -> Text:
        """Return the answer to input that is not a request."""
        return Text(refused.status, f"{refused.reason}\n".encode())


def start_exporter(text: Callable[[], Awaitable[bytes]], listeners: Sequence[Listener]) -> WireServer:
    """Serve the metrics on listening sockets, which the caller closes."""
    server = WireServer(Exporter(text), limits=LIMITS, find_client=lambda peer, _head: Client(peer, peer))
    for listener in listeners:
        server.listen(listener.socket)
    return server
