"""Issued tokens: what is given out, kept, found and refused."""

import asyncio
import itertools
import logging

import pytest

from simple_registry.access.caller import EXPIRED_KEPT
from simple_registry.faults import StorageFault
from simple_registry.oci.errors import RegistryError
from simple_registry.operations import issued_tokens as module
from simple_registry.operations.issued_tokens import (
    MAX_PAGE,
    TokenRequestInvalid,
    Tokens,
    TokenUnknown,
    TooManyTokens,
    new_token_id,
)
from support.memory.token_rows import MemoryTokenRows
from support.time import SettableClock


class Rows(MemoryTokenRows):
    """Rows whose disk can break, and that count how often a use is noted."""

    broken = False
    touches = 0

    async def touch_token(self, token_id, when):
        self.touches += 1
        await asyncio.sleep(0)
        if self.broken:
            raise StorageFault("write rows", "broken disk")
        await super().touch_token(token_id, when)


@pytest.fixture
def clock():
    return SettableClock()


@pytest.fixture
def rows():
    return Rows()


@pytest.fixture
def tokens(rows, clock):
    numbers = itertools.count(1)
    return Tokens(
        rows,
        clock,
        new_secret=lambda: f"secret {next(numbers)}",
        hash_secret=lambda secret: f"hash of {secret}".encode(),
        new_id=lambda now: f"{next(numbers):03}",
    )


def create(tokens, owner="alice", description="ci", *, expires=None, scopes=None):
    return asyncio.run(tokens.create(owner, description, expires=expires, scopes=scopes))


def found(tokens, secret):
    """Find a token as a request does, and wait until its use is recorded."""

    async def request():
        row = await tokens.find(secret)
        await tokens.finish_touches()
        return row

    return asyncio.run(request())


def test_the_secret_is_returned_once_and_kept_as_a_hash_only(tokens, rows, clock):
    row, secret = create(tokens, expires=clock.now() + 1, scopes=["repository:a:pull"])
    assert row == asyncio.run(rows.find_token_by_id(row.token_id))
    assert (row.owner, row.description, row.created) == ("alice", "ci", clock.now())
    assert (row.expires, row.scopes, row.last_used) == (clock.now() + 1, ("repository:a:pull",), None)
    assert row.secret_hash == f"hash of {secret}".encode()
    assert secret not in repr(row)
    assert "hash of" not in repr(row)


def test_a_token_is_found_by_its_secret_and_by_its_id(tokens):
    row, secret = create(tokens)
    create(tokens)
    assert asyncio.run(tokens.get(row.token_id)) == row
    assert found(tokens, secret) == row
    assert found(tokens, row.token_id) is None
    assert asyncio.run(tokens.get(secret)) is None


def test_a_use_is_recorded_once_a_minute(tokens, rows, clock):
    row, secret = create(tokens)
    for _ in range(3):
        found(tokens, secret)
        clock.advance(19)
    assert rows.touches == 1
    clock.advance(30)
    found(tokens, secret)
    assert rows.touches == 2
    assert asyncio.run(tokens.get(row.token_id)).last_used == clock.now()


def test_a_use_recorded_by_another_process_is_not_recorded_again(tokens, rows, clock):
    row, secret = create(tokens)
    asyncio.run(rows.touch_token(row.token_id, clock.now() - 30))
    rows.touches = 0
    found(tokens, secret)
    assert rows.touches == 0


def test_a_use_is_recorded_in_the_background(tokens, rows):
    _, secret = create(tokens)

    async def request():
        assert await tokens.find(secret) is not None
        assert rows.touches == 0
        await tokens.finish_touches()
        assert rows.touches == 1

    asyncio.run(request())


def test_a_use_that_cannot_be_recorded_fails_no_request(tokens, rows, caplog):
    row, secret = create(tokens)
    rows.broken = True
    with caplog.at_level(logging.WARNING):
        assert found(tokens, secret) == row
    assert row.token_id in caplog.text
    assert secret not in caplog.text
    found(tokens, secret)
    assert rows.touches == 1  # and it is not tried again at every request


def test_the_cache_of_uses_is_bounded(tokens, rows, monkeypatch):
    monkeypatch.setattr(module, "MAX_PER_OWNER", 3)
    secrets = [create(tokens, owner=f"user {number}")[1] for number in range(9)]
    rows.broken = True  # so that only this memory knows of a use
    for secret in (*secrets, secrets[0]):
        found(tokens, secret)
    assert rows.touches == 10


def test_an_expired_token_is_still_found(tokens, clock):
    row, secret = create(tokens, expires=clock.now() + 1)
    clock.advance(2)
    assert found(tokens, secret) == row


def test_tokens_are_listed_by_owner_or_all(tokens):
    made = [create(tokens, owner="ab"[number % 2])[0] for number in range(5)]
    assert list(asyncio.run(tokens.page(None, last=None, limit=9)).rows) == made
    page = asyncio.run(tokens.page("a", last=None, limit=2))
    assert list(page.rows) == [made[0], made[2]]
    assert page.more
    rest = asyncio.run(tokens.page("a", last=made[2].token_id, limit=2))
    assert list(rest.rows) == [made[4]]
    assert not rest.more
    assert not asyncio.run(tokens.page(None, last=None, limit=5)).more
    assert not asyncio.run(tokens.page(None, last=None, limit=0)).rows


def test_a_page_of_tokens_is_bounded(tokens):
    made = [create(tokens)[0] for _ in range(MAX_PAGE + 1)]
    page = asyncio.run(tokens.page(None, last=None, limit=10_000))
    assert (list(page.rows), page.more) == (made[:-1], True)
    assert list(asyncio.run(tokens.page(None, last=page.rows[-1].token_id, limit=10_000)).rows) == made[-1:]


def test_a_revoked_token_is_gone(tokens):
    row, secret = create(tokens)
    asyncio.run(tokens.revoke(row.token_id, "alice"))
    assert found(tokens, secret) is None
    with pytest.raises(TokenUnknown):
        asyncio.run(tokens.revoke(row.token_id, "alice"))


def test_a_revoked_token_is_returned(tokens):
    row, _ = create(tokens)
    assert asyncio.run(tokens.revoke(row.token_id, None)) == row


def test_all_tokens_of_an_owner_are_revoked_and_returned(tokens):
    made = [create(tokens)[0] for _ in range(3)]
    other, _ = create(tokens, owner="bob")
    assert asyncio.run(tokens.revoke_all("alice")) == made
    assert asyncio.run(tokens.revoke_all("alice")) == []
    assert list(asyncio.run(tokens.page(None, last=None, limit=9)).rows) == [other]


def test_an_expired_token_keeps_its_row_as_long_as_it_finishes_uploads():
    assert module.EXPIRED_KEPT == EXPIRED_KEPT


def test_any_token_can_be_revoked_without_an_owner(tokens):
    row, secret = create(tokens)
    asyncio.run(tokens.revoke(row.token_id, None))
    assert found(tokens, secret) is None


def test_a_token_of_another_owner_is_unknown(tokens):
    row, secret = create(tokens)
    with pytest.raises(TokenUnknown) as other:
        asyncio.run(tokens.revoke(row.token_id, "bob"))
    with pytest.raises(TokenUnknown) as none:
        asyncio.run(tokens.revoke("none", "bob"))
    assert (other.value.status, other.value.code) == (none.value.status, none.value.code)
    assert found(tokens, secret) == row


@pytest.mark.parametrize(
    ("asked", "fact"),
    [
        ({"description": "x" * 201}, "description"),
        ({"description": "two\nlines"}, "description"),
        ({"description": "\x1b[2J"}, "description"),
        ({"description": "\ud800"}, "description"),
        ({"expires": 1_700_000_000.0}, "expires"),
        ({"expires": float("nan")}, "expires"),
        ({"expires": float("inf")}, "expires"),
        ({"expires": 1e12}, "expires"),
        ({"scopes": ["x"] * 101}, "scopes"),
        ({"scopes": ["x" * 501]}, "scopes"),
    ],
)
def test_invalid_properties_are_refused_and_nothing_is_stored(tokens, asked, fact):
    with pytest.raises(TokenRequestInvalid) as caught:
        create(tokens, **asked)
    assert list(caught.value.facts) == [fact]
    assert not asyncio.run(tokens.page(None, last=None, limit=9)).rows


def test_the_tokens_of_an_owner_are_bounded(tokens, monkeypatch):
    monkeypatch.setattr(module, "MAX_PER_OWNER", 2)
    create(tokens)
    create(tokens)
    with pytest.raises(TooManyTokens):
        create(tokens)
    create(tokens, owner="bob")
    assert len(asyncio.run(tokens.page("alice", last=None, limit=9)).rows) == 2


@pytest.mark.parametrize("kind", [TokenUnknown, TokenRequestInvalid, TooManyTokens])
def test_errors_are_answers(kind):
    assert issubclass(kind, RegistryError)
    assert 400 <= kind.status < 500


def test_ids_are_distinct_and_sort_by_age():
    ids = [new_token_id(now) for now in (0.0, 1.7e9, 1.7e9 + 0.001, 4e9)]
    assert ids == sorted(ids)
    assert len({new_token_id(1.7e9) for _ in range(1000)}) == 1000
    assert {len(token_id) for token_id in ids} == {21}
