"""How contents are found; what they promise is in the contracts."""

from simple_registry.storage.sqlite.rows import contents as content_rows


def test_queries_follow_indexes(assert_indexed):
    assert_indexed(content_rows._KNOWN)
