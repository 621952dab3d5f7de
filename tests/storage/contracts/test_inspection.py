"""What every store promises to whoever checks it."""

import asyncio

import pytest

from simple_registry.oci.digests import digest_of
from simple_registry.oci.names import Tag
from simple_registry.storage.filesystem.disk import Disk
from simple_registry.storage.filesystem.inspection import FilesystemInspection
from simple_registry.storage.filesystem.layout import Layout
from simple_registry.storage.filesystem.threads import Threads
from simple_registry.storage.inspection import ContentRow, Defect, Uses
from simple_registry.storage.life import ContentState
from simple_registry.storage.memory.content_inspection import MemoryContentInspection
from simple_registry.storage.records import ContentRecord, Place, Received
from simple_registry.storage.sqlite.inspection import SqliteRowInspection
from storage.support import OTHER, REPOSITORY, blob_of, manifest_of, push, put_manifest, run, session_of

DATA = b"content"
BLOB = blob_of(DATA)
BEGINNING = str(BLOB.digest)[:9]


@pytest.fixture
def rows(stores, tmp_path, clock):
    if hasattr(stores.content, "contents"):
        yield stores.rows.blobs
    else:
        rows = SqliteRowInspection(Layout(tmp_path / "data").database, clock)
        yield rows
        run(rows.close())


@pytest.fixture
def files(stores, tmp_path):
    if hasattr(stores.content, "contents"):
        yield MemoryContentInspection(stores.content, stores.uploads)
    else:
        threads = Threads()
        yield FilesystemInspection(Layout(tmp_path / "data"), Disk(), threads)
        threads.close()


def ignored(_size):
    pass


# ---------------------------------------------------------------- files


def test_content_stands_at_its_place(stores, files):
    files.check()
    assert files.contents(BEGINNING) == []
    assert files.look(files.place(BLOB.digest)) is None
    run(stores.content.put(BLOB.digest, DATA))
    assert files.contents(BEGINNING) == [BLOB.digest]
    look = files.look(files.place(BLOB.digest))
    assert (look.regular, look.readable, look.read_only, look.size) == (True, True, True, len(DATA))
    assert list(files.strays()) == []


def test_two_looks_are_equal_until_something_is_replaced(stores, files):
    place = files.place(BLOB.digest)
    run(stores.content.put(BLOB.digest, DATA))
    before = files.look(place)
    assert files.look(place) == before
    run(stores.content.put(BLOB.digest, DATA[::-1]))
    assert files.look(place) != before


def test_content_is_read_and_hashed(stores, files):
    run(stores.content.put(BLOB.digest, DATA))
    heard = []
    hashed = run(files.digest(files.place(BLOB.digest), "sha512", heard.append))
    assert hashed.digest == digest_of(DATA, "sha512")
    assert hashed.look == files.look(files.place(BLOB.digest))
    assert sum(heard) == len(DATA)
    assert run(files.read(BLOB.digest, 3)) == DATA[:3]
    absent = digest_of(b"absent")
    assert run(files.digest(files.place(absent), "sha256", ignored)) is None
    assert run(files.read(absent, 3)) is None


def test_only_what_was_seen_is_set_aside(stores, files):
    place = files.place(BLOB.digest)
    run(stores.content.put(BLOB.digest, b"damaged"))
    seen = files.look(place)
    run(stores.content.put(BLOB.digest, DATA))
    assert files.set_aside(place, seen, "name") is None
    assert run(stores.read(BLOB)) == DATA
    assert files.set_aside(place, files.look(place), "name") == "quarantine/name.1"
    assert files.look(place) is None
    run(stores.content.put(BLOB.digest, DATA))
    assert files.set_aside(place, files.look(place), "name") == "quarantine/name.2"


def test_sessions_and_whether_they_are_being_written_are_seen(stores, files):
    async def slow(begun, goes_on):
        for _ in range(200):  # the first batch is written before the third is gathered
            yield DATA
        begun.set()
        await goes_on.wait()

    async def scenario():
        begun, goes_on = asyncio.Event(), asyncio.Event()
        extending = asyncio.ensure_future(stores.uploads.extend("s", Received(), "sha256", slow(begun, goes_on)))
        await begun.wait()
        assert files.busy("s")
        goes_on.set()
        received = await extending
        assert not files.busy("s")
        assert files.sessions() == ["s"]
        place = files.session_place("s")
        assert files.look(place).size == received.size == 200 * len(DATA)
        assert files.set_aside(place, files.look(place), "s") == "quarantine/s.1"
        assert files.sessions() == []

    run(scenario())


def test_content_is_confirmed_by_its_size(stores, files):
    assert not files.confirm(BLOB)
    run(stores.content.put(BLOB.digest, DATA))
    assert files.confirm(BLOB)
    assert not files.confirm(blob_of(DATA + b"x"))
    files.protect(files.place(BLOB.digest))
    assert files.look(files.place(BLOB.digest)).read_only


# ---------------------------------------------------------------- rows


def test_rows_are_told_in_pages(stores, rows):
    assert (rows.totals(), rows.has_repositories()) == ((0, 0), False)
    same = [blob for blob in map(blob_of, map(str.encode, map(str, range(2000)))) if str(blob.digest)[7:9] == "ab"]
    assert len(same) > 2
    for blob in same:
        run(stores.rows.blobs.add_blob(REPOSITORY, blob, removals=0))
    assert rows.totals() == (len(same), sum(blob.size for blob in same))
    assert rows.has_repositories()
    found, after = [], None
    while page := rows.page_contents("sha256:ab", after, 2):
        found += page
        after = page[-1].digest
    assert found == [
        ContentRow(blob.digest, blob.size, ContentState.WHOLE) for blob in sorted(same, key=lambda blob: blob.digest)
    ]
    assert rows.page_contents("sha256:ac", None, 10) == []
    assert run(rows.check_database(thorough=True)) == []


def test_uses_are_the_repositories_and_all_tags_above(stores, rows):
    async def scenario():
        await push(stores, "s", DATA)
        await push(stores, "s", DATA, OTHER)
        image = await put_manifest(stores, b"image", children=(BLOB.digest,))
        index = manifest_of(b"index", children=(image.digest,))
        await stores.rows.manifests.put_manifest(
            REPOSITORY, index, tags=[Tag("v1"), Tag("v2")], parts=(), place=Place(""), removals=0
        )
        assert await rows.uses(BLOB.digest, 10) == Uses((REPOSITORY, OTHER), (f"{REPOSITORY}:v1", f"{REPOSITORY}:v2"))
        assert await rows.uses(BLOB.digest, 1) == Uses((REPOSITORY,), (f"{REPOSITORY}:v1",))
        assert await rows.uses(digest_of(b"absent"), 1) == Uses((), ())

    run(scenario())


def test_sound_rows_have_no_defects(stores, rows):
    run(push(stores, "s", DATA))
    run(put_manifest(stores, b"image", children=(BLOB.digest,)))
    for defect in Defect:
        assert run(rows.page_defects(defect, None, 10)) == []


def test_missing_parts_are_told_in_pages(stores, rows):
    parts = sorted(digest_of(str(number).encode()) for number in range(5))
    manifest = run(put_manifest(stores, b"image", children=tuple(parts)))
    found, after = [], None
    while page := run(rows.page_defects(Defect.PART_MISSING, after, 2)):
        found += page
        after = page[-1]
    assert [each.name for each in found] == [str(part) for part in parts]
    assert {(each.repository, each.digest) for each in found} == {(REPOSITORY, str(manifest.digest))}
    assert not run(rows.mend(found[0]))


def test_sessions_are_told_in_pages(stores, rows):
    sessions = [session_of(name) for name in "abc"]
    for row in sessions:
        run(stores.rows.sessions.add_session(row, limit=9, share=9))
    assert run(rows.page_sessions("", 2)) == sessions[:2]
    assert run(rows.page_sessions("b", 2)) == sessions[2:]
    assert run(rows.find_session("c")) == sessions[2]
    assert run(rows.remove_session("c"))


def test_a_judge_sees_the_row_and_whether_it_is_held(stores, rows, clock):
    run(push(stores, "s", DATA))
    assert run(rows.settle(BLOB.digest, lambda row, held: (row, held))) == (
        ContentRow(BLOB.digest, BLOB.size, ContentState.WHOLE),
        True,
    )
    run(stores.rows.blobs.remove_blob(REPOSITORY, BLOB.digest))
    run(stores.rows.garbage.end_holdings(clock.now() + 1, 9))
    condemned = (ContentState.CONDEMNED, False)
    assert run(rows.settle(BLOB.digest, lambda row, held: (row.state, held))) == condemned
    assert run(rows.settle(digest_of(b"absent"), lambda row, held: (row, held))) == (None, False)
    assert run(rows.alone(lambda: "alone")) == "alone"


def test_what_a_judge_raises_passes_through(rows):
    def judge(_row, _held):
        raise LookupError

    with pytest.raises(LookupError):
        run(rows.settle(BLOB.digest, judge))


def test_adopted_content_that_nothing_holds_is_condemned(stores, rows):
    assert not run(rows.adopt(BLOB, present=lambda: False))
    assert rows.totals() == (0, 0)
    assert run(rows.adopt(BLOB, present=lambda: True))
    assert rows.page_contents(BEGINNING, None, 2) == [ContentRow(BLOB.digest, BLOB.size, ContentState.CONDEMNED)]
    assert run(stores.rows.garbage.page_condemned(5)) == [BLOB]


def test_adopted_content_that_is_held_gets_its_size_and_is_whole(stores, rows):
    run(push(stores, "s", DATA))
    run(stores.rows.contents.mark_damaged(BLOB))
    larger = ContentRecord(BLOB.digest, 99)
    assert run(rows.adopt(larger, present=lambda: True))
    assert run(stores.rows.blobs.find_blob(REPOSITORY, BLOB.digest)).content == larger
    assert rows.page_contents(BEGINNING, None, 2) == [ContentRow(BLOB.digest, 99, ContentState.WHOLE)]
