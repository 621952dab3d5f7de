"""One request and its answer, as an application sees them."""

from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any, Protocol

import msgspec

from simple_registry.content import ContentInterrupted
from simple_registry.wire.answers import Answer
from simple_registry.wire.heads import RequestHead, RequestRefused


class Client(msgspec.Struct, frozen=True):
    """The client behind a connection: its address, and the account that its share of the budget is counted under.

    `account` is `None` for what has no share of its own: a trusted proxy, or the peer of a unix socket.
    """

    address: str
    account: str | None


class BodyTooSlow(Exception):
    """A body that came below the least rate; `seconds` is the period over which that is averaged."""

    def __init__(self, seconds: float) -> None:
        """Keep the period."""
        super().__init__(f"too few bytes in {seconds:g} seconds")
        self.seconds = seconds


class BodyMalformed(ContentInterrupted):
    """A body in chunks that breaks the rules; `reason` says which."""

    def __init__(self, received: int, reason: str) -> None:
        """Keep how much came before, and the reason."""
        super().__init__(received, None)
        self.reason = reason


class CannotSend(Exception):
    """The content of an answer cannot be sent; nothing of the answer has left, so another one may follow."""


class ClientGone(Exception):
    """The client reset its connection, or did not read; the answer cannot be sent, or not to its end.

    `begun` says whether part of it was sent.
    """

    def __init__(self, reason: str, *, begun: bool) -> None:
        """Keep the reason, for the log."""
        super().__init__(reason)
        self.begun = begun


class Body(Protocol):
    """The body of a request, read at most once."""

    def __aiter__(self) -> AsyncIterator[bytes]:
        """Yield chunks as they arrive; the iteration ends only after the last byte of a complete body.

        Raises: ContentInterrupted for a body that broke off or is malformed, BodyTooSlow.
        """
        ...

    @property
    def announced(self) -> int | None:
        """`Content-Length` in bytes, or `None` for a body in chunks."""
        ...

    @property
    def received(self) -> int:
        """Bytes that have arrived."""
        ...

    def hold(self, size: int) -> bool:
        """Count bytes that the handler keeps in memory until it ends; return whether there is room for them."""
        ...


class Exchange(Protocol):
    """One request and its answer."""

    @property
    def head(self) -> RequestHead:
        """What the head of the request says."""
        ...

    @property
    def body(self) -> Body:
        """The body of the request."""
        ...

    @property
    def peer(self) -> str:
        """The address at the other end of the connection, without a port; `unix` for a unix socket."""
        ...

    @property
    def client(self) -> Client:
        """The client, which is behind the peer where that is a trusted proxy."""
        ...

    @property
    def secure(self) -> bool:
        """Whether the connection is encrypted."""
        ...

    memo: object
    """Whatever the application wants to keep from one request of a connection to the next; `None` at first."""

    async def send(self, answer: Answer, *further: tuple[str, str]) -> None:
        """Send the one answer, with `further` header lines; return when its last byte has left.

        Raises: ClientGone; while another answer may still be sent: CannotSend, ContentGone, StorageFault.
        """
        ...


class Application(Protocol):
    """What requests are handed to."""

    def __call__(self, exchange: Exchange) -> Coroutine[Any, Any, None]:
        """Answer one request."""
        ...

    def refuse(self, peer: str, refused: RequestRefused) -> Answer:
        """Return the answer to what never became a request."""
        ...


FindClient = Callable[[str, "RequestHead | None"], Client]
"""Returns the client behind a peer, from the head of a request where there is one."""
