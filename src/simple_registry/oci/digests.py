"""Digests: `algorithm:encoded`, as the image specification's descriptor page defines them.

Only registered algorithms are accepted, each with the one encoding that it allows (lower-case hexadecimal
of a fixed length), so that content has exactly one digest per algorithm and one path on disk.
"""

import hashlib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from simple_registry.oci.errors import DigestInvalid

if TYPE_CHECKING:
    from hashlib import _Hash as Hasher

ALGORITHMS: dict[str, int] = {"sha256": 64, "sha512": 128}
"""Supported algorithms and the length of their encoded part."""

CANONICAL = "sha256"
"""The default algorithm."""

_GRAMMAR = re.compile(r"([a-z0-9]+):([0-9a-f]+)", re.ASCII)


@dataclass(frozen=True, slots=True, order=True)
class Digest:
    """The digest of some content. Build it with `parse_digest` or `digest_of`."""

    algorithm: str
    encoded: str

    def __str__(self) -> str:
        return f"{self.algorithm}:{self.encoded}"


def parse_digest(text: str) -> Digest:
    """Return the digest that `text` spells.

    Raises: DigestInvalid when it is malformed or its algorithm is not supported.
    """
    match = _GRAMMAR.fullmatch(text)
    if match is None or ALGORITHMS.get(match[1]) != len(match[2]):
        raise DigestInvalid(digest=text[:160], supported=sorted(ALGORITHMS))
    return Digest(match[1], match[2])


def parse_algorithm(text: str) -> str:
    """Return the supported digest algorithm that `text` names.

    Raises: DigestInvalid.
    """
    if text not in ALGORITHMS:
        raise DigestInvalid(algorithm=text[:64], supported=sorted(ALGORITHMS))
    return text


def new_hasher(algorithm: str) -> "Hasher":
    """Return a fresh hash state for a supported algorithm."""
    return hashlib.new(algorithm, usedforsecurity=True)


def digest_of(data: bytes, algorithm: str = CANONICAL) -> Digest:
    """Return the digest of `data`."""
    return Digest(algorithm, hashlib.new(algorithm, data).hexdigest())
