"""Upload sessions, from the first byte to a blob of a repository.

    start ──► append* ──► finish ──► blob
                 └─────► cancel / expire

A session belongs to one repository and one identity; for all others it does not exist. Bytes that `append` acknowledged
are durable together with their digest. So any worker can continue the session, also after a restart, and `finish` reads
the bytes again only if the client's digest uses another algorithm. One request at a time writes to a session: the
newest (`session_turns`).
"""

import asyncio
import uuid
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace

from simple_registry.clock import Clock
from simple_registry.content import ByteStream
from simple_registry.faults import SessionBusy, SessionBytesMissing, StorageFault
from simple_registry.oci.digests import CANONICAL, Digest
from simple_registry.oci.errors import (
    BlobUploadInvalid,
    BlobUploadUnknown,
    DigestInvalid,
    RangeInvalid,
    SizeInvalid,
    TooManyRequests,
    UploadBusy,
)
from simple_registry.oci.names import RepositoryName
from simple_registry.operations.contents import Contents
from simple_registry.operations.quotas import Allowance, QuotaExceeded, Quotas, Room, require_within
from simple_registry.operations.session_turns import Turn, Turns
from simple_registry.storage.protocols.content import UploadStore
from simple_registry.storage.protocols.holdings import BlobRows
from simple_registry.storage.protocols.sessions import SessionRows
from simple_registry.storage.records import Actor, ContentRecord, Received, SessionRow

__all__ = ["Chunk", "SessionRow", "Uploads"]

PAGE = 100
"""Sessions that the collector reads at a time."""

MAX_ROOM_ATTEMPTS = 3
"""Attempts to end an older session in favour of a new one; another client may take the place meanwhile."""

EMPTY_PAGE = 10
"""Empty sessions that are read at a time to find an idle one."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """Bytes for a session, with their start and size if the client gave the range, and the announced length."""

    stream: ByteStream
    start: int | None = None
    size: int | None = None
    announced: int | None = None

    def checked(self) -> ByteStream:
        """Return the stream, which raises SizeInvalid at its end if its size is not the announced one."""
        return self.stream if self.size is None else _of_size(self.stream, self.size)


def new_session_id() -> str:
    """Return a random id for a session."""
    return str(uuid.uuid4())


class Uploads:
    """The operations on upload sessions."""

    def __init__(
        self,
        rows: SessionRows,
        blobs: BlobRows,
        contents: Contents,
        uploads: UploadStore,
        quotas: Quotas,
        *,
        clock: Clock,
        session_limit: int,
        session_share: int,
        new_session: Callable[[], str] = new_session_id,
    ) -> None:
        """Work on these stores, with at most `session_limit` open sessions, `session_share` for each identity."""
        self._rows = rows
        self._blobs = blobs
        self._contents = contents
        self._uploads = uploads
        self._quotas = quotas
        self._clock = clock
        self._session_limit = session_limit
        self._session_share = session_share
        self._new_session = new_session
        self._turns = Turns(rows)

    async def start(
        self,
        repository: RepositoryName,
        identity: str,
        algorithm: str = CANONICAL,
        *,
        client: str = "",
        allowances: Sequence[Allowance] = (),
    ) -> SessionRow:
        """Open a session, counted for its identity, or for the `client` if several share the identity.

        If too many are open, the oldest of the same share without any bytes is ended.

        Raises: TooManyRequests when there is none, QuotaExceeded when no byte is left, and StorageFull.
        """
        self._uploads.require_room()
        room = await self._quotas.room(allowances)
        if room is not None:
            room.require(1)
        row = self._new_row(repository, identity, algorithm, client)
        for _attempt in range(MAX_ROOM_ATTEMPTS):
            if await self._rows.add_session(row, limit=self._session_limit, share=self._session_share):
                return row
            if not await self._make_room(row):
                break
        raise TooManyRequests(reason="too many upload sessions are open; finish or cancel some")

    async def get(self, repository: RepositoryName, identity: str, session: str) -> SessionRow:
        """Return a session of this repository and identity.

        Raises: BlobUploadUnknown.
        """
        row = await self.find(session)
        if row.repository != repository or row.identity != identity:
            raise BlobUploadUnknown(session=session[:64])
        return row

    async def find(self, session: str) -> SessionRow:
        """Return a session of whatever repository and identity, for administrators.

        Raises: BlobUploadUnknown.
        """
        row = await self._rows.find_session(session)
        if row is None:
            raise BlobUploadUnknown(session=session[:64])
        return row

    async def require_bytes(self, row: SessionRow) -> SessionRow:
        """Return the session if its bytes exist.

        After a crash between a publish and the row of the blob they do not, and the session cannot be continued.

        Raises: BlobUploadUnknown.
        """
        if not await self._uploads.has(row.session, row.received):
            raise BlobUploadUnknown(session=row.session, note="it has a row, but its bytes are gone")
        return row

    async def append(self, row: SessionRow, chunk: Chunk, *, allowances: Sequence[Allowance] = ()) -> SessionRow:
        """Add a chunk to the session, durably, or leave the session as it was.

        Raises: BlobUploadUnknown, RangeInvalid, SizeInvalid, UploadBusy, UploadTaken, QuotaExceeded, and what the
        stream raises.
        """
        room = await self._quotas.room(allowances)
        async with self._turn(row) as turn:
            async with turn.watched():
                extended = await self._extend(turn.row, chunk, room)
            updated = await self._rows.update_session(extended)
            if updated is None:
                await turn.require()
                raise BlobUploadUnknown(session=row.session)
            return updated

    async def finish(
        self, row: SessionRow, expected: Digest, chunk: Chunk, *, actor: Actor, allowances: Sequence[Allowance] = ()
    ) -> ContentRecord:
        """Add the last chunk (which may be empty) and make the repository hold the blob.

        A chunk out of order leaves the session as it was; a digest that does not match ends it, and so does a blob for
        which a quota leaves no room.

        Raises: as `append`, and DigestInvalid.
        """
        room = await self._room(row.repository, expected, allowances)
        async with self._turn(row) as turn:
            try:
                async with turn.watched():
                    extended = await self._extend(turn.row, chunk, room, last=True)
                return await self._complete(extended, expected, actor, allowances)
            except (DigestInvalid, QuotaExceeded):
                await self._end(turn.row)
                raise

    async def put(
        self,
        repository: RepositoryName,
        expected: Digest,
        chunk: Chunk,
        *,
        actor: Actor,
        allowances: Sequence[Allowance] = (),
    ) -> ContentRecord:
        """Receive a whole blob in one request. A failure leaves nothing.

        Raises: BlobUploadInvalid for a chunk that does not begin at 0, DigestInvalid, SizeInvalid, QuotaExceeded, and
        what the stream raises.
        """
        if chunk.start:
            raise BlobUploadInvalid(reason="a blob in one request begins at byte 0", start=chunk.start)
        self._uploads.require_room()
        room = await self._room(repository, expected, allowances)
        row = self._new_row(repository, actor.identity, expected.algorithm)
        async with self._rows.hold(row.session):  # without a row, but held: the collector must not take its bytes
            try:
                return await self._complete(
                    await self._extend(row, chunk, room, last=True), expected, actor, allowances
                )
            except BaseException:
                await self._discard(row)
                raise

    async def cancel(self, row: SessionRow) -> None:
        """End a session and discard its bytes. A request that writes to it is ended first.

        Raises: BlobUploadUnknown, UploadBusy, UploadTaken.
        """
        async with self._turn(row) as turn:
            await self._end(turn.row)

    async def page(self, after: str, limit: int) -> Sequence[SessionRow]:
        """Return open sessions of all identities, ordered by id, after `after`."""
        return await self._rows.page_sessions(after, limit)

    async def expire(self, before: float, *, known: Callable[[str], bool], unknown_before: float) -> int:
        """End sessions untouched since `before`, and remove bytes without a session. Return their number.

        For identities that are not `known`, `unknown_before` applies.
        """
        expired = 0
        after = ""
        while page := await self._rows.page_sessions(after, PAGE):
            after = page[-1].session
            for row in page:
                bound = before if known(row.identity) else max(before, unknown_before)
                expired += row.touched < bound and await self._end_idle(row)
            await asyncio.sleep(0)  # requests run between two pages
        for session in await self._uploads.abandoned(before):
            expired += await self._drop(session)
        return expired

    async def _make_room(self, row: SessionRow) -> bool:
        """End the oldest idle session without bytes in the share of `row`. Return whether there was one."""
        last: SessionRow | None = None
        while page := await self._rows.page_empty(row.identity, row.client, last, EMPTY_PAGE):
            for empty in page:  # some may be receiving their first bytes, which their rows do not show yet
                if await self._end_idle(empty):
                    return True
            last = page[-1]
        return False

    async def _end_idle(self, row: SessionRow) -> bool:
        """End a session unless a request writes to it, or has done so since `row` was read. Return whether it ended."""
        try:
            async with self._turn(row, claim=False) as turn:
                if turn.row != row:
                    return False
                await self._end(row)
        except (UploadBusy, BlobUploadUnknown):
            return False
        return True

    async def _drop(self, session: str) -> bool:
        """Remove the bytes of a session without a row, unless a request holds it. Return whether they were removed."""
        try:
            async with self._rows.hold(session) as row:
                if row is not None:
                    return False
                await self._uploads.discard(session, Received())
        except SessionBusy:
            return False
        return True

    def _new_row(self, repository: RepositoryName, identity: str, algorithm: str, client: str = "") -> SessionRow:
        now = self._clock.now()
        return SessionRow(
            session=self._new_session(),
            repository=repository,
            identity=identity,
            algorithm=algorithm,
            received=Received(),
            touched=now,
            started=now,
            client=client,
        )

    @asynccontextmanager
    async def _turn(self, row: SessionRow, *, claim: bool = True) -> AsyncIterator[Turn]:
        """Take a turn at the session.

        A session without its bytes is ended: they were published, but the row of the blob was not written. Its client
        starts a new one instead of retrying until the session expires.
        """
        async with self._turns.take(row, claim=claim) as turn:
            try:
                yield turn
            except SessionBytesMissing as fault:
                await self._end(turn.row)
                raise BlobUploadUnknown(session=row.session, note=str(fault)) from fault

    async def _room(self, repository: RepositoryName, expected: Digest, allowances: Sequence[Allowance]) -> Room | None:
        """Return the room for a blob; what the repository holds already needs none."""
        if not allowances or await self._blobs.find_blob(repository, expected) is not None:
            return None
        return await self._quotas.room(allowances)

    async def _extend(self, row: SessionRow, chunk: Chunk, room: Room | None, *, last: bool = False) -> SessionRow:
        """Add the chunk, and return the new row. After a failure the old row stays true."""
        before = row.received
        if chunk.start is not None and chunk.start != before.size:
            raise RangeInvalid(received=before.size, start=chunk.start)
        stream = chunk.checked()
        if room is not None:
            room.require(before.size + (chunk.announced or 0))
            stream = room.bounded(stream, before.size)
        received = await self._uploads.extend(row.session, before, row.algorithm, stream, last=last)
        return replace(row, received=received, touched=self._clock.now())

    async def _complete(
        self, row: SessionRow, expected: Digest, actor: Actor, allowances: Sequence[Allowance]
    ) -> ContentRecord:
        """Publish the session's bytes as a blob of its repository."""
        received = row.received
        actual = received.digest
        if actual is None or actual.algorithm != expected.algorithm:
            actual = await self._uploads.digest(row.session, received, expected.algorithm)
        if actual != expected:
            raise DigestInvalid(expected=str(expected), actual=str(actual))
        blob = ContentRecord(expected, received.size)
        outcome = await self._contents.place(
            expected,
            # Bytes and name before the row: a row of whole content must never precede its bytes.
            publish=lambda: self._uploads.publish(row.session, received, expected),
            confirm=lambda placed, removals: self._blobs.add_blob(
                row.repository,
                replace(blob, place=placed.place, stamp=placed.stamp),
                removals=removals,
                actor=actor,
                session=row.session,
                allowances=allowances,
            ),
        )
        require_within(outcome)
        await self._discard(row)
        return blob

    async def _end(self, row: SessionRow) -> None:
        await self._rows.remove_session(row.session)
        await self._discard(row)

    async def _discard(self, row: SessionRow) -> None:
        """Remove the bytes of a session without a row. If that fails, the collector does so later."""
        with suppress(StorageFault):
            await self._uploads.discard(row.session, row.received)


async def _of_size(stream: ByteStream, size: int) -> AsyncIterator[bytes]:
    """Yield up to `size` bytes of a stream.

    Raises: SizeInvalid, at the end, when there were fewer or more.
    """
    actual = 0
    async for data in stream:
        actual += len(data)
        if actual <= size:
            yield data
    if actual != size:
        raise SizeInvalid(expected=size, actual=actual)
