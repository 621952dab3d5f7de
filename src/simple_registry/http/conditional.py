"""Conditional requests on content that never changes under its digest (RFC 9110, section 13)."""

from simple_registry.http.messages import Headers, Request
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


def content_headers(digest: Digest, *, immutable: bool) -> Headers:
    """Return the headers that identify content; `immutable` for URLs that name the digest."""
    return [
        ("docker-content-digest", str(digest)),
        ("etag", entity_tag(digest)),
        ("cache-control", "private, max-age=31536000, immutable" if immutable else "no-cache"),
        ("x-content-type-options", "nosniff"),
    ]
