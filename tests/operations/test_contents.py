"""Content between its rows and its bytes: what is opened, placed, removed, and what interrupts that."""

import asyncio
from pathlib import Path

import pytest

from simple_registry.faults import StorageFault, StorageFull, StorageReadOnly
from simple_registry.oci.digests import digest_of
from simple_registry.oci.errors import Unavailable
from simple_registry.oci.preconditions import PreconditionUnmet
from simple_registry.operations.contents import MAX_ATTEMPTS, Contents
from simple_registry.services import build_contents
from simple_registry.storage.records import BlobAdded, ContentRecord, ContentRemoved, PartsUnmet, Place, Placed
from simple_registry.storage.sqlite.removals import without_removals

DATA = b"content"
RECORD = ContentRecord(digest_of(DATA), len(DATA))


@pytest.fixture
def stores(front):
    return front.kept.stores


@pytest.fixture
def contents(stores):
    return Contents(stores.rows.contents, stores.rows.garbage, stores.content)


def push(front, contents, outcomes):
    """Place content, confirmed by these outcomes; returns the counts of removals that it saw, and its end."""
    seen, left = [], iter(outcomes)

    async def confirm(_place, removals):
        seen.append(removals)
        return next(left)

    end = front.run(contents.place(RECORD.digest, publish=lambda: contents.put(RECORD.digest, DATA), confirm=confirm))
    return seen, end


def test_content_is_placed_once_when_nothing_was_removed(front, contents):
    assert push(front, contents, [BlobAdded()]) == ([0], BlobAdded())


def test_content_is_placed_again_after_each_removal(front, contents, stores, clock):
    front.push_blob("a", DATA)
    front.delete(f"/v2/a/blobs/{RECORD.digest}")
    front.run(stores.rows.garbage.end_holdings(clock.now() + 1, 9))
    seen, _end = push(front, contents, [ContentRemoved(), ContentRemoved(), BlobAdded()])
    assert seen == [0, 1, 1]  # the removal of its own condemned content was finished by it
    assert front.run(stores.content.has(RECORD))


def test_removals_of_other_content_do_not_exhaust_the_attempts(front, contents, stores):
    met = []

    async def remove_other_content():
        async with stores.rows.garbage.collecting():
            await stores.rows.garbage.forget([ContentRecord(digest_of(b"other"), 5)])
            met.append("a removal")

    async def confirm(_place, _removals):
        met.append("a confirmation")
        if len(met) == 1:
            await remove_other_content()
            return ContentRemoved()
        others = asyncio.create_task(remove_other_content())
        await asyncio.wait([others], timeout=0.1)
        others.cancel()
        await asyncio.gather(others, return_exceptions=True)
        return BlobAdded()

    place = contents.place(RECORD.digest, publish=lambda: contents.put(RECORD.digest, DATA), confirm=confirm)
    assert front.run(place) == BlobAdded()
    assert met == ["a confirmation", "a removal", "a confirmation"]


def test_content_removed_at_each_attempt_is_unavailable(front, contents):
    with pytest.raises(Unavailable):
        push(front, contents, [ContentRemoved()] * MAX_ATTEMPTS)


def test_a_surplus_place_is_removed(front, contents, stores, monkeypatch):
    removed = []

    async def remove(record):
        removed.append(record)

    monkeypatch.setattr(stores.content, "remove", remove)
    surplus = ContentRecord(RECORD.digest, RECORD.size, Place("other"))
    push(front, contents, [BlobAdded(surplus)])
    assert removed == [surplus]


@pytest.mark.parametrize("end", [BlobAdded(), PartsUnmet([]), PreconditionUnmet("v1", None)])
def test_places_of_a_push_that_no_row_names_are_removed(front, contents, stores, monkeypatch, end):
    given, removed = [], []

    async def put(_digest, _data):
        given.append(Place(str(len(given))))
        return Placed(given[-1])

    async def remove(record):
        removed.append(record.place)

    monkeypatch.setattr(stores.content, "put", put)
    monkeypatch.setattr(stores.content, "remove", remove)
    push(front, contents, [ContentRemoved(), end])
    assert removed == (given[:1] if isinstance(end, BlobAdded) else given)


def test_a_place_that_all_pushes_share_is_left(front, contents, stores):
    push(front, contents, [PartsUnmet([])])
    assert front.run(stores.content.has(RECORD))


def test_a_surplus_place_that_cannot_be_removed_changes_no_answer(front, contents, stores, monkeypatch):
    async def fail(_record):
        raise StorageFault("remove content", "the disk")

    monkeypatch.setattr(stores.content, "remove", fail)
    added = BlobAdded(ContentRecord(RECORD.digest, RECORD.size, Place("other")))
    assert push(front, contents, [added]) == ([0], added)


def test_content_without_bytes_is_absent_and_marked_as_damaged(front, contents, stores, caplog):
    front.push_blob("a", DATA)
    record = front.run(contents.find(RECORD.digest))
    front.kept.write(RECORD.digest, None)
    assert front.run(contents.open(record)) is None
    assert not front.run(contents.has(record))
    assert front.run(contents.find(RECORD.digest)) is None
    assert [line.levelname for line in caplog.records if str(RECORD.digest) in line.getMessage()] == ["ERROR"]


def test_content_whose_tree_is_away_for_a_while_is_not_damaged(disk_front):
    disk_front.push_blob("a", DATA)
    tree = Path(disk_front.kept.layout.blobs)
    aside = tree.rename(f"{tree}.aside")
    tree.mkdir()  # an empty mount point
    assert disk_front.get(f"/v2/a/blobs/{RECORD.digest}").status == 503
    assert disk_front.head(f"/v2/a/blobs/{RECORD.digest}").status == 503
    tree.rmdir()
    aside.rename(tree)
    assert disk_front.get(f"/v2/a/blobs/{RECORD.digest}").body == DATA


@pytest.mark.parametrize("fault", [StorageFull, StorageReadOnly, StorageFault])
def test_damaged_content_is_absent_even_if_its_row_cannot_be_marked(front, contents, stores, monkeypatch, fault):
    front.push_blob("a", DATA)
    front.kept.write(RECORD.digest, None)

    async def fail(_record):
        raise fault("write rows", "the disk")

    monkeypatch.setattr(stores.rows.contents, "mark_damaged", fail)
    assert front.run(contents.open(RECORD)) is None


def test_content_that_cannot_be_removed_holds_up_no_other(front, contents, stores, clock, monkeypatch, caplog):
    digests = sorted(front.push_blob("a", bytes([number])) for number in range(5))
    for digest in digests:
        front.delete(f"/v2/a/blobs/{digest}")
    front.run(stores.rows.garbage.end_holdings(clock.now() + 1, 9))
    remove, stuck = stores.content.remove, set(digests[:2])

    async def fail(record):
        if record.digest in stuck:
            raise StorageFault("remove a file", "the disk")
        await remove(record)

    monkeypatch.setattr(stores.content, "remove", fail)
    assert [front.run(contents.remove_condemned(2)).count for _ in range(3)] == [0, 2, 1]
    assert {each.digest for each in front.run(stores.rows.garbage.page_condemned(None, 9))} == stuck
    logged = [line.getMessage() for line in caplog.records if line.levelname == "WARNING"]
    assert logged == [f"content {digest} cannot be removed: cannot remove a file: the disk" for digest in digests[:2]]
    stuck.clear()
    assert front.run(contents.remove_condemned(2)).count == 2


def test_condemned_content_of_a_dead_collector_is_removed(front, contents, stores, clock):
    front.push_blob("a", DATA)
    front.delete(f"/v2/a/blobs/{RECORD.digest}")
    front.run(stores.rows.garbage.end_holdings(clock.now() + 1, 9))
    assert front.run(contents.remove_condemned(9)).count == 1
    assert front.run(contents.remove_condemned(9)).count == 0
    assert not front.run(stores.content.has(RECORD))


def test_nothing_is_removed_while_a_backup_is_made(disk_front, clock):
    kept = disk_front.kept
    contents = build_contents(kept.stores)
    disk_front.push_blob("a", DATA)
    disk_front.delete(f"/v2/a/blobs/{RECORD.digest}")
    disk_front.run(kept.stores.rows.garbage.end_holdings(clock.now() + 1, 9))
    with without_removals(kept.layout.database):
        assert disk_front.run(contents.remove_condemned(9)).count == 0
        assert disk_front.run(kept.stores.content.has(RECORD))
    assert disk_front.run(contents.remove_condemned(9)).count == 1
