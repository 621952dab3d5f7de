"""Small contents as text."""

import json
from base64 import b64encode

import pytest
from hypothesis import given, strategies as st

from simple_registry.oci.digests import digest_of
from simple_registry.ui.json_text import MAX_SHOWN, Segment, is_text, shown_text, with_links

STATEMENT = {"_type": "https://in-toto.io/Statement/v1", "predicate": {"builder": "x"}}
ENVELOPE = {
    "payloadType": "application/vnd.in-toto+json",
    "payload": b64encode(json.dumps(STATEMENT).encode()).decode(),
    "signatures": [{"sig": "c2ln"}],
}


def shown(document):
    return shown_text(json.dumps(document).encode())


def test_json_is_indented():
    assert shown_text(b'{"a":[1,"x"],"b":"<b>"}') == '{\n  "a": [\n    1,\n    "x"\n  ],\n  "b": "<b>"\n}'


@pytest.mark.parametrize("document", [ENVELOPE, {"mediaType": "bundle", "dsseEnvelope": ENVELOPE}])
def test_of_an_envelope_the_statement_is_shown(document):
    assert json.loads(shown(document)) == STATEMENT


@pytest.mark.parametrize("payload", ["%", 3, None, "é", "_w=="])
def test_a_broken_envelope_is_shown_as_it_is(payload):
    document = {**ENVELOPE, "payload": payload}
    assert json.loads(shown(document)) == document


def test_other_text_stays_and_other_content_is_not_shown():
    assert shown_text(b"SPDXVersion: SPDX-2.3\n") == "SPDXVersion: SPDX-2.3\n"
    assert shown_text(b"\xff\xfe") is None
    assert shown_text(b"a\x00b") is None
    assert shown_text("a\u202eb".encode()) == "a\\u202eb"


@pytest.mark.parametrize("data", [b"[" * 1000 + b"]" * 1000, b"[" * 100_000, b'{"a":' * 30 + b"1" + b"}" * 30])
def test_a_deep_document_is_not_indented(data):
    assert shown_text(data) == data.decode()


def test_what_is_shown_has_a_bound():
    wide = b"[" * 19 + b",".join([b"1"] * 30_000) + b"]" * 19
    assert len(wide) < MAX_SHOWN
    assert shown_text(wide) == wide.decode()


@pytest.mark.parametrize(
    "media_type", ["text/spdx", "application/spdx+json", "application/json; charset=utf-8", "a/b+xml"]
)
def test_types_of_text(media_type):
    assert is_text(media_type)
    assert not is_text("application/vnd.oci.image.layer.v1.tar+gzip")


def test_known_digests_can_be_followed():
    known, other = digest_of(b"known"), digest_of(b"other")
    text = f'{{"digest": "{known}", "{other}": "sha256:{"a" * 70}"}}'
    segments = with_links(text, {known})
    assert "".join(segment.text for segment in segments) == text
    assert [segment for segment in segments if segment.digest] == [Segment(str(known), known)]


@given(st.binary(max_size=200) | st.text().map(str.encode))
def test_any_content_is_text_or_not(data):
    text = shown_text(data)
    assert text is None or "".join(segment.text for segment in with_links(text, ())) == text
