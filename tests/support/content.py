"""Content of a store that can only stream, as an object of another server would be."""

from collections.abc import AsyncGenerator, Callable, Hashable
from dataclasses import dataclass, field

from simple_registry.content import Span


@dataclass(eq=False)
class Streamed:
    """Streams `data` in pieces, up to `stop` if that is given; raises `fault` there, or just ends.

    `closed` counts the streams that were started and ended, however that came.
    """

    data: bytes
    url: str | None = None
    piece: int = 64 * 1024
    stop: int | None = None
    fault: Exception | None = None
    extra: bytes = b""
    stamp: str = ""
    started: list[Span] = field(default_factory=list)
    closed: int = 0

    @property
    def size(self) -> int:
        return len(self.data)

    @property
    def version(self) -> Hashable:
        return id(self)

    async def read(self) -> bytes:
        return b"".join([piece async for piece in self.stream(Span(0, self.size))])

    async def feed(self, take: Callable[[bytes], None]) -> None:
        async for piece in self.stream(Span(0, self.size)):
            take(piece)

    async def stream(self, span: Span) -> AsyncGenerator[bytes, None]:
        self.started.append(span)
        stop = span.stop if self.stop is None else min(span.stop, self.stop)
        try:
            for start in range(span.start, stop, self.piece):
                yield self.data[start : min(start + self.piece, stop)]
            if stop < span.stop and self.fault is not None:
                raise self.fault
            if self.extra:
                yield self.extra
        finally:
            self.closed += 1
