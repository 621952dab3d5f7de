"""Content as large as a measurement wants, different for each seed, generated piece by piece and never held whole."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

PIECE = bytes(range(256)) * 4096
"""One MiB."""


@dataclass(frozen=True, slots=True)
class Content:
    """`pieces` MiB that no other seed gives."""

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
