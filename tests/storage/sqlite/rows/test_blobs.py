"""Rows of blobs; the contracts cover the rest."""

from storage.support import OTHER, REPOSITORY, blob_of, run
from support.actors import ACTOR


def test_content_of_two_repositories_has_one_row(store, look):
    blob = blob_of(b"blob")
    for repository in (REPOSITORY, OTHER):
        run(store.blobs.add_blob(repository, blob, removals=0, actor=ACTOR))
    assert look("SELECT digest, size, place, state FROM contents") == [(str(blob.digest), 4, "", "whole")]
    assert len(look("SELECT * FROM repository_blobs")) == 2
