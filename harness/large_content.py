"""Large content, different for each seed, generated in pieces and never in memory as a whole."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

PIECE = bytes(range(256)) * 4096
"""One MiB."""


@dataclass(frozen=True, slots=True)
class Content:
    """`pieces` MiB of content, unique to the seed."""

    seed: int
    pieces: int

    @property
    def size(self) -> int:
        return self.pieces * len(PIECE)

    def __iter__(self) -> Iterator[bytes]:
        yield self.seed.to_bytes(8, "big") + PIECE[8:]
        for _ in range(self.pieces - 1):
            yield PIECE

    def digest(self) -> str:
        hasher = hashlib.sha256()
        for piece in self:
            hasher.update(piece)
        return f"sha256:{hasher.hexdigest()}"
