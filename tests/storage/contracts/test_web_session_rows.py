"""The contract of stores of ended web sessions."""

import pytest

from storage.support import run


@pytest.fixture
def rows(stores):
    return stores.rows.web_sessions


def test_a_session_that_ended_has_ended(rows):
    assert not run(rows.has_ended("a"))
    run(rows.end_web_session("a", 10.0))
    run(rows.end_web_session("a", 20.0))
    assert run(rows.has_ended("a"))
    assert not run(rows.has_ended("A"))


def test_rows_are_forgotten_when_their_sessions_would_have_expired(rows):
    for name, expires in [("a", 1.0), ("b", 2.0), ("c", 3.0)]:
        run(rows.end_web_session(name, expires))
    assert run(rows.forget_web_sessions(2.0)) == 1
    assert [run(rows.has_ended(name)) for name in "abc"] == [False, True, True]
    assert run(rows.forget_web_sessions(9.0)) == 2
    assert run(rows.forget_web_sessions(9.0)) == 0
