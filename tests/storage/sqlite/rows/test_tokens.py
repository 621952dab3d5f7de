"""Columns of tokens; the contracts cover the rest."""

import pytest

from simple_registry.faults import StorageFault
from simple_registry.storage.records import TokenRow
from storage.support import run


def test_two_tokens_with_one_secret_are_refused(store):
    row = TokenRow("a", b"hash", "alice", "", 1.0, None, None)
    assert run(store.tokens.add_token(row, limit=9))
    with pytest.raises(StorageFault):
        run(store.tokens.add_token(TokenRow("b", b"hash", "bob", "", 1.0, None, None), limit=9))
    assert run(store.tokens.find_token(b"hash")) == row


def test_the_database_holds_a_hash_in_text_that_a_shell_can_read(store, look):
    run(store.tokens.add_token(TokenRow("a", b"\x0f\xff", "alice", "", 1.0, None, ("é",)), limit=9))
    assert look("SELECT secret_hash, scopes FROM tokens") == [("0fff", '["é"]')]
