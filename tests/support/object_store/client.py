"""Asking the object server, each time over a connection of its own: every answer is waited for."""

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

from simple_registry.faults import StorageFault

PIECE = 64 * 1024


class Entry(NamedTuple):
    """An object in a list: its key, its size, and when it was put, in seconds since the epoch."""

    key: str
    size: int
    put: float


class Objects:
    """The objects of one server whose keys begin with `bucket`, without that."""

    def __init__(self, port: int, bucket: str = "") -> None:
        """Ask the server at this port of loopback."""
        self._port = port
        self._bucket = bucket
        self.bytes_read = 0
        """Bytes of objects that were read through this client."""

    async def put(self, key: str, size: int, pieces: AsyncIterator[bytes]) -> None:
        """Keep an object of `size` bytes.

        Raises: StorageFault, and what `pieces` raises; then nothing is kept.
        """
        async with self._request("PUT", quote(self._bucket + key), size) as (reader, writer):
            async for piece in pieces:
                writer.write(piece)
                await writer.drain()
            await _status_of(reader)

    async def get(self, key: str) -> AsyncGenerator[bytes, None]:
        """Yield the bytes of an object, which may end early when it is not read to its end.

        Raises: KeyError when there is no such object; StorageFault.
        """
        async with self._request("GET", quote(self._bucket + key)) as (reader, _writer):
            left = _size_of(key, *await _status_of(reader))
            while left:
                piece = await reader.read(min(PIECE, left))
                if not piece:
                    raise EOFError
                left -= len(piece)
                self.bytes_read += len(piece)
                yield piece

    async def size(self, key: str) -> int | None:
        """Return the size of an object, or `None`."""
        async with self._request("HEAD", quote(self._bucket + key)) as (reader, _writer):
            try:
                return _size_of(key, *await _status_of(reader))
            except KeyError:
                return None

    async def delete(self, key: str) -> None:
        """Remove an object; an absent one is fine."""
        async with self._request("DELETE", quote(self._bucket + key)) as (reader, _writer):
            await _status_of(reader)

    async def list(self, prefix: str) -> Sequence[Entry]:
        """Return the objects whose keys begin with `prefix`, in order."""
        async with self._request("GET", f"?prefix={quote(self._bucket + prefix)}") as (reader, _writer):
            size = _size_of(prefix, *await _status_of(reader))
            found = json.loads(await reader.readexactly(size))
            return [Entry(key.removeprefix(self._bucket), size, put) for key, size, put in found]

    @asynccontextmanager
    async def _request(
        self, method: str, target: str, size: int = 0
    ) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
            try:
                writer.write(f"{method} /{target} HTTP/1.0\r\nContent-Length: {size}\r\n\r\n".encode())
                yield reader, writer
            finally:
                writer.close()
        except (OSError, EOFError) as error:
            raise StorageFault(f"{method} an object", error) from error


@contextmanager
def object_server() -> Iterator[int]:
    """Run an object server, in a process of its own, for the block; yields its port."""
    command = [sys.executable, "-m", "support.object_store.server"]
    tests = Path(__file__).parents[2]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=tests) as process:
        assert process.stdout is not None
        yield int(process.stdout.readline())
        process.communicate(timeout=10)  # which ends its standard input


async def _status_of(reader: asyncio.StreamReader) -> tuple[int, Mapping[str, str]]:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    return int(head[0].split()[1]), dict(line.lower().split(": ", 1) for line in head[1:] if line)


def _size_of(key: str, status: int, headers: Mapping[str, str]) -> int:
    if status == 404:
        raise KeyError(key)
    return int(headers["content-length"])
