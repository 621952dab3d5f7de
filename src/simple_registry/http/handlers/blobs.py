"""Pulling and deleting blobs."""

import secrets
from collections.abc import Sequence
from functools import partial

from simple_registry.access.permission import Resource, scope_of
from simple_registry.content import Content, Span
from simple_registry.http.call import Call
from simple_registry.http.conditional import content_headers, not_modified, range_applies, require_match
from simple_registry.http.events import Event, EventName
from simple_registry.http.messages import Part, Parts, Response, Unsent
from simple_registry.http.ranges import content_range, parse_range
from simple_registry.http.targets import DigestTarget
from simple_registry.oci.media_types import OCTET_STREAM

_ACCEPT_RANGES = ("accept-ranges", "bytes")
_CONTENT_TYPE = ("content-type", OCTET_STREAM)


async def get_blob(call: Call[DigestTarget]) -> Response:
    """end-2: pull a blob, whole or in part; a HEAD reads no content.

    Where the store gives a URL for it, a GET of the whole is redirected there. A HEAD never is: its answer is here.
    """
    repository, digest, blobs = call.target.repository, call.target.digest, call.registry.blobs
    if call.request.method == "HEAD":
        may_push = partial(call.can, "POST", Resource.BLOBS, scope_of(repository))
        record, content = await blobs.check(repository, digest, may_push=may_push), None
    else:
        record, content = await blobs.open(repository, digest)
    require_match(call.request, digest)
    headers = content_headers(digest, _ACCEPT_RANGES, immutable=True)
    if not_modified(call.request, digest):
        return Response(304, headers)
    whole = content_headers(digest, _ACCEPT_RANGES, _CONTENT_TYPE, immutable=True)
    if content is None:
        return Response(200, whole, Unsent(record.size))
    spans = None
    if range_applies(call.request, digest):
        spans = parse_range(call.request.headers.get("range"), content.size)
    if spans is None and (url := content.url) is not None:
        # Whoever has this URL can fetch the blob with it for a while: no cache may keep it.
        return Response(307, [("location", url), ("cache-control", "no-store")])
    mark_damaged = partial(call.registry.contents.mark_damaged, record)
    if spans is None:
        return Response(200, whole, Part(content, Span(0, content.size)), mark_damaged=mark_damaged)
    if len(spans) == 1:
        extent = ("content-range", content_range(spans[0], content.size))
        return Response(206, [*whole, extent], Part(content, spans[0]), mark_damaged=mark_damaged)
    kind, parts = _multipart(content, spans)
    return Response(206, [*headers, kind], parts, mark_damaged=mark_damaged)


async def delete_blob(call: Call[DigestTarget]) -> Response:
    """end-10: delete a blob from one repository, perhaps on a condition."""
    repository, digest = call.target.repository, call.target.digest
    precondition = call.precondition(Resource.BLOBS, scope_of(repository))
    await call.registry.blobs.delete(repository, digest, actor=call.actor, precondition=precondition)
    return Response(202, events=(Event(EventName.BLOB_DELETE, repository, digest=digest),))


def _multipart(content: Content, spans: Sequence[Span]) -> tuple[tuple[str, str], Parts]:
    """Return the type and the bytes of several spans as `multipart/byteranges` (RFC 9110, section 14.6)."""
    boundary = secrets.token_hex(16)
    pieces: list[bytes | Part] = []
    size = 0
    for span in spans:
        head = (
            f"\r\n--{boundary}\r\nContent-Type: {OCTET_STREAM}\r\n"
            f"Content-Range: {content_range(span, content.size)}\r\n\r\n"
        ).encode()
        pieces += [head, Part(content, span)]
        size += len(head) + span.size
    tail = f"\r\n--{boundary}--\r\n".encode()
    pieces.append(tail)
    kind = ("content-type", f"multipart/byteranges; boundary={boundary}")
    return kind, Parts(pieces, size + len(tail))
