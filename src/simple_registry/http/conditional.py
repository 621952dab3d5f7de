"""Conditional requests on content that never changes under its digest (RFC 9110, section 13)."""

from functools import lru_cache

from simple_registry.http.messages import Request
from simple_registry.oci.digests import Digest


def entity_tag(digest: Digest) -> str:
    """Return the strong `ETag` of content."""
    return f'"{digest}"'


def not_modified(request: Request, digest: Digest) -> bool:
    """Tell whether the client already has this content (`If-None-Match`)."""
    header = request.headers.get("if-none-match")
    if header is None:
        return False
    tags = [tag.strip().removeprefix("W/") for tag in header.split(",")]
    return entity_tag(digest) in tags or tags == ["*"]


def range_applies(request: Request, digest: Digest) -> bool:
    """Tell whether a `Range` may be served: there is no `If-Range`, or it names this content."""
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
