"""The contract of stores of issued tokens."""

import asyncio
from dataclasses import replace

import pytest

from simple_registry.storage.records import TokenRow
from storage.support import run


@pytest.fixture
def rows(stores):
    return stores.rows.tokens


def token(name="t", **values):
    defaults = {"secret_hash": name.encode().ljust(32, b"\0"), "owner": "alice", "description": "ci é", "created": 5.0}
    return TokenRow(token_id=name, **(defaults | {"expires": None, "scopes": None} | values))


def keep(rows, *tokens):
    async def scenario():
        for row in tokens:
            assert await rows.add_token(row, limit=99)

    run(scenario())


@pytest.mark.parametrize(
    "row",
    [
        token(),
        token(expires=7.5),
        token(scopes=()),
        token(fingerprint="0" * 32),
        token(scopes=("repository:^team/.+$:pull,push", "registry:catalog:*"), last_used=6.0),
    ],
)
def test_a_token_is_found_as_it_was_added(rows, row):
    keep(rows, row, token("other"))
    assert run(rows.find_token(row.secret_hash)) == row
    assert run(rows.find_token_by_id(row.token_id)) == row


def test_other_hashes_and_ids_find_nothing(rows):
    keep(rows, token())
    assert run(rows.find_token(b"")) is None
    assert run(rows.find_token(token().secret_hash[:-1])) is None
    assert run(rows.find_token_by_id("T")) is None


def test_a_removed_token_is_gone(rows):
    async def scenario():
        await rows.add_token(token(), limit=1)
        assert await rows.remove_token("t")
        assert not await rows.remove_token("t")

    run(scenario())
    assert run(rows.find_token(token().secret_hash)) is None
    assert run(rows.find_token_by_id("t")) is None


def test_no_owner_gets_more_than_the_limit_even_at_once(rows):
    async def scenario():
        added = await asyncio.gather(*(rows.add_token(token(str(number)), limit=3) for number in range(9)))
        assert await rows.add_token(token("of bob", owner="bob"), limit=3)
        return sum(added)

    assert run(scenario()) == 3
    assert len(run(rows.page_tokens("alice", None, 99))) == 3


def test_tokens_come_in_pages_by_id_and_owner(rows):
    tokens = [token(name, owner="ab"[number % 2]) for number, name in enumerate("dbeac")]
    keep(rows, *tokens)
    tokens.sort(key=lambda row: row.token_id)
    assert list(run(rows.page_tokens(None, None, 99))) == tokens
    assert list(run(rows.page_tokens(None, "b", 2))) == tokens[2:4]
    assert [row.token_id for row in run(rows.page_tokens("a", None, 99))] == ["c", "d", "e"]
    assert [row.token_id for row in run(rows.page_tokens("a", "c", 1))] == ["d"]
    assert list(run(rows.page_tokens("nobody", None, 99))) == []


def test_the_last_use_only_moves_forward(rows):
    async def scenario():
        await rows.add_token(token(), limit=9)
        for when in (7.0, 9.0, 8.0):
            await rows.touch_token("t", when)
        await rows.touch_token("gone", 9.0)

    run(scenario())
    assert run(rows.find_token_by_id("t")) == replace(token(), last_used=9.0)
    assert run(rows.find_token_by_id("gone")) is None


def test_only_tokens_that_expired_before_are_removed(rows):
    keep(rows, token("a", expires=1.0), token("b", expires=2.0), token("c", expires=3.0), token("d"))
    assert run(rows.remove_expired_tokens(2.0)) == 1
    assert [row.token_id for row in run(rows.page_tokens(None, None, 99))] == ["b", "c", "d"]


def test_the_tokens_of_an_owner_are_removed_and_returned(rows):
    of_alice, of_bob = [token("a"), token("b", fingerprint="f")], token("c", owner="bob")
    keep(rows, *of_alice, of_bob)
    assert sorted(run(rows.remove_tokens_of("alice")), key=lambda row: row.token_id) == of_alice
    assert run(rows.remove_tokens_of("alice")) == []
    assert list(run(rows.page_tokens(None, None, 99))) == [of_bob]


def test_an_owner_is_marked_until_a_mark_is_taken_away_or_a_token_has_none(rows):
    keep(rows, token("a"), token("b"), token("c", owner="bob"))
    assert run(rows.token_owners()) == {"alice": None, "bob": None}
    run(rows.mark_owner("alice", 5.0))
    assert run(rows.token_owners()) == {"alice": 5.0, "bob": None}
    keep(rows, token("d"))
    assert run(rows.token_owners()) == {"alice": None, "bob": None}
    run(rows.mark_owner("alice", 7.0))
    assert run(rows.token_owners()) == {"alice": 7.0, "bob": None}
    run(rows.mark_owner("alice", None))
    assert run(rows.token_owners()) == {"alice": None, "bob": None}
    assert run(rows.find_token_by_id("a")) == token("a")
