"""Tokens are random, recognisable and kept as hashes."""

import hashlib
import re

from hypothesis import given, strategies as st

from simple_registry.access.token_secrets import ISSUED_PREFIX, StaticToken, new_token, token_hash


def test_a_new_token_is_unique_and_safe_in_headers_and_urls():
    tokens = [new_token() for _ in range(1000)]
    assert len(set(tokens)) == 1000
    for token in tokens:
        assert re.fullmatch(re.escape(ISSUED_PREFIX) + r"[A-Za-z0-9_-]{43}", token)
        assert token.count(".") == 0  # so that it is not taken for a signed one


@given(st.text())
def test_any_text_has_a_hash(text):
    assert len(token_hash(text)) == 32


def test_the_hash_is_what_command_lines_compute():
    assert token_hash("grüße").hex() == hashlib.sha256("grüße".encode()).hexdigest()


def test_a_static_token_does_not_show_its_hash():
    assert "s3cret" not in repr(StaticToken("ci", "robot", b"s3cret"))
