"""How tags are found; what they promise stands in the contracts."""

from simple_registry.storage.sqlite.rows import tags as tag_rows


def test_queries_follow_indexes(assert_indexed):
    assert_indexed(tag_rows._OF_MANIFEST, tag_rows._PAGE, tag_rows._POINTED_AT, tag_rows._REMOVE)
