"""Bodies that a handler needs whole."""

from simple_registry.oci.errors import ManifestTooLarge, Unavailable
from simple_registry.wire.exchange import Body


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
