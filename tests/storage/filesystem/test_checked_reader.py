"""Content that is read to be copied: hashed, and as long as its record says."""

import io

import pytest
from hypothesis import given, strategies as st

from simple_registry.faults import StorageFault
from simple_registry.oci.digests import digest_of
from simple_registry.storage.filesystem.checked_reader import CheckedReader
from simple_registry.storage.inspection import ContentUnreadable
from simple_registry.storage.records import ContentRecord

DATA = b"some content"


def read_all(reader, size=5):
    data = b""
    while piece := reader.read(size):
        data += piece
    return data


def record_of(data):
    return ContentRecord(digest_of(data), len(data))


@given(data=st.binary(max_size=40), size=st.integers(1, 50), most=st.integers(1, 7))
def test_whole_content_is_read_in_pieces_of_the_size_that_is_asked_for(data, size, most):
    source = io.BytesIO(data)
    reader = CheckedReader(record_of(data), lambda wanted: source.read(min(wanted, most)))
    first = reader.read(size)
    assert first == data[:size]
    assert first + read_all(reader, size) == data
    assert reader.damage() is None


@pytest.mark.parametrize(
    ("stored", "damage"),
    [
        (b"some c", "it has 6 bytes of 12"),
        (b"", "it has 0 bytes of 12"),
        (b"some content, and more", "it has more than 12 bytes"),
        (b"same content", f"its bytes hash to {digest_of(b'same content')}"),
    ],
)
def test_damage_is_found_and_the_size_stays(stored, damage):
    reader = CheckedReader(record_of(DATA), io.BytesIO(stored).read)
    assert read_all(reader) == stored[: len(DATA)].ljust(len(DATA), b"\0")
    assert reader.damage() == damage


def test_bytes_that_cannot_be_read_are_damage():
    def fail(_size):
        raise ContentUnreadable("read a file", "a bad sector")

    reader = CheckedReader(record_of(DATA), fail)
    assert read_all(reader) == bytes(len(DATA))
    assert reader.damage() == "cannot read a file: a bad sector"


def test_any_other_failure_is_a_fault():
    def fail(_size):
        raise StorageFault("read a file", "too many open files")

    with pytest.raises(StorageFault):
        CheckedReader(record_of(DATA), fail).read(1)
