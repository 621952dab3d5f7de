"""How repositories are found; what they promise stands in the contracts."""

from simple_registry.storage.sqlite.rows import repositories as repository_rows


def test_queries_follow_indexes(assert_indexed):
    assert_indexed(repository_rows._FIND, repository_rows._PAGE)
