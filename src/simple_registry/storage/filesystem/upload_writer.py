"""Appends bytes to the file of one upload session: a thread hashes and writes while the next bytes arrive.

    write* ──► sync       the bytes are durable, and their value is the session's
          ├──► value      the same, if a publish makes them durable
          └──► undo       the file is truncated to the old value

The thread gets bytes in batches. While it writes one, the next is gathered, so an upload holds two batches in memory,
whatever its size. The hash state always covers exactly the bytes written so far.
"""

import uuid
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from simple_registry.content import ByteStream
from simple_registry.faults import SessionBytesMissing, StorageFault
from simple_registry.oci.digests import Digest, new_hasher
from simple_registry.storage.filesystem.disk import Disk
from simple_registry.storage.filesystem.hash_states import HashState, HashStates
from simple_registry.storage.filesystem.layout import Layout
from simple_registry.storage.filesystem.threads import Threads
from simple_registry.storage.records import Received

if TYPE_CHECKING:
    from hashlib import _Hash as Hasher

BATCH_BYTES = 256 * 1024
"""Enough that switching threads costs little compared with the hashing."""
BATCH_CHUNKS = 64
"""Bounds the number of chunks in a batch from a client that sends single bytes."""
READ_BYTES = 1024 * 1024


@dataclass(slots=True)
class _File:
    """The open file, the hash state of its first `size` bytes, and the state before the extension."""

    fd: int
    size: int
    hasher: "Hasher"
    before: HashState


class Extension:
    """One extension of a session that the caller holds. Call one method at a time, in any thread, and `close` last."""

    def __init__(
        self, session: str, received: Received, algorithm: str, *, layout: Layout, disk: Disk, states: HashStates
    ) -> None:
        """Extend `received`; the file is opened, and where needed read, with the first bytes."""
        self._session = session
        self._received = received
        self._algorithm = algorithm
        self._layout = layout
        self._disk = disk
        self._states = states
        self._file: _File | None = None

    @property
    def is_empty(self) -> bool:
        """Whether the stream had no byte."""
        return self._file is None

    def write(self, batch: list[bytes]) -> None:
        """Write and hash some bytes.

        Raises: SessionBytesMissing, StorageFault.
        """
        file = self._opened()
        data = b"".join(batch)
        self._disk.write(file.fd, data, file.size)
        file.hasher.update(data)
        file.size += len(data)

    def value(self) -> Received:
        """Return the received bytes, including those written."""
        file = self._opened()
        return Received(file.size, Digest(self._algorithm, file.hasher.hexdigest()))

    def sync(self) -> Received:
        """Make the bytes durable, and return the new value."""
        file = self._opened()
        self._disk.fsync(file.fd)
        if not self._received.size:
            self._disk.fsync_directory(self._layout.uploads)  # with the first bytes, the name
        self._keep(HashState(file.size, file.hasher))
        return self.value()

    def undo(self) -> None:
        """Free the space of new bytes. They do not count in any case, so a disk that fails here changes nothing."""
        file = self._opened()
        with suppress(StorageFault):
            self._disk.truncate(file.fd, self._received.size)
            if self._received.size:
                self._keep(file.before)
            else:
                self._disk.unlink(self._layout.session(self._session))

    def close(self) -> None:
        """Close the file, which also unlocks it. Never interrupted."""
        if self._file is not None:
            with suppress(StorageFault):  # what was acknowledged is durable by now
                self._disk.close(self._file.fd)

    def _opened(self) -> _File:
        if self._file is None:
            path = self._layout.session(self._session)
            own_file(self._layout, self._disk, self._session, self._received.size)
            fd = self._disk.open_write(path)
            try:
                # The only writer; but `fsck` and the collector lock it for a moment to check whether it is in use.
                self._disk.lock(fd)
                state = self._cut(fd)
            except BaseException:
                with suppress(StorageFault):
                    if not self._disk.stat_open(fd).st_size:
                        self._disk.unlink(path)  # the open created it
                self._disk.close(fd)
                raise
            self._file = _File(fd, self._received.size, state.hasher.copy(), state)
        return self._file

    def _cut(self, fd: int) -> HashState:
        """Truncate the file to the received bytes, and return their hash state, reading them if it is not cached."""
        file, size = self._disk.stat_open(fd), self._received.size
        if file.st_size < size:
            raise SessionBytesMissing("extend an upload session", f"{self._session} has {file.st_size} of {size} bytes")
        state = self._states.find(self._session, self._algorithm, file)
        if file.st_size > size:
            self._disk.truncate(fd, size)
        if state is None or state.received != size:
            state = HashState(size, hash_file(self._disk, fd, size, self._algorithm))
        return state

    def _keep(self, state: HashState) -> None:
        with suppress(StorageFault):  # then the next extension reads the file
            self._states.keep(self._session, self._algorithm, self._disk.stat_open(self._opened().fd), state)


def own_file(layout: Layout, disk: Disk, session: str, size: int) -> None:
    """Ensure that a session's file, which is about to change, is not content.

    It is content, too, if it was published but the row of the blob could not be written. Another push may have added
    the row since, so neither its bytes nor its mode may change: the session gets a durable copy of the first `size`
    bytes.
    """
    path = layout.session(session)
    named = disk.stat(path)
    if named is None or named.st_nlink == 1:
        return
    source = disk.open_read(path)
    if source is None:
        return
    copy = layout.session(f"put-{uuid.uuid4()}")  # abandoned after a crash
    target = disk.create(copy)
    try:
        disk.try_lock(target)
        for position in range(0, size, READ_BYTES):
            disk.write(target, disk.read(source, min(READ_BYTES, size - position), position), position)
        disk.fsync(target)
        disk.rename(copy, path)
        disk.fsync_directory(layout.uploads)
    except BaseException:
        disk.unlink(copy)
        raise
    finally:
        disk.close(target)
        disk.close(source)


async def write_batches(stream: ByteStream, extension: Extension, threads: Threads) -> None:
    """Write a stream in batches; one is gathered while another is written.

    When this returns, no thread writes any more, even after a failure. Raises: what the stream and `write` raise.
    """
    batch: list[bytes] = []
    gathered = 0
    writing = None
    try:
        async for chunk in stream:
            if chunk:
                batch.append(chunk)
                gathered += len(chunk)
            if gathered >= BATCH_BYTES or len(batch) >= BATCH_CHUNKS:
                if writing is not None:
                    await writing.finish()
                writing = threads.start(extension.write, batch)
                batch, gathered = [], 0
    finally:
        if writing is not None:
            await writing.finish()
    if batch:
        await threads.run(extension.write, batch)


def hash_file(disk: Disk, fd: int, size: int, algorithm: str) -> "Hasher":
    """Return the hash state of the first `size` bytes of an open file.

    Raises: StorageFault if it is shorter.
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
