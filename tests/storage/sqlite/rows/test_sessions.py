"""How sessions are found; what they promise stands in the contracts."""

from simple_registry.storage.sqlite.rows import sessions as session_rows


def test_queries_follow_indexes(assert_indexed):
    assert_indexed(
        session_rows._FIND, session_rows._CLAIM, session_rows._UPDATE, session_rows._REMOVE, session_rows._EMPTY
    )
    assert_indexed(session_rows._PAGE, session_rows._SHARE)
