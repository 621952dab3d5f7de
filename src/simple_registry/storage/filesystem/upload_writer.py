"""Writing the bytes of one upload session: a thread hashes and writes while the next bytes arrive.

Bytes are handed to the thread in batches. While one is written the next is gathered, so an upload holds two batches
in memory, whatever its size. The hash state always belongs to exactly the bytes written so far.
"""

from contextlib import suppress
from typing import TYPE_CHECKING

from simple_registry.content import ByteStream
from simple_registry.faults import SessionBytesMissing, StorageFault
from simple_registry.oci.digests import Digest, new_hasher
from simple_registry.storage.filesystem.disk import Disk
from simple_registry.storage.filesystem.hash_states import HashState, HashStates
from simple_registry.storage.filesystem.layout import Layout
from simple_registry.storage.filesystem.threads import Threads

if TYPE_CHECKING:
    from hashlib import _Hash as Hasher

BATCH_BYTES = 256 * 1024
"""Enough that changing threads costs little beside the hashing."""
BATCH_CHUNKS = 64
"""A client that sends single bytes must not make us gather hundreds of thousands of them."""
READ_BYTES = 1024 * 1024


class FilesystemUploadWriter:
    """The one writer of a session; it has the session's file open as `fd`, and the session locked by `lock`."""

    def __init__(
        self,
        session: str,
        algorithm: str,
        fd: int,
        lock: int,
        *,
        layout: Layout,
        disk: Disk,
        threads: Threads,
        states: HashStates,
    ) -> None:
        """Write to `fd`; both descriptors are closed by `close`."""
        self._session = session
        self._algorithm = algorithm
        self._fd = fd
        self._lock = lock
        self._layout = layout
        self._disk = disk
        self._threads = threads
        self._states = states
        self._received: int | None = None
        self._hasher: Hasher | None = None
        """Fed with the `received` bytes; `None` until somebody needs it."""
        self._durable: HashState | None = None
        """What a later `resume`, here or in the next request, most likely goes back to."""
        self._named = False
        """Whether the file's name is known to be durable."""

    async def resume(self, received: int) -> None:
        """Stand after `received` bytes and drop later ones. Also undoes an `append` that broke off."""
        file = self._disk.stat_open(self._fd)
        if file.st_size < received:
            raise SessionBytesMissing(
                "resume an upload session", f"{self._session} has {file.st_size} bytes, not {received}"
            )
        known = self._durable or self._states.find(self._session, self._algorithm, file)
        if file.st_size > received:
            await self._threads.run(self._disk.truncate, self._fd, received)
        self._durable = known if known is not None and known.received == received else None
        self._hasher = None if self._durable is None else self._durable.hasher.copy()
        self._named = received > 0  # those bytes were acknowledged, hence durable, name and all
        self._received = received

    async def append(self, stream: ByteStream) -> int:
        """Write the stream at the end, hashing it on the way, and return how many bytes it held."""
        size = 0
        batch: list[bytes] = []
        gathered = 0
        writing = None
        try:
            async for chunk in stream:
                batch.append(chunk)
                gathered += len(chunk)
                if gathered >= BATCH_BYTES or len(batch) >= BATCH_CHUNKS:
                    if writing is not None:
                        await writing.finish()
                    writing = self._threads.start(self._write, batch)
                    size += gathered
                    batch, gathered = [], 0
        finally:
            # However the stream ended, no thread writes any more when the caller goes on.
            if writing is not None:
                await writing.finish()
        if batch:
            await self._threads.run(self._write, batch)
        return size + gathered

    async def digest(self) -> Digest:
        """Return the digest of all bytes, in the algorithm of the session."""
        return self._digest() if self._hasher is not None else await self._threads.run(self._digest)

    async def sync(self) -> None:
        """Make every byte durable."""
        await self._threads.run(self._sync)

    def close(self) -> None:
        """Let go of the session. Runs in the caller, never interrupted; leaves no file that never got a byte.

        What was acknowledged is durable by now: that a disk fails here makes nothing undone.
        """
        with suppress(StorageFault):
            self._tidy()
        with suppress(StorageFault):
            self._disk.close(self._fd)
        with suppress(StorageFault):
            self._disk.close(self._lock)  # last: until here nobody else looks at the session

    def _tidy(self) -> None:
        file = self._disk.stat_open(self._fd)
        if file.st_size == 0:
            self._remove_if_ours(file.st_ino)
        elif self._durable is not None and self._durable.received == file.st_size:
            self._states.keep(self._session, self._algorithm, file, self._durable)

    def _remove_if_ours(self, inode: int) -> None:
        path = self._layout.session(self._session)
        named = self._disk.stat(path)
        if named is not None and named.st_ino == inode:
            self._disk.unlink(path)

    def _write(self, batch: list[bytes]) -> None:
        hasher, received = self._hashed()
        data = b"".join(batch)
        self._disk.write(self._fd, data, received)
        hasher.update(data)
        self._received = received + len(data)

    def _digest(self) -> Digest:
        hasher, _received = self._hashed()
        return Digest(self._algorithm, hasher.hexdigest())

    def _sync(self) -> None:
        hasher, received = self._hashed()
        self._disk.fsync(self._fd)
        if not self._named:
            self._disk.fsync_directory(self._layout.uploads)
            self._named = True
        self._durable = HashState(received, hasher.copy())

    def _hashed(self) -> "tuple[Hasher, int]":
        """Return the hash state of the bytes received, and their number; reads them when the state is not known."""
        if self._received is None:
            raise RuntimeError("a writer is used before resume() said where it stands")
        if self._hasher is None:
            self._hasher = hash_file(self._disk, self._fd, self._received, self._algorithm)
            self._durable = HashState(self._received, self._hasher.copy())
        return self._hasher, self._received


def hash_file(disk: Disk, fd: int, size: int, algorithm: str) -> "Hasher":
    """Return the hash state of the first `size` bytes of an open file.

    Raises: StorageFault when it is shorter.
    """
    hasher = new_hasher(algorithm)
    position = 0
    while position < size:
        data = disk.read(fd, min(READ_BYTES, size - position), position)
        if not data:
            raise StorageFault("read an upload session", f"it ends after {position} of {size} bytes")
        hasher.update(data)
        position += len(data)
    return hasher
