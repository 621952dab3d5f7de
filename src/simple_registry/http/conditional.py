"""Conditional requests (RFC 9110, section 13); entity tags are digests in quotes."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import lru_cache

from simple_registry.http.messages import Request
from simple_registry.oci.digests import Digest, parse_digest
from simple_registry.oci.errors import DigestInvalid, PreconditionFailed, Unsupported
from simple_registry.oci.preconditions import UNCONDITIONAL, Precondition

_BLANK = " \t"
_ENTITY_TAG = re.compile(r'(W/)?"([^"\x00-\x20\x7f]*)"', re.ASCII)
_PLACE = "\0"
"""Stands for a tag that was read; no header holds this character."""


class PreconditionInvalid(Unsupported):
    """code-13: an `If-Match` or `If-None-Match` that cannot be read."""

    message = "invalid precondition"
    status = 400


def entity_tag(digest: Digest) -> str:
    """Return the strong `ETag` of content."""
    return f'"{digest}"'


def not_modified(request: Request, digest: Digest) -> bool:
    """Return whether the client already has this content (`If-None-Match`); a header that cannot be read is ignored."""
    header = request.headers.get("if-none-match")
    if header is None:
        return False
    try:
        return not _none_match(header).holds(digest)
    except PreconditionInvalid:
        return False


def parse_precondition(headers: Mapping[str, str]) -> Precondition:
    """Return what `If-Match` and `If-None-Match` ask of a request.

    Raises: PreconditionInvalid: a condition that is ignored would not protect what its client wants to keep.
    """
    match, none_match = headers.get("if-match"), headers.get("if-none-match")
    if match is None and none_match is None:
        return UNCONDITIONAL
    wanted = UNCONDITIONAL if match is None else _match(match)
    return (
        wanted if none_match is None else replace(_none_match(none_match), exists=wanted.exists, one_of=wanted.one_of)
    )


def require_match(request: Request, digest: Digest) -> None:
    """Require that the content is that of `If-Match`.

    Raises: PreconditionFailed, PreconditionInvalid.
    """
    header = request.headers.get("if-match")
    if header is not None and not _match(header).holds(digest):
        raise PreconditionFailed(current=str(digest))


def _match(header: str) -> Precondition:
    """Return what an `If-Match` asks for; it compares strongly, so weak tags match nothing."""
    if header.strip(_BLANK) == "*":
        return Precondition(exists=True)
    return Precondition(one_of=frozenset(_digests(text for weak, text in _entity_tags(header) if not weak)))


def _none_match(header: str) -> Precondition:
    """Return what an `If-None-Match` asks for; it compares weakly."""
    if header.strip(_BLANK) == "*":
        return Precondition(absent=True)
    return Precondition(none_of=frozenset(_digests(text for _weak, text in _entity_tags(header))))


def _entity_tags(header: str) -> Sequence[tuple[str, str]]:
    """Return the entity tags of a list, each with whether it is weak (RFC 9110, section 8.8.3)."""
    tags = _ENTITY_TAG.findall(header)
    between = _ENTITY_TAG.sub(_PLACE, header).split(",")
    if not tags or any(text.strip(_BLANK) not in {"", _PLACE} for text in between):
        raise PreconditionInvalid(reason='an entity tag is a digest in quotes: "sha256:…"', value=header[:160])
    return tags


def _digests(texts: Iterable[str]) -> Iterator[Digest]:
    """Yield the digests among the opaque texts of entity tags; our content has no others."""
    for text in texts:
        with suppress(DigestInvalid):
            yield parse_digest(text)


def range_applies(request: Request, digest: Digest) -> bool:
    """Return whether a `Range` may be served: without `If-Range`, or when it names this content."""
    return request.headers.get("if-range", entity_tag(digest)) == entity_tag(digest)


@lru_cache(maxsize=4096)
def content_headers(digest: Digest, *further: tuple[str, str], immutable: bool) -> tuple[tuple[str, str], ...]:
    """Return the headers that identify content, and further ones; `immutable` for URLs that name the digest."""
    return (
        ("docker-content-digest", str(digest)),
        ("etag", entity_tag(digest)),
        ("cache-control", "private, max-age=31536000, immutable" if immutable else "no-cache"),
        *further,
    )
