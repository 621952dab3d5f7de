"""Bodies that a handler needs whole, within a bound."""

import asyncio

import msgspec
import pytest

from simple_registry.http.bodies import ContentTypeUnsupported, DocumentInvalid, read_bounded, read_json
from simple_registry.http.messages import Request
from simple_registry.oci.errors import ManifestTooLarge, Unavailable
from support.front import Body
from support.streams import stream_of


def body(*chunks, announced=None):
    return Body(stream_of(*chunks), announced)


def test_a_bounded_body_is_read_whole_up_to_its_limit():
    assert asyncio.run(read_bounded(body(b"one", b"two", announced=6), 6)) == b"onetwo"
    assert asyncio.run(read_bounded(body(b"one", b"two"), 6)) == b"onetwo"


def test_an_announced_body_that_is_too_long_is_refused_unread():
    sent = body(b"seven..", announced=7)
    with pytest.raises(ManifestTooLarge) as refused:
        asyncio.run(read_bounded(sent, 6))
    assert sent.received == 0
    assert refused.value.facts == {"limit": 6, "size": 7}


def test_a_longer_body_of_unknown_length_is_refused_at_the_first_byte_too_many():
    sent = body(*[b"x"] * 100)
    with pytest.raises(ManifestTooLarge):
        asyncio.run(read_bounded(sent, 6))
    assert sent.received == 7


def test_a_body_without_room_in_memory_is_refused_temporarily(monkeypatch):
    monkeypatch.setattr(Body, "reserve", lambda _, size: size < 4)
    with pytest.raises(Unavailable):
        asyncio.run(read_bounded(body(b"one", b"four"), 100))


class Wanted(msgspec.Struct, forbid_unknown_fields=True):
    """A document."""

    name: str


def read(data, kind="application/json; charset=utf-8"):
    sent = body(data)
    return asyncio.run(read_json(Request("POST", "/", "", {"content-type": kind}, sent, "id"), sent, Wanted))


def test_a_document_is_read_as_what_it_should_be():
    assert read(b'{"name":"a"}') == Wanted("a")


@pytest.mark.parametrize("data", [b"", b"{}", b'{"name":1}', b'{"name":"a","more":1}', b"\xff", b"[" * 5000])
def test_any_other_document_is_refused_with_a_reason(data):
    with pytest.raises(DocumentInvalid) as refused:
        read(data)
    assert refused.value.facts["reason"]


def test_a_document_of_another_kind_is_refused():
    with pytest.raises(ContentTypeUnsupported):
        read(b'{"name":"a"}', kind="text/plain")
