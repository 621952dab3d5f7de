"""Turns at writing to a session: the newest request has the last one, and nothing of the older one lands after that."""

import asyncio

import pytest

from simple_registry.faults import StorageFault
from simple_registry.oci.digests import digest_of
from simple_registry.oci.errors import BlobUploadUnknown, UploadBusy, UploadTaken
from simple_registry.oci.names import parse_repository_name
from simple_registry.operations import session_turns as module
from simple_registry.operations.blobs import ContentRecord
from simple_registry.operations.session_turns import Turns
from simple_registry.operations.uploads import Chunk
from simple_registry.storage.records import Received
from simple_registry.wire.eager import start
from support.actors import ACTOR
from support.streams import stream_of

A = parse_repository_name("a")
OLD, NEW = b"old bytes", b"the new bytes"


@pytest.fixture
def uploads(front):
    return front.services.registry.uploads


@pytest.fixture
def row(front, uploads):
    return front.run(uploads.start(A, "ada"))


@pytest.fixture
def turns(front):
    return Turns(front.kept.stores.rows.sessions)


class Client:
    """Sends its first chunk, and the others once `resumes` is set."""

    def __init__(self, *chunks):
        self._chunks = chunks
        self.waits = asyncio.Event()
        self.resumes = asyncio.Event()

    async def stream(self):
        yield self._chunks[0]
        self.waits.set()
        await self.resumes.wait()
        for chunk in self._chunks[1:]:
            yield chunk

    @property
    def chunk(self):
        return Chunk(self.stream())


@pytest.fixture
def claimed(front, monkeypatch):
    """Is set once a session has been claimed."""
    event, claim = asyncio.Event(), front.kept.stores.rows.sessions.claim_session

    async def claim_and_record(session):
        row = await claim(session)
        event.set()
        return row

    monkeypatch.setattr(front.kept.stores.rows.sessions, "claim_session", claim_and_record)
    return event


async def started(work, client):
    task = asyncio.ensure_future(work)
    await client.waits.wait()
    return task


NEWER = {
    "a chunk": (lambda uploads, row: uploads.append(row, Chunk(stream_of(NEW)))),
    "the last chunk": (lambda uploads, row: uploads.finish(row, digest_of(NEW), Chunk(stream_of(NEW)), actor=ACTOR)),
    "a cancellation": (lambda uploads, row: uploads.cancel(row)),
}


@pytest.mark.parametrize("newer", NEWER)
@pytest.mark.parametrize("older", ["append", "finish"])
def test_a_newer_request_ends_an_older_one_that_waits_for_bytes(front, uploads, row, older, newer):
    async def scenario():
        silent = Client(OLD)
        work = (
            uploads.append(row, silent.chunk)
            if older == "append"
            else uploads.finish(row, digest_of(OLD), silent.chunk, actor=ACTOR)
        )
        first = await started(work, silent)
        result = await asyncio.wait_for(NEWER[newer](uploads, row), 5)
        with pytest.raises(UploadTaken) as taken:
            await first
        assert taken.value.facts == {"session": row.session, "received": 0}
        return result

    result = front.run(scenario())
    found = front.run(front.kept.stores.rows.sessions.find_session(row.session))
    if newer == "a chunk":
        assert found == result
        assert found.received == Received(len(NEW), digest_of(NEW))
    else:
        assert found is None
        assert result in (None, ContentRecord(digest_of(NEW), len(NEW)))
    assert front.head(f"/v2/a/blobs/{digest_of(OLD)}").status == 404


def test_acknowledged_bytes_stay_and_others_are_dropped(front, uploads, row):
    async def scenario():
        await uploads.append(row, Chunk(stream_of(b"kept ")))
        silent = Client(b"lost " * 100_000)
        first = await started(uploads.append(row, silent.chunk), silent)
        await uploads.append(row, Chunk(stream_of(b"and more"), start=5))
        with pytest.raises(UploadTaken):
            await first
        return await uploads.finish(row, digest_of(b"kept and more"), Chunk(stream_of()), actor=ACTOR)

    assert front.run(scenario()).size == 13


def test_bytes_received_after_the_claim_do_not_count(front, uploads, row, monkeypatch, claimed):
    """Even when the older request does not look before all of them are here."""
    monkeypatch.setattr(module, "CHECK_INTERVAL", 60.0)

    async def scenario():
        client = Client(OLD, b" and the rest")
        first = await started(uploads.append(row, client.chunk), client)
        newer = asyncio.ensure_future(uploads.append(row, Chunk(stream_of(NEW))))
        await claimed.wait()
        client.resumes.set()
        with pytest.raises(UploadTaken):
            await first
        return await newer

    extended = front.run(scenario())
    assert extended.received == Received(len(NEW), digest_of(NEW))


def test_a_block_that_takes_long_to_end_is_cancelled_once(front, turns, row, monkeypatch):
    monkeypatch.setattr(module, "CHECK_INTERVAL", 0.01)
    problems = []

    async def slow_to_end(turn):
        async with turn.watched():
            await front.kept.stores.rows.sessions.claim_session(row.session)
            try:
                await asyncio.sleep(10)
            finally:
                await asyncio.sleep(0.1)

    async def scenario():
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _loop, context: problems.append(context))
        try:
            async with turns.take(row, claim=False) as turn:
                await slow_to_end(turn)
        finally:
            loop.set_exception_handler(None)

    with pytest.raises(UploadTaken):
        front.run(scenario())
    assert problems == []


def test_a_request_in_its_first_step_is_watched_too(front, uploads, row):
    """That step has no task (`wire.eager`)."""
    appended = []

    async def append():
        appended.append(await uploads.append(row, Chunk(stream_of(NEW))))

    async def scenario():
        loop = asyncio.get_running_loop()
        started = loop.create_future()
        loop.call_soon(lambda: started.set_result(start(loop, append())))
        await (await started)

    front.run(scenario())
    assert appended[0].received.size == len(NEW)


def test_of_many_requests_the_newest_wins(front, uploads, row):
    async def scenario():
        silent = [Client(bytes([number])) for number in range(5)]
        tasks = [await started(uploads.append(row, client.chunk), client) for client in silent]
        extended = await uploads.append(row, Chunk(stream_of(NEW)))
        ended = await asyncio.gather(*tasks, return_exceptions=True)
        assert [type(error) for error in ended] == [UploadTaken] * 5
        return extended

    assert front.run(scenario()).received.digest == digest_of(NEW)


def test_a_waiting_request_is_overtaken_by_a_newer_one(front, uploads, row, claimed):
    async def scenario():
        async with front.kept.stores.rows.sessions.hold(row.session):
            waiting = asyncio.ensure_future(uploads.append(row, Chunk(stream_of(OLD))))
            await claimed.wait()
            newest = asyncio.ensure_future(uploads.append(row, Chunk(stream_of(NEW))))
            with pytest.raises(UploadTaken):
                await waiting
        return await newest

    assert front.run(scenario()).received.digest == digest_of(NEW)


def test_a_request_that_waited_while_another_wrote_is_the_older_one(front, uploads, row):
    rows, pauses = front.kept.stores.rows.sessions, []

    async def scenario():
        holder = rows.hold(row.session)
        await holder.__aenter__()

        async def pause(_seconds):
            if not pauses:
                await holder.__aexit__(None, None, None)
                await uploads.append(row, Chunk(stream_of(NEW)))  # it found the session free
            pauses.append(True)

        waiting = Turns(rows, pause=pause)
        with pytest.raises(UploadTaken):
            async with waiting.take(row, claim=True):
                pass

    front.run(scenario())
    assert front.run(rows.find_session(row.session)).received.size == len(NEW)


def test_a_newer_request_is_refused_when_the_older_one_does_not_release_the_session(front, row, monkeypatch):
    monkeypatch.setattr(module, "MAX_ATTEMPTS", 3)
    pauses = []

    async def pause(seconds):
        pauses.append(seconds)

    async def scenario():
        turns = Turns(front.kept.stores.rows.sessions, pause=pause)
        async with front.kept.stores.rows.sessions.hold(row.session):
            with pytest.raises(UploadBusy) as busy:
                async with turns.take(row, claim=True):
                    pass
            assert busy.value.facts == {"session": row.session, "received": 0}

    front.run(scenario())
    assert pauses == [module.RETRY_INTERVAL] * 3


def test_without_a_claim_the_holder_keeps_its_turn(front, uploads, row, turns):
    async def scenario():
        client = Client(OLD, NEW)
        first = await started(uploads.append(row, client.chunk), client)
        with pytest.raises(UploadBusy):
            async with turns.take(row, claim=False):
                pass
        client.resumes.set()
        return await first

    assert front.run(scenario()).received.size == len(OLD + NEW)


def test_an_absent_session_has_no_turns(front, uploads, row, turns):
    async def take():
        async with turns.take(row, claim=True):
            pass

    front.run(uploads.cancel(row))
    with pytest.raises(BlobUploadUnknown):
        front.run(take())

    async def busy():
        async with front.kept.stores.rows.sessions.hold(row.session):
            await take()

    with pytest.raises(BlobUploadUnknown):
        front.run(busy())


def test_a_request_ends_when_the_row_of_its_session_is_removed(front, uploads, row):
    async def scenario():
        silent = Client(OLD)
        first = await started(uploads.append(row, silent.chunk), silent)
        await front.kept.stores.rows.sessions.remove_session(row.session)
        with pytest.raises(BlobUploadUnknown):
            await asyncio.wait_for(first, 5)

    front.run(scenario())
    assert front.run(front.kept.stores.uploads.abandoned(4e9)) in ([], [row.session])


def test_a_fault_of_the_rows_ends_no_waiting_request(front, uploads, row, monkeypatch):
    monkeypatch.setattr(module, "CHECK_INTERVAL", 0.01)

    async def scenario():
        client = Client(OLD, NEW)
        first = await started(uploads.append(row, client.chunk), client)
        with monkeypatch.context() as patch:
            looks = asyncio.Event()

            async def find(_session):
                looks.set()
                raise StorageFault("read rows", "not now")

            patch.setattr(front.kept.stores.rows.sessions, "find_session", find)
            await looks.wait()
        client.resumes.set()
        return await first

    assert front.run(scenario()).received.size == len(OLD + NEW)


def test_an_unrelated_timeout_passes_through(front, uploads, row):
    async def late():
        yield OLD
        raise TimeoutError

    with pytest.raises(TimeoutError):
        front.run(uploads.append(row, Chunk(late())))
    assert front.run(uploads.get(A, "ada", row.session)) == row


def test_a_cancelled_request_releases_its_session(front, uploads, row):
    async def scenario():
        silent = Client(OLD)
        first = await started(uploads.append(row, silent.chunk), silent)
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first
        return await uploads.append(row, Chunk(stream_of(NEW)))

    assert front.run(scenario()).received.digest == digest_of(NEW)
