"""Copying content: what is whole is copied, what is not is named with what uses it."""

import pytest

from simple_registry.backends import copying
from simple_registry.backends.copying import SMALL_FILES, copy_content, copy_small_files
from simple_registry.cli.first_run import FILE_NAME, OVER_NAME
from simple_registry.faults import StorageFault
from simple_registry.oci.digests import digest_of
from simple_registry.storage.filesystem.layout import Layout


class Target:
    """Keeps what it is given."""

    def __init__(self, linked=()):
        self.content, self.files, self.linked = {}, {}, linked

    def write_file(self, path, data):
        self.files[path] = data

    def link_content(self, record):
        return record.digest in self.linked

    def write_content(self, record, reader):
        self.content[record.digest] = reader.read()
        return reader.damage()

    def finish(self):
        pass


@pytest.fixture
def layout(front, data_dir):
    front.push_blob("a", b"one")
    front.push_blob("a", b"two")
    return Layout(data_dir)


def test_content_is_copied_or_linked_and_counted(layout, watching):
    target, watch = Target(linked={digest_of(b"two")}), watching()
    copied = copy_content(layout.database, layout, target, watch)
    assert (copied.contents, copied.size, copied.linked, copied.damaged) == (2, 6, 1, [])
    assert target.content == {digest_of(b"one"): b"one"}
    assert (watch.contents, watch.size, watch.count, watch.bytes) == (2, 6, 2, 6)


def test_missing_content_is_looked_for_again_and_then_damaged(layout, front, watching, monkeypatch):
    front.kept.write(digest_of(b"one"), None)
    waits = []
    monkeypatch.setattr(copying.time, "sleep", waits.append)
    (damaged,) = copy_content(layout.database, layout, Target(), watching(), retries=3).damaged
    assert (damaged.digest, damaged.reason, damaged.uses.repositories) == (digest_of(b"one"), "it is missing", ("a",))
    assert waits == [copying.RETRY_INTERVAL] * 3


def test_a_failure_that_is_not_about_one_content_is_a_fault(layout, watching, monkeypatch):
    def fail(self, path):
        raise StorageFault("open a file for reading", OSError(24, "Too many open files"))

    monkeypatch.setattr("simple_registry.storage.filesystem.disk.Disk.open_read", fail)
    with pytest.raises(StorageFault):
        copy_content(layout.database, layout, Target(), watching())


def test_small_files_are_copied_where_they_exist(layout, data_dir):
    (data_dir / "admin.hash").write_bytes(b"hash")
    target = Target()
    copy_small_files(layout, target)
    assert target.files == {"admin.hash": b"hash"}


def test_the_files_of_the_first_start_are_among_the_small_ones():
    assert {FILE_NAME, OVER_NAME} < set(SMALL_FILES)
