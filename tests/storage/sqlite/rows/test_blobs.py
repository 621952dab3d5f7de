"""How blobs are found; what they promise stands in the contracts."""

from storage.support import OTHER, REPOSITORY, blob_of, run, yes


def test_content_of_two_repositories_has_one_row(store, look):
    blob = blob_of(b"blob")
    for repository in (REPOSITORY, OTHER):
        run(store.blobs.add_blob(repository, blob, present=yes))
    assert look("SELECT * FROM blobs") == [(str(blob.digest), 4, None)]
    assert len(look("SELECT * FROM repository_blobs")) == 2
