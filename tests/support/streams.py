"""Streams of bytes, as requests bring them."""

from simple_registry.content import ByteStream


async def stream_of(*chunks: bytes) -> ByteStream:
    """Yield `chunks` as a stream."""
    for chunk in chunks:
        yield chunk
