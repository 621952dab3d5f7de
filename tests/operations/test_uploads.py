"""The operations on upload sessions: what was acknowledged stays, what failed never was."""

import asyncio
import fcntl
import os
import time
from dataclasses import replace

import pytest

from simple_registry.faults import StorageFault, StorageFull
from simple_registry.oci.digests import digest_of
from simple_registry.oci.errors import (
    BlobUnknown,
    BlobUploadInvalid,
    BlobUploadUnknown,
    DigestInvalid,
    RangeInvalid,
    SizeInvalid,
    TooManyRequests,
    Unavailable,
)
from simple_registry.oci.names import parse_repository_name
from simple_registry.operations import uploads as module
from simple_registry.operations.contents import Contents
from simple_registry.operations.quotas import Quotas
from simple_registry.operations.uploads import EMPTY_PAGE, Chunk, Uploads
from simple_registry.storage.records import ContentRecord, ContentRemoved, Received
from simple_registry.storage.sqlite.engine.connections import open_lock
from support.actors import ACTOR
from support.streams import stream_of

A, B = parse_repository_name("a"), parse_repository_name("b")
DATA = b"some content"


@pytest.fixture
def make_uploads(front):
    stores = front.kept.stores

    def make(session_limit=10, session_share=10):
        return Uploads(
            stores.rows.sessions,
            stores.rows.blobs,
            Contents(stores.rows.contents, stores.rows.garbage, stores.content),
            stores.uploads,
            Quotas(stores.rows.usage, front.clock),
            clock=front.clock,
            session_limit=session_limit,
            session_share=session_share,
            new_session=iter(f"session-{number}" for number in range(100)).__next__,
        )

    return make


@pytest.fixture
def uploads(make_uploads):
    return make_uploads()


def chunk(*data, start=None, size=None):
    return Chunk(stream_of(*data), start=start, size=size)


@pytest.fixture
def row(front, uploads):
    return front.run(uploads.start(A, "ada"))


def test_a_session_is_found_only_by_its_owner_in_its_repository(front, uploads, row):
    assert front.run(uploads.get(A, "ada", row.session)) == row
    for repository, identity, session in ((B, "ada", row.session), (A, "eve", row.session), (A, "ada", "session-99")):
        with pytest.raises(BlobUploadUnknown):
            front.run(uploads.get(repository, identity, session))


def test_a_session_with_its_bytes_is_returned(front, uploads, row):
    assert front.run(uploads.require_bytes(row)) == row
    row = front.run(uploads.append(row, chunk(DATA)))
    assert front.run(uploads.require_bytes(row)) == row


@pytest.mark.parametrize("other", ["cancel", "append"])
def test_a_session_is_held_between_its_publish_and_its_row(front, uploads, row, monkeypatch, other):
    store, newer = front.kept.stores.uploads, []
    publish = store.publish

    async def publish_beside(*what):
        placed = await publish(*what)
        work = uploads.cancel(row) if other == "cancel" else uploads.append(row, chunk(b"more"))
        newer.append(asyncio.ensure_future(work))
        await asyncio.sleep(0.1)
        return placed

    async def scenario():
        blob = await uploads.finish(row, digest_of(DATA), chunk(DATA), actor=ACTOR)
        with pytest.raises(BlobUploadUnknown):
            await newer[0]
        return blob

    monkeypatch.setattr(store, "publish", publish_beside)
    assert front.run(scenario()) == ContentRecord(digest_of(DATA), len(DATA))
    with pytest.raises(BlobUploadUnknown):
        front.run(uploads.cancel(row))


def test_a_chunk_extends_the_session(front, uploads, row, clock):
    clock.advance(5)
    extended = front.run(uploads.append(row, chunk(DATA[:4], DATA[4:])))
    assert extended.received == Received(len(DATA), digest_of(DATA))
    assert extended.touched == row.touched + 5
    assert front.run(uploads.get(A, "ada", row.session)) == extended


def test_the_present_row_counts_and_not_the_copy_of_a_caller(front, uploads, row):
    front.run(uploads.append(row, chunk(b"some ")))
    front.run(uploads.append(row, chunk(b"content", start=5)))
    assert front.run(uploads.finish(row, digest_of(DATA), chunk(), actor=ACTOR)) == ContentRecord(
        digest_of(DATA), len(DATA)
    )


@pytest.mark.parametrize(
    ("bad", "error"),
    [
        (chunk(b"x", start=1), RangeInvalid),
        (chunk(b"x", start=99), RangeInvalid),
        (chunk(b"x", start=4, size=2), SizeInvalid),
        (chunk(b"xyz", start=4, size=2), SizeInvalid),
    ],
)
def test_a_refused_chunk_changes_nothing(front, uploads, row, bad, error):
    before = front.run(uploads.append(row, chunk(b"some")))
    with pytest.raises(error):
        front.run(uploads.append(row, bad))
    assert front.run(uploads.get(A, "ada", row.session)) == before
    assert front.run(uploads.finish(row, digest_of(DATA), chunk(b" content"), actor=ACTOR)).size == len(DATA)


def test_an_empty_chunk_is_accepted(front, uploads, row):
    extended = front.run(uploads.append(row, chunk()))
    assert extended == replace(row, generation=1)
    assert front.run(uploads.finish(row, digest_of(b""), chunk(), actor=ACTOR)).size == 0


def test_a_wrong_digest_ends_the_session(front, uploads):
    with front.unchanged():
        row = front.run(uploads.start(A, "ada"))
        with pytest.raises(DigestInvalid):
            front.run(uploads.finish(row, digest_of(b"other"), chunk(DATA), actor=ACTOR))


def test_a_wrong_place_does_not_end_the_session(front, uploads, row):
    with front.unchanged(), pytest.raises(RangeInvalid):
        front.run(uploads.finish(row, digest_of(DATA), chunk(DATA, start=3), actor=ACTOR))
    assert front.run(uploads.finish(row, digest_of(DATA), chunk(DATA, start=0), actor=ACTOR)).size == len(DATA)


@pytest.mark.parametrize(
    ("bad", "error"), [(chunk(b"other"), DigestInvalid), (chunk(DATA, start=1), BlobUploadInvalid)]
)
def test_a_blob_in_one_request_leaves_nothing_when_it_fails(front, uploads, bad, error):
    with front.unchanged(), pytest.raises(error):
        front.run(uploads.put(A, digest_of(DATA), bad, actor=ACTOR))


def test_another_process_continues_the_session(front, make_uploads):
    first, second = make_uploads(), make_uploads()
    row = front.run(first.start(A, "ada"))
    front.run(first.append(row, chunk(b"some ")))
    front.run(second.append(front.run(second.get(A, "ada", row.session)), chunk(b"cont")))
    front.run(first.append(row, chunk(b"ent", start=9)))
    assert front.run(second.finish(row, digest_of(DATA), chunk(), actor=ACTOR)).size == len(DATA)


def test_a_digest_in_another_algorithm_is_computed_from_the_bytes(front, uploads, row):
    front.run(uploads.append(row, chunk(DATA)))
    assert front.run(uploads.finish(row, digest_of(DATA, "sha512"), chunk(), actor=ACTOR)).digest == digest_of(
        DATA, "sha512"
    )


@pytest.mark.parametrize("bounds", [{"session_limit": 2}, {"session_share": 2}])
def test_sessions_are_bounded(front, make_uploads, bounds):
    uploads = make_uploads(**bounds)
    rows = [front.run(uploads.start(A, "ada")) for _ in range(2)]
    for each in rows:
        front.run(uploads.append(each, chunk(DATA)))
    with front.unchanged(), pytest.raises(TooManyRequests):
        front.run(uploads.start(A, "ada"))
    front.run(uploads.cancel(rows[0]))
    front.run(uploads.start(A, "ada"))


def test_each_identity_has_its_own_share(front, make_uploads):
    uploads = make_uploads(session_share=1)
    opened = [("ada", ""), ("eve", ""), ("anonymous", "192.0.2.1"), ("anonymous", "192.0.2.2")]
    rows = [front.run(uploads.start(A, identity, client=client)) for identity, client in opened]
    assert [front.run(uploads.get(A, each.identity, each.session)) for each in rows] == rows


def test_the_oldest_empty_session_of_a_share_is_ended_for_a_new_one(front, make_uploads, clock):
    uploads = make_uploads(session_share=3)
    others = front.run(uploads.start(A, "eve"))
    full, oldest, younger = [], [], []
    for opened in (full, oldest, younger):
        clock.advance(1)
        opened.append(front.run(uploads.start(A, "ada")))
    front.run(uploads.append(full[0], chunk(DATA)))
    newest = front.run(uploads.start(B, "ada"))
    with pytest.raises(BlobUploadUnknown):
        front.run(uploads.get(A, "ada", oldest[0].session))
    for each in (*full, *younger, newest, others):
        assert front.run(uploads.get(each.repository, each.identity, each.session)).received.size == (
            len(DATA) if each in full else 0
        )


def test_a_session_that_receives_its_first_bytes_is_not_ended(front, make_uploads):
    uploads = make_uploads(session_share=1)
    row = front.run(uploads.start(A, "ada"))

    async def scenario():
        started, go_on = asyncio.Event(), asyncio.Event()
        first = asyncio.ensure_future(uploads.append(row, Chunk(slow(started, go_on))))
        await started.wait()
        with pytest.raises(TooManyRequests):
            await uploads.start(A, "ada")
        go_on.set()
        return await first

    assert front.run(scenario()).received.size == 2 * len(DATA)


def test_an_idle_session_is_found_behind_many_that_receive_their_first_bytes(front, make_uploads, clock):
    busy = 2 * EMPTY_PAGE + 1
    uploads = make_uploads(session_limit=busy + 1, session_share=busy + 1)
    rows = [front.run(uploads.start(A, "ada")) for _ in range(busy)]
    clock.advance(1)
    empty = front.run(uploads.start(A, "ada"))

    async def scenario():
        go_on, appends = asyncio.Event(), []
        for row in rows:
            started = asyncio.Event()
            appends.append(asyncio.ensure_future(uploads.append(row, Chunk(slow(started, go_on)))))
            await started.wait()
        newest = await uploads.start(A, "ada")
        go_on.set()
        await asyncio.gather(*appends)
        return newest

    assert front.run(uploads.get(A, "ada", front.run(scenario()).session))
    with pytest.raises(BlobUploadUnknown):
        front.run(uploads.get(A, "ada", empty.session))


async def slow(started, go_on):
    """Yield half, and the other half when it may."""
    yield DATA
    started.set()
    await go_on.wait()
    yield DATA


def test_a_cancelled_session_is_removed(front, uploads, row):
    front.run(uploads.append(row, chunk(DATA)))
    front.run(uploads.cancel(row))
    for work in (
        uploads.append(row, chunk()),
        uploads.finish(row, digest_of(DATA), chunk(), actor=ACTOR),
        uploads.cancel(row),
    ):
        with front.unchanged(), pytest.raises(BlobUploadUnknown):
            front.run(work)


def test_only_old_sessions_expire(front, uploads, clock):
    old = front.run(uploads.start(A, "ada"))
    touched = front.run(uploads.start(A, "ada"))
    clock.advance(100)
    front.run(uploads.append(touched, chunk(DATA)))
    assert front.run(uploads.expire(clock.now() - 50, known=bool, unknown_before=0.0)) == 1
    with pytest.raises(BlobUploadUnknown):
        front.run(uploads.get(A, "ada", old.session))
    assert front.run(uploads.finish(touched, digest_of(DATA), chunk(), actor=ACTOR)).size == len(DATA)


def test_sessions_expire_however_many_there_are(front, make_uploads, clock, monkeypatch):
    monkeypatch.setattr(module, "PAGE", 2)
    uploads = make_uploads()
    for _ in range(7):
        front.run(uploads.start(A, "ada"))
    clock.advance(1)
    assert front.run(uploads.expire(clock.now(), known=bool, unknown_before=0.0)) == 7
    assert front.run(uploads.page("", 9)) == []


def test_sessions_of_unknown_identities_expire_sooner(front, uploads, clock):
    rows = [front.run(uploads.start(A, identity)) for identity in ("ada", "eve")]
    clock.advance(100)
    front.run(uploads.start(A, "eve"))
    sooner = clock.now() - 50
    assert front.run(uploads.expire(0.0, known={"ada", "eve"}.__contains__, unknown_before=sooner)) == 0
    assert front.run(uploads.expire(0.0, known={"ada"}.__contains__, unknown_before=sooner)) == 1
    assert front.run(uploads.get(A, "ada", rows[0].session)) == rows[0]
    assert len(front.run(uploads.page("", 9))) == 2


def test_a_session_that_is_written_to_does_not_expire(front, uploads, row, clock):
    clock.advance(100)

    async def scenario():
        async with front.kept.stores.rows.sessions.hold(row.session):
            return await uploads.expire(clock.now(), known=bool, unknown_before=0.0)

    assert front.run(scenario()) == 0
    assert front.run(uploads.get(A, "ada", row.session))


@pytest.mark.parametrize("damage", [b"SOME CONTENT", b""])
def test_a_damaged_file_is_healed_by_any_push_of_its_content(front, uploads, damage):
    front.push_blob("other", DATA)
    front.run(front.kept.stores.content.put(digest_of(DATA), damage))
    front.run(uploads.put(A, digest_of(DATA), chunk(DATA), actor=ACTOR))
    for repository in ("other", "a"):
        assert front.get(f"/v2/{repository}/blobs/{digest_of(DATA)}").body == DATA


def test_content_collected_during_its_push_is_placed_again(front, uploads, clock, monkeypatch):
    digest, store = front.push_blob("a", DATA), front.kept.stores.uploads
    front.delete(f"/v2/a/blobs/{digest}")
    clock.advance(2 * 24 * 3600)
    publish, collected = store.publish, []

    async def publish_then_collect(*what):
        place = await publish(*what)
        if not collected:  # the second attempt keeps collectors away
            collected.append((await front.services.garbage.collect()).contents)
        return place

    monkeypatch.setattr(store, "publish", publish_then_collect)
    front.run(uploads.put(A, digest, chunk(DATA), actor=ACTOR))
    assert collected == [1]
    assert front.get(f"/v2/a/blobs/{digest}").body == DATA


def test_content_condemned_by_a_dead_collector_is_removed_by_the_next_push(front, uploads, clock, monkeypatch):
    digest, rows = front.push_blob("a", DATA), front.kept.stores.rows
    front.delete(f"/v2/a/blobs/{digest}")
    front.run(rows.garbage.end_holdings(clock.now() + 1, 9))
    front.run(uploads.put(A, digest, chunk(DATA), actor=ACTOR))
    assert front.run(rows.contents.removals()) == 1
    assert front.get(f"/v2/a/blobs/{digest}").body == DATA


def test_content_removed_each_time_is_unavailable_and_no_blob(front, uploads, row, monkeypatch):
    async def removed(*_blob, **_how):
        return ContentRemoved()

    monkeypatch.setattr(front.kept.stores.rows.blobs, "add_blob", removed)
    with pytest.raises(Unavailable):
        front.run(uploads.finish(row, digest_of(DATA), chunk(DATA), actor=ACTOR))
    assert front.run(front.kept.stores.rows.blobs.find_blob(A, digest_of(DATA))) is None


def test_a_session_that_ends_while_it_is_written_to_is_unknown(front, uploads, row, monkeypatch):
    async def gone(_row):
        return None

    monkeypatch.setattr(front.kept.stores.rows.sessions, "update_session", gone)
    with pytest.raises(BlobUploadUnknown):
        front.run(uploads.append(row, chunk(DATA)))


def test_a_session_stays_with_a_cancelled_request_until_its_row_is_written(disk_front):
    """Otherwise the row, written late, would give its digest to the bytes of the next request."""
    uploads = disk_front.services.registry.uploads
    lock = open_lock(disk_front.kept.layout.database)

    async def scenario():
        row = await uploads.start(A, "ada")
        fcntl.flock(lock, fcntl.LOCK_EX)
        cancelled = asyncio.create_task(uploads.append(row, chunk(b"good")))
        await asyncio.sleep(0.2)  # its bytes are written, its row waits
        cancelled.cancel()
        newer = asyncio.create_task(uploads.append(row, chunk(b"evil", start=0)))
        await asyncio.sleep(0.1)
        os.close(lock)
        await asyncio.wait([cancelled])
        with pytest.raises(RangeInvalid):
            await newer
        assert cancelled.cancelled()
        row = await uploads.get(A, "ada", row.session)
        assert row.received.size == 4
        await uploads.finish(row, digest_of(b"good"), chunk(), actor=ACTOR)

    disk_front.run(scenario())
    assert disk_front.get(f"/v2/a/blobs/{digest_of(b'good')}").body == b"good"


def test_bytes_without_a_session_are_removed(front, uploads):
    with front.unchanged():
        front.run(front.kept.stores.uploads.extend("orphan", Received(), "sha256", stream_of(DATA)))
        assert front.run(uploads.expire(time.time() + 60, known=bool, unknown_before=0.0)) == 1


def test_a_session_whose_bytes_were_published_without_a_row_can_be_finished_again(front, uploads, row, monkeypatch):
    digest = digest_of(DATA)
    row = front.run(uploads.append(row, chunk(DATA)))

    async def full(*_arguments, **_how):
        raise StorageFull("add a blob", "no room")

    with monkeypatch.context() as patch:
        patch.setattr(front.kept.stores.rows.blobs, "add_blob", full)
        with pytest.raises(StorageFull):
            front.run(uploads.finish(row, digest, chunk(), actor=ACTOR))
    with pytest.raises(BlobUnknown):
        front.run(front.services.registry.blobs.open(A, digest))
    front.run(uploads.require_bytes(row))
    assert front.run(uploads.finish(row, digest, chunk(), actor=ACTOR)) == ContentRecord(digest, len(DATA))
    assert front.get(f"/v2/a/blobs/{digest}").body == DATA


@pytest.mark.parametrize("size", [0, 4])
def test_a_session_published_without_a_row_continues_in_a_copy(disk_front, monkeypatch, size):
    whole = DATA + b"the rest"
    digest = disk_front.push_blob("victim", whole)
    location = disk_front.open_session("a")
    if size:
        location = disk_front.patch(location, body=whole[:size]).location

    async def fail(*_blob, **_how):
        raise StorageFull("write rows", "no room")

    with monkeypatch.context() as patch:
        patch.setattr(disk_front.kept.stores.rows.blobs, "add_blob", fail)
        assert disk_front.put(f"{location}?digest={digest}", body=whole[size:]).status == 507
    assert disk_front.get(location).status == 204
    assert disk_front.patch(location, body=b" other").status == 202
    other = whole[:size] + b" other"
    assert disk_front.put(f"{location}?digest={digest_of(other)}").status == 201
    assert disk_front.get(f"/v2/a/blobs/{digest_of(other)}").body == other
    assert disk_front.get(f"/v2/victim/blobs/{digest}").body == whole


@pytest.mark.parametrize("way", ["put", "finish", "cancel", "refuse"])
def test_a_failed_removal_of_bytes_does_not_change_the_result(front, uploads, row, monkeypatch, way):
    """They are the collector's then: a push that is done is not called a failure, nor a wrong digest."""

    async def discard(*_session):
        raise StorageFault("remove a file", "the disk does not answer")

    digest = digest_of(DATA)
    monkeypatch.setattr(front.services.stores.uploads, "discard", discard)
    match way:
        case "put":
            assert front.run(uploads.put(A, digest, chunk(DATA), actor=ACTOR)) == ContentRecord(digest, len(DATA))
        case "finish":
            assert front.run(uploads.finish(row, digest, chunk(DATA), actor=ACTOR)) == ContentRecord(digest, len(DATA))
        case "cancel":
            front.run(uploads.cancel(row))
        case "refuse":
            with pytest.raises(DigestInvalid):
                front.run(uploads.finish(row, digest, chunk(b"other"), actor=ACTOR))
    if way != "put":
        with pytest.raises(BlobUploadUnknown):
            front.run(uploads.get(A, "ada", row.session))


def test_a_blob_in_one_request_begins_at_its_first_byte(front, uploads):
    with front.unchanged(), pytest.raises(BlobUploadInvalid):
        front.run(uploads.put(A, digest_of(DATA), chunk(DATA, start=5, size=len(DATA)), actor=ACTOR))
