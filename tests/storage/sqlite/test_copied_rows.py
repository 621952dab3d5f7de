"""The rows of a copied database."""

import os

import pytest

from simple_registry.faults import StorageFault
from simple_registry.oci.digests import digest_of
from simple_registry.oci.names import Tag
from simple_registry.storage.records import ContentRecord, Place
from simple_registry.storage.sqlite import copied_rows
from simple_registry.storage.sqlite.copied_rows import CopiedRows
from storage.support import REPOSITORY, manifest_of, run
from support.actors import ACTOR

BLOB = digest_of(b"blob")


@pytest.fixture
def manifest(store):
    """A tagged manifest with one blob; a second blob is deleted, a third one condemned."""
    manifest = manifest_of(b"manifest", children=(BLOB,))
    for data in (b"blob", b"deleted"):
        run(store.blobs.add_blob(REPOSITORY, ContentRecord(digest_of(data), len(data)), removals=0, actor=ACTOR))
    put = store.manifests.put_manifest(
        REPOSITORY, manifest, tags=[Tag("v1")], parts=(), place=Place(""), removals=0, actor=ACTOR
    )
    run(put)
    run(store.blobs.remove_blob(REPOSITORY, digest_of(b"deleted"), actor=ACTOR))
    return manifest


def test_all_content_that_a_repository_holds_is_found_page_by_page(path, manifest, look, monkeypatch):
    look("INSERT INTO contents (digest, size, state) VALUES (?, 1, 'condemned')", str(digest_of(b"condemned")))
    monkeypatch.setattr(copied_rows, "_PAGE", 1)
    with CopiedRows(path) as rows:
        found = list(rows.contents())
        assert [record.digest for record in found] == sorted([BLOB, manifest.digest, digest_of(b"deleted")], key=str)
        assert rows.totals() == (3, sum(record.size for record in found))


def test_uses_are_those_of_the_copied_rows(path, manifest):
    with CopiedRows(path) as rows:
        assert rows.uses(BLOB, 9).tags == (f"{REPOSITORY}:v1",)
        assert rows.uses(digest_of(b"deleted"), 9).repositories == ()


def test_sessions_are_forgotten_and_no_log_stays(path, look):
    look(
        "INSERT INTO upload_sessions (session, repository, identity, algorithm, received, touched, started, client) "
        "VALUES ('s', 'a', 'bob', 'sha256', 0, 0, 0, '')"
    )
    with CopiedRows(path) as rows:
        rows.forget_sessions()
    assert look("SELECT count(*) FROM upload_sessions") == [(0,)]


def test_graces_begin_anew_when_rows_of_another_time_are_resumed(path, manifest, look):
    look("UPDATE repository_blobs SET extended = 1, since = 5 WHERE state = 'deleted'")
    before = look("SELECT digest, state, since, extended FROM repository_blobs WHERE state = 'needed'")
    with CopiedRows(path) as rows:
        rows.resume(1000.0)
    after = look("SELECT digest, state, since, extended FROM repository_blobs WHERE state <> 'needed'")
    assert after == [(str(digest_of(b"deleted")), "deleted", 1000.0, 0)]
    assert look("SELECT digest, state, since, extended FROM repository_blobs WHERE state = 'needed'") == before


def test_graces_of_deleted_manifests_begin_anew(path, store, manifest, look):
    run(store.manifests.remove_manifest(REPOSITORY, manifest.digest, tags=[Tag("v1")], actor=ACTOR))
    look("UPDATE manifests SET extended = 1, since = 5")
    with CopiedRows(path) as rows:
        rows.resume(1000.0)
    assert look("SELECT state, since, extended FROM manifests") == [("deleted", 1000.0, 0)]
    assert look("SELECT DISTINCT since FROM repository_blobs") == [(1000.0,)]


@pytest.mark.parametrize("events", [0, 3])
def test_ids_of_events_do_not_come_again(path, look, events):
    insert = (
        "INSERT INTO journal (time, action, repository, identity, credential, request) VALUES (0, 'x', 'a', '', '', '')"
    )
    for _ in range(events):
        look(insert)
    with CopiedRows(path) as rows:
        rows.resume(1000.0)
    look(insert)
    assert look("SELECT max(id) FROM journal") == [(events + copied_rows.SKIPPED_IDS + 1,)]


def test_condemned_content_is_forgotten(path, manifest, look):
    look("INSERT INTO contents (digest, size, state) VALUES (?, 1, 'condemned')", str(digest_of(b"condemned")))
    with CopiedRows(path) as rows:
        rows.forget_condemned()
    assert look("SELECT count(*), count(*) FILTER (WHERE state = 'whole') FROM contents") == [(3, 3)]


def test_a_database_that_cannot_be_opened_is_a_fault(tmp_path):
    with pytest.raises(StorageFault, match="read the copied rows"):
        CopiedRows(str(tmp_path / "none.db"))
    assert os.listdir(tmp_path) == []
