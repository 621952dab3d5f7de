"""The background reader finds what no read notices, marks it, and gives the rest no work."""

import asyncio
import logging
import os
import shutil
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from simple_registry.config.settings import Scrub as Settings
from simple_registry.faults import InReadOnlyMode, StorageFault
from simple_registry.oci.digests import digest_of
from simple_registry.operations import scrub as module
from simple_registry.operations.scrub import Pace, Scrub
from support.checking import check, execute, found
from support.documents import push_image

LAYER = b"a layer " * 1000
DIGEST = digest_of(LAYER)
PERIOD = 3600.0
FAST = 10**12


@pytest.fixture
def front(disk_front):
    push_image(disk_front, "a", "v1", LAYER)
    return disk_front


@pytest.fixture
def path(front):
    return Path(front.kept.layout.blob(DIGEST))


@pytest.fixture
def scrub(front):
    @asynccontextmanager
    async def opened():
        yield front.kept.inspection

    return Scrub(opened, front.services.registry.read_only, front.clock, period=PERIOD, rate=FAST)


def scrub_once(front, scrub):
    front.run(scrub.round(front.kept.inspection))


def rot(path, data):
    """Change bytes as a failing disk does: nothing else of the file changes."""
    before = path.stat()
    path.chmod(0o600)
    path.write_bytes(data)
    path.chmod(0o444)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def verified(front):
    database = front.kept.stores.rows.contents._database
    return {str(digest): when for digest, when in database.rows("SELECT digest, verified FROM contents")}


def test_content_is_read_when_its_period_is_over(front, scrub):
    pushed = front.clock.now()
    scrub_once(front, scrub)
    assert scrub.counts == {"whole": 0, "damaged": 0}
    front.clock.advance(PERIOD + 1)
    scrub_once(front, scrub)
    assert scrub.counts == {"whole": 3, "damaged": 0}
    assert scrub.progress.bytes_read > len(LAYER)
    assert set(verified(front).values()) == {pushed + PERIOD + 1}
    scrub_once(front, scrub)
    assert scrub.counts["whole"] == 3


def test_content_of_an_older_version_is_read_first(front, scrub):
    execute(front, "UPDATE contents SET verified = 0, stamp = '' WHERE digest = ?", str(DIGEST))
    scrub_once(front, scrub)
    assert scrub.counts == {"whole": 1, "damaged": 0}
    assert front.run(front.services.registry.blobs.check("a", DIGEST, may_push=lambda: True)).stamp


@pytest.mark.parametrize(
    ("data", "kind"),
    [(LAYER[::-1], "damaged"), (bytes(len(LAYER)), "damaged"), (LAYER[:-1], "short"), (None, "missing")],
)
def test_damage_is_marked_kept_aside_and_healed_by_a_push(front, scrub, path, caplog, data, kind):
    if data is None:
        path.unlink()
    else:
        rot(path, data)
    front.clock.advance(PERIOD + 1)
    with caplog.at_level(logging.ERROR):
        scrub_once(front, scrub)
    assert scrub.counts == {"whole": 2, "damaged": 1}
    assert [record.fields["tags"] for record in caplog.records] == [("a:v1",)]
    assert front.head(f"/v2/a/blobs/{DIGEST}").status == 404
    assert found(check(front)) == [(kind, str(DIGEST), False)]
    front.push_blob("a", LAYER)
    assert front.get(f"/v2/a/blobs/{DIGEST}").body == LAYER
    assert check(front) == []
    kept = [each.read_bytes() for each in Path(front.kept.layout.quarantine).glob("*")]
    assert kept == ([] if data is None else [data])


@pytest.mark.parametrize("replaced", [False, True])
def test_nothing_is_damaged_while_the_tree_is_unmounted_or_replaced(front, scrub, replaced):
    blobs = Path(front.kept.layout.blobs)
    blobs.rename(away := blobs.with_name("away"))
    if replaced:
        for directory in front.kept.layout.directories():
            Path(directory).mkdir(exist_ok=True)
    front.clock.advance(PERIOD + 1)
    with pytest.raises(StorageFault, match="was replaced since the start"):
        scrub_once(front, scrub)
    if replaced:
        shutil.rmtree(blobs)
    away.rename(blobs)
    scrub_once(front, scrub)
    assert scrub.counts == {"whole": 3, "damaged": 0}


def test_content_that_a_mount_brings_back_is_whole_again(front, scrub, path, monkeypatch):
    """The tree went after it was found to be there, and before the file was looked for."""
    path.rename(away := path.with_name("away"))
    mark = front.kept.inspection.stores.contents.mark_damaged

    async def remount(record):
        away.rename(path)
        return await mark(record)

    monkeypatch.setattr(front.kept.inspection.stores.contents, "mark_damaged", remount)
    front.clock.advance(PERIOD + 1)
    scrub_once(front, scrub)
    assert check(front) == []


def test_a_rotten_file_is_served_until_it_is_read(front, path):
    """This is what `scrub` is for; if it fails, the documents about durability can promise more."""
    rot(path, LAYER[::-1])
    assert front.get(f"/v2/a/blobs/{DIGEST}").body == LAYER[::-1]


def test_bytes_that_a_push_replaced_are_not_kept(front, path):
    stored = front.run(front.kept.inspection.contents.find(DIGEST, ""))
    front.push_blob("a", LAYER)
    assert front.run(front.kept.inspection.tree.keep_damaged(stored)) is None
    assert list(Path(front.kept.layout.quarantine).glob("*")) == []


def test_content_without_end_is_read_once_in_a_round(front, scrub, monkeypatch):
    async def fail(_stamps):
        pass

    monkeypatch.setattr(front.kept.inspection.stores.contents, "mark_verified", fail)
    monkeypatch.setattr(module, "PAGE", 1)
    front.clock.advance(PERIOD + 1)
    scrub_once(front, scrub)
    assert scrub.counts["whole"] == 3


def test_rows_are_written_within_a_minute(front, scrub, monkeypatch):
    written = []
    mark = front.kept.inspection.stores.contents.mark_verified

    async def marked(stamps):
        written.append(len(stamps))
        await mark(stamps)

    monkeypatch.setattr(front.kept.inspection.stores.contents, "mark_verified", marked)
    monkeypatch.setattr(module, "WRITE_INTERVAL", 0.0)
    front.clock.advance(PERIOD + 1)
    scrub_once(front, scrub)
    assert written == [1, 1, 1]


def test_read_only_mode_pauses_it(front, scrub, caplog):
    async def refuse():
        raise InReadOnlyMode("write rows", "a move")

    front.services.registry.read_only.require_off = refuse
    front.clock.advance(PERIOD + 1)
    with front.unchanged():
        scrub_once(front, scrub)
    assert "scrubbing waits" in caplog.text


def test_a_cancelled_reader_ends_at_once(front, scrub, monkeypatch):
    monkeypatch.setattr(module, "INTERVAL", 0.001)
    monkeypatch.setattr(scrub._pace, "_rate", 1)
    reading, count = asyncio.Event(), scrub.progress.read

    def read(size):
        front._loop.call_soon_threadsafe(reading.set)
        count(size)

    monkeypatch.setattr(scrub.progress, "read", read)
    front.clock.advance(PERIOD + 1)

    async def scenario():
        running = asyncio.ensure_future(scrub.run())
        await asyncio.wait_for(reading.wait(), 10)
        running.cancel()
        await asyncio.wait_for(asyncio.gather(running, return_exceptions=True), 5)
        assert running.cancelled()

    front.run(scenario())


def test_a_reader_keeps_its_pace():
    pace = Pace(rate=1000)
    loop_time = asyncio.new_event_loop()
    try:
        before = loop_time.time()
        pace.read(20)
        assert loop_time.time() - before >= 0.02
    finally:
        loop_time.close()
    pace.stop()
    with pytest.raises(StorageFault):
        pace.read(10**9)


def test_the_default_reads_everything_in_a_month():
    assert (Settings().period, Settings().rate) == (30 * 86400, 20 * 2**20)
