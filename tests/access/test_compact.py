"""The compact form of tokens: what is written comes back, and a second spelling is refused."""

import base64

import pytest
from hypothesis import given, strategies as st

from simple_registry.access.compact import (
    CompactInvalid,
    CompactToken,
    decode_base64url,
    encode_base64url,
    parse_compact,
)

data = st.binary(min_size=1, max_size=20)


@given(data, data, data)
def test_a_compact_token_is_parsed_into_its_parts(header, payload, signature):
    parts = [encode_base64url(part) for part in (header, payload, signature)]
    read = parse_compact(".".join(parts))
    assert read == CompactToken(header, payload, signature, f"{parts[0]}.{parts[1]}".encode())


@given(data, st.text("ABCabc019-_", min_size=1, max_size=4))
def test_no_two_texts_are_the_same_bytes(value, other):
    text = encode_base64url(value)
    assert decode_base64url(text) == value
    try:
        assert encode_base64url(decode_base64url(other)) == other
    except CompactInvalid:
        return


@pytest.mark.parametrize(
    "text",
    [
        *("", "a", "a.b", "aa.bb", "aa.bb.", ".aa.bb", "aa..bb", "aa.bb.cc.dd", "QQ.Q.QQ"),
        *("QQ==.QQ.QQ", "QQ.QQ.QQ=", " QQ.QQ.QQ", "QQ.QQ.QQ\n", "QQ.QQ.Q Q", "QQ.QQ.QR", "QR.QQ.QQ"),
        *("QQ.QQ.Q+", "QQ.QQ.Q/", "QQ.QQ.\u0661\u0661", "QQ.QQ.QQ\0", "QQ.QQ.QQ\ud800", "QQ.QQ.QQ!"),
    ],
)
def test_any_other_text_is_refused(text):
    with pytest.raises(CompactInvalid):
        parse_compact(text)


@given(st.text(max_size=30))
def test_any_text_is_read_or_refused_and_nothing_worse(text):
    try:
        parse_compact(text)
    except CompactInvalid:
        return


def test_nothing_of_a_token_is_shown():
    secret = base64.urlsafe_b64encode(b"s3cret!!!").decode()
    assert "s3cret" not in repr(parse_compact(f"{secret}.{secret}.{secret}"))
