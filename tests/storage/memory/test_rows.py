"""Rows in memory; the contracts cover the rest."""

from simple_registry.oci.digests import digest_of
from storage.support import OTHER, ManualClock, memory_stores, run


def test_asking_for_a_repository_does_not_create_it():
    rows = memory_stores(ManualClock()).rows
    assert run(rows.blobs.find_blob(OTHER, digest_of(b"x"))) is None
    assert run(rows.tags.page_tags(OTHER, None, 9)) == []
    assert not run(rows.usage.find_usage(OTHER))
