"""One request and its answer, as an application sees them."""

from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any, Protocol

import msgspec

from simple_registry.content import ContentInterrupted
from simple_registry.wire.answers import Answer
from simple_registry.wire.heads import RequestHead, RequestRefused


class Client(msgspec.Struct, frozen=True):
    """The client of a connection: its address, and the account under which its use of the budget is counted.

    `account` is `None` for a client without a share of its own: a trusted proxy, or the peer of a unix socket.
    """

    address: str
    account: str | None


class BodyTooSlow(Exception):
    """A body below the minimum rate; `seconds` is the period over which the rate is averaged."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"too few bytes in {seconds:g} seconds")
        self.seconds = seconds


class BodyMalformed(ContentInterrupted):
    """A malformed body in chunks; `reason` is the cause."""

    def __init__(self, received: int, reason: str) -> None:
        super().__init__(received, None)
        self.reason = reason


class CannotSend(Exception):
    """The content of an answer cannot be sent. No byte has been sent, so another answer is possible."""


class ClientGone(Exception):
    """The client reset the connection or did not read, so the answer cannot be sent in full.

    `started` is true if part of it was sent.
    """

    def __init__(self, reason: str, *, started: bool) -> None:
        super().__init__(reason)
        self.started = started


class Body(Protocol):
    """The body of a request, read at most once."""

    def __aiter__(self) -> AsyncIterator[bytes]:
        """Yield chunks as they arrive. The iteration ends only after the last byte of a complete body.

        Raises: ContentInterrupted for an incomplete or malformed body, BodyTooSlow.
        """

    @property
    def announced(self) -> int | None:
        """`Content-Length` in bytes, or `None` for a body in chunks."""

    @property
    def received(self) -> int:
        """Bytes of content received."""

    def reserve(self, size: int) -> bool:
        """Reserve memory for bytes that the handler keeps until it returns; return whether there is room."""


class Exchange(Protocol):
    """One request and its answer."""

    head: RequestHead
    peer: str
    """The address of the other end of the connection, without a port; `unix` for a unix socket."""
    client: Client
    """The client: the peer, or the client behind it if the peer is a trusted proxy."""
    secure: bool
    """Whether the connection is encrypted."""
    cached: object
    """A value that the application caches between the requests of a connection; `None` at first."""

    @property
    def body(self) -> Body:
        """The body of the request."""

    async def send(self, answer: Answer, *further: tuple[str, str]) -> None:
        """Send the answer, with `further` header lines; return when its last byte has been sent.

        Raises: ClientGone; and while another answer is still possible: CannotSend, ContentGone, StorageFault.
        """


class Application(Protocol):
    """The handler of requests."""

    def __call__(self, exchange: Exchange) -> Coroutine[Any, Any, None]:
        """Answer one request."""

    def refuse(self, peer: str, refused: RequestRefused) -> Answer:
        """Return the answer to input that is not a request."""


FindClient = Callable[[str, "RequestHead | None"], Client]
"""Returns the client behind a peer, from the head of a request if there is one."""
