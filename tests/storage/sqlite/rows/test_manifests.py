"""Queries and columns of manifests; the contracts cover the rest."""

import pytest

from simple_registry.oci.digests import digest_of
from simple_registry.oci.names import Tag
from simple_registry.storage.records import Place
from simple_registry.storage.sqlite.rows import manifests as manifest_rows
from simple_registry.storage.sqlite.rows.manifests import _referrer
from storage.support import REPOSITORY, manifest_of, run
from support.actors import ACTOR


def test_referrers_are_found_by_their_subject(plan):
    for sql in (manifest_rows._ALL_REFERRERS, manifest_rows._REFERRERS_BY_TYPE):
        assert "subject=?" in plan(sql)[0]
        assert "digest>?" in plan(sql)[0]


def test_annotations_are_kept_as_json(store, look):
    manifest = manifest_of(b"m", annotations='{"a":"ü"}'.encode())
    run(store.manifests.put_manifest(REPOSITORY, manifest, tags=(), parts=(), place=Place(""), removals=0, actor=ACTOR))
    assert look("SELECT annotations FROM manifests") == [('{"a":"ü"}',)]


@pytest.mark.parametrize("number", [1, 40])
def test_a_page_of_referrers_is_read_within_its_bytes(store, number, monkeypatch):
    subject = digest_of(b"subject")
    annotations = b'{"a":"%s"}' % (b"x" * 60_000)

    async def scenario():
        for each in range(number):
            manifest = manifest_of(b"%d" % each, subject=subject, annotations=annotations)
            await store.manifests.put_manifest(
                REPOSITORY, manifest, tags=(), parts=(), place=Place(""), removals=0, actor=ACTOR
            )
        made = []
        monkeypatch.setattr(manifest_rows, "_referrer", lambda row: made.append(row) or _referrer(row))
        found, more = await store.manifests.page_referrers(
            REPOSITORY, subject, artifact_type=None, after=None, size=300_000
        )
        return found, more, made

    found, more, made = run(scenario())
    assert (len(found), more) == (min(number, 4), number > 1)
    assert len(made) <= 6


def test_nothing_is_left_of_a_manifest_that_ended(store, look):
    manifest = manifest_of(b"m", children=(digest_of(b"a"), digest_of(b"b")))
    run(
        store.manifests.put_manifest(
            REPOSITORY, manifest, tags=[Tag("v1")], parts=(), place=Place(""), removals=0, actor=ACTOR
        )
    )
    assert len(look("SELECT * FROM manifest_children")) == 2
    run(store.manifests.remove_manifest(REPOSITORY, manifest.digest, tags=[Tag("v1")], actor=ACTOR))
    assert look("SELECT * FROM tags") == []
    run(store.garbage.end_holdings(9e9, 9))
    assert look("SELECT repository FROM manifests UNION SELECT repository FROM manifest_children") == []
