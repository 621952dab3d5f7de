"""Bodies that a handler needs whole."""

from typing import TypeVar

import msgspec

from simple_registry.http.messages import Request
from simple_registry.oci.errors import ManifestTooLarge, RegistryError, Unavailable
from simple_registry.wire.exchange import Body

MAX_DOCUMENT = 64 * 1024
"""Bytes of a JSON document that a client sends."""

Document = TypeVar("Document")


class ContentTypeUnsupported(RegistryError):
    """code-13: a request that is not JSON. Pages of other sites cannot send JSON without a preflight request."""

    code = "UNSUPPORTED"
    message = "send a JSON document as application/json"
    status = 415


class DocumentInvalid(RegistryError):
    """code-13: a JSON document that does not say what to do."""

    code = "UNSUPPORTED"
    message = "the document does not say what to do"
    status = 400


async def read_json(
    request: Request, body: Body, kind: type[Document], invalid: type[RegistryError] = DocumentInvalid
) -> Document:
    """Return a body that is a JSON document of a kind.

    Raises: ContentTypeUnsupported, `invalid`, and as `read_bounded`.
    """
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise ContentTypeUnsupported
    data = await read_bounded(body, MAX_DOCUMENT)
    try:
        return msgspec.json.decode(data, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise invalid(reason=str(error)[:200]) from None


async def read_bounded(body: Body, limit: int) -> bytes:
    """Return a whole body of at most `limit` bytes; a longer one is refused before it is read to its end.

    Raises: ManifestTooLarge, Unavailable when too much is held for clients already, and what the body raises.
    """
    if body.announced is not None and body.announced > limit:
        raise ManifestTooLarge(limit=limit, size=body.announced)
    chunks: list[bytes] = []
    size = 0
    async for chunk in body:
        size += len(chunk)
        if size > limit:
            raise ManifestTooLarge(limit=limit)
        if not body.reserve(len(chunk)):
            raise Unavailable(note="no room to hold the body: too much is held for other requests")
        chunks.append(chunk)
    return b"".join(chunks)
