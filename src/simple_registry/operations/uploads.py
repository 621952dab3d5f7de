"""Upload sessions, from the first byte to a blob of a repository.

    start ──► append* ──► finish ──► blob
                 └─────► cancel / expire

A session belongs to one repository and one identity; to everybody else it does not exist. What `append` acknowledged
is durable together with its digest, so any worker can go on from there, after a restart too, and `finish` reads the
bytes again only when the client asks for a digest in another algorithm. One request at a time writes to a session, the
newest (`session_turns`).
"""

import asyncio
import uuid
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from functools import partial

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
    Unavailable,
    UploadBusy,
)
from simple_registry.oci.names import RepositoryName
from simple_registry.operations.session_turns import Turn, Turns
from simple_registry.storage.protocols import (
    BlobRows,
    ContentRows,
    ContentStore,
    SessionRows,
    UploadStore,
    UploadWriter,
)
from simple_registry.storage.records import Blob, BlobAdded, ContentRemoved, SessionRow

__all__ = ["Chunk", "SessionRow", "Uploads"]

PAGE = 100
"""Sessions that one look of the collector reads."""

ROOM_ATTEMPTS = 3
"""Attempts to make room for a session: what one makes, another client may have taken."""

EMPTY_PAGE = 10
"""Sessions of a share that are read at a time to find one that receives nothing."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """Bytes for a session: where the client says they begin and how many they are, where it says so."""

    stream: ByteStream
    start: int | None = None
    size: int | None = None


def new_session_id() -> str:
    """Return the id of a new session; it cannot be guessed."""
    return str(uuid.uuid4())


class Uploads:
    """The operations on upload sessions."""

    def __init__(
        self,
        rows: SessionRows,
        blobs: BlobRows,
        contents: ContentRows,
        uploads: UploadStore,
        content: ContentStore,
        *,
        clock: Clock,
        session_limit: int,
        session_share: int,
        new_session: Callable[[], str] = new_session_id,
    ) -> None:
        """Work on these stores, with at most `session_limit` sessions open at once, `session_share` of one identity."""
        self._rows = rows
        self._blobs = blobs
        self._contents = contents
        self._uploads = uploads
        self._content = content
        self._clock = clock
        self._session_limit = session_limit
        self._session_share = session_share
        self._new_session = new_session
        self._turns = Turns(rows, uploads)

    async def start(
        self, repository: RepositoryName, identity: str, algorithm: str = CANONICAL, *, client: str = ""
    ) -> SessionRow:
        """Open a session, in the share of its identity, or of the `client` that uses one with others.

        Where too many are open, the oldest of the same share that has received nothing makes room.

        Raises: TooManyRequests when none has, and StorageFull.
        """
        self._uploads.require_room()
        row = self._new_row(repository, identity, algorithm, client)
        for _attempt in range(ROOM_ATTEMPTS):
            if await self._rows.add_session(row, limit=self._session_limit, share=self._session_share):
                return row
            if not await self._make_room(row):
                break
        raise TooManyRequests(reason="too many upload sessions are open; finish or cancel some")

    def get(self, repository: RepositoryName, identity: str, session: str) -> SessionRow:
        """Return a session of this repository and identity.

        Raises: BlobUploadUnknown.
        """
        row = self._rows.find_session(session)
        if row is None or row.repository != repository or row.identity != identity:
            raise BlobUploadUnknown(session=session[:64])
        return row

    def look(self, row: SessionRow) -> SessionRow:
        """Return a session whose bytes are here, as its row says.

        They are not when a crash came between their getting a name and the row of the blob: what could not be gone on
        with is not claimed.

        Raises: BlobUploadUnknown.
        """
        if not self._uploads.has(row.session, row.received):
            raise BlobUploadUnknown(session=row.session, note="its row stands but its bytes are gone")
        return row

    async def append(self, row: SessionRow, chunk: Chunk) -> SessionRow:
        """Add a chunk to the session, durably, or leave the session as it was.

        Raises: BlobUploadUnknown, RangeInvalid, SizeInvalid, UploadBusy, UploadTaken, and what the stream raises.
        """
        async with self._turn(row) as turn:
            async with turn.watched():
                extended = await self._extend(turn.row, turn.writer, chunk)
            if extended.received > turn.row.received:
                await turn.writer.sync()
            updated = await self._rows.update_session(extended)
            if updated is None:
                turn.require()
                raise BlobUploadUnknown(session=row.session)
            return updated

    async def finish(self, row: SessionRow, expected: Digest, chunk: Chunk) -> Blob:
        """Add the last chunk (which may be empty) and make the repository hold the blob.

        A chunk out of order leaves the session as it was; a digest that does not match ends it.

        Raises: as `append`, and DigestInvalid.
        """
        async with self._turn(row) as turn:
            async with turn.watched():
                extended = await self._extend(turn.row, turn.writer, chunk)
            try:
                return await self._complete(extended, expected)
            except DigestInvalid:
                await self._end(turn.row)
                raise

    async def put(self, repository: RepositoryName, identity: str, expected: Digest, chunk: Chunk) -> Blob:
        """Take a whole blob in one request; nothing stays when that fails.

        Raises: BlobUploadInvalid for a chunk that does not begin at 0, DigestInvalid, SizeInvalid, and what the
        stream raises.
        """
        if chunk.start:
            raise BlobUploadInvalid(reason="a blob in one request begins at byte 0", start=chunk.start)
        self._uploads.require_room()
        row = self._new_row(repository, identity, expected.algorithm)
        try:
            async with self._uploads.write(row.session, algorithm=row.algorithm) as writer:
                return await self._complete(await self._extend(row, writer, chunk), expected)
        except BaseException:
            await self._let_go(row.session)
            raise

    async def cancel(self, row: SessionRow) -> None:
        """End a session and drop its bytes; a request that writes to it is ended first.

        Raises: BlobUploadUnknown, UploadBusy, UploadTaken.
        """
        async with self._turn(row) as turn:
            await self._end(turn.row)

    def page(self, after: str, limit: int) -> Sequence[SessionRow]:
        """Return open sessions, of everybody, in order of their ids, beginning after `after`."""
        return self._rows.page_sessions(after, limit)

    async def expire(self, before: float, *, known: Callable[[str], bool], unknown_before: float) -> int:
        """End sessions untouched since `before`, and drop bytes that no session owns. Returns how many went.

        Those of identities that are not `known` end once they are untouched since `unknown_before`.
        """
        expired = 0
        after = ""
        while page := self._rows.page_sessions(after, PAGE):
            after = page[-1].session
            for row in page:
                bound = before if known(row.identity) else max(before, unknown_before)
                expired += row.touched < bound and await self._end_idle(row)
            await asyncio.sleep(0)  # however many there are, requests are answered between two pages
        for session in await self._uploads.abandoned(before):
            if self._rows.find_session(session) is None:
                expired += await self._drop(session)
        return expired

    async def _make_room(self, row: SessionRow) -> bool:
        """End the oldest session in the share of `row` that has received nothing, and receives nothing now."""
        last: SessionRow | None = None
        while page := self._rows.page_empty(row.identity, row.client, last, EMPTY_PAGE):
            for empty in page:  # one whose first bytes arrive has none in its row, like those that were forgotten
                if await self._end_idle(empty):
                    return True
            last = page[-1]
        return False

    async def _end_idle(self, row: SessionRow) -> bool:
        """End a session unless a request writes to it, or has since `row` was read. Returns whether it ended."""
        try:
            async with self._turn(row, claim=False) as turn:
                if turn.row != row:
                    return False
                await self._end(row)
        except (UploadBusy, BlobUploadUnknown):
            return False
        return True

    async def _drop(self, session: str) -> bool:
        """Remove bytes without a row, unless somebody is writing them, whatever the clock says."""
        try:
            async with self._uploads.write(session, algorithm=CANONICAL):
                await self._uploads.remove(session)
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
            received=0,
            received_digest=None,
            touched=now,
            started=now,
            client=client,
        )

    @asynccontextmanager
    async def _turn(self, row: SessionRow, *, claim: bool = True) -> AsyncIterator[Turn]:
        """Take a turn at the session.

        A session whose bytes went to the content store while its row could not be written (the disk was full, or the
        power went) ends here: its client starts anew rather than being told for a day to try again.
        """
        async with self._turns.take(row, claim=claim) as turn:
            try:
                yield turn
            except SessionBytesMissing as fault:
                await self._end(turn.row)
                raise BlobUploadUnknown(session=row.session, note=str(fault)) from fault

    async def _extend(self, row: SessionRow, writer: UploadWriter, chunk: Chunk) -> SessionRow:
        """Append the chunk and return the row that will say so; what goes wrong leaves the bytes as they were."""
        if chunk.start is not None and chunk.start != row.received:
            raise RangeInvalid(received=row.received, start=chunk.start)
        await writer.resume(row.received)
        try:
            size = await _append(writer, chunk)
        except BaseException:
            await writer.resume(row.received)
            raise
        digest = row.received_digest
        if size or digest is None:
            digest = await writer.digest()
        return replace(row, received=row.received + size, received_digest=digest, touched=self._clock.now())

    async def _complete(self, row: SessionRow, expected: Digest) -> Blob:
        """Publish the session's bytes as a blob of its repository."""
        actual = row.received_digest
        if actual is None or actual.algorithm != expected.algorithm:
            actual = await self._uploads.digest(row.session, expected.algorithm)
        if actual != expected:
            raise DigestInvalid(expected=str(expected), actual=str(actual))
        blob = Blob(expected, row.received)
        held = False
        if await self._contents.known(expected):
            # Held before its file is replaced: the collector, late for the old file, would remove the new one.
            vouch = partial(self._content.vouch, blob, None)
            held = await self._blobs.add_blob(row.repository, blob, present=vouch) == BlobAdded()
        placed = await self._uploads.publish(row.session, blob)
        if held:
            # Never added twice: somebody who saw the blob may have deleted it since, and that came later.
            await self._rows.remove_session(row.session)
        elif (
            await self._blobs.add_blob(
                row.repository, blob, present=partial(self._content.vouch, blob, placed), session=row.session
            )
            == ContentRemoved()
        ):
            raise Unavailable(note=f"content of {expected} vanished")
        return blob

    async def _end(self, row: SessionRow) -> None:
        await self._rows.remove_session(row.session)
        await self._let_go(row.session)

    async def _let_go(self, session: str) -> None:
        """Remove the bytes of a session that has no row any more; what is done, or refused, stays so when that fails.

        The collector finds them then, as it finds what a crash leaves.
        """
        with suppress(StorageFault):
            await self._uploads.remove(session)


async def _append(writer: UploadWriter, chunk: Chunk) -> int:
    size = await writer.append(chunk.stream)
    if chunk.size is not None and size != chunk.size:
        raise SizeInvalid(expected=chunk.size, actual=size)
    return size
