"""Headers of tar archives, of every format, and broken ones."""

import io
import tarfile
from contextlib import suppress

import pytest
from hypothesis import given, strategies as st

from simple_registry.tar_headers import Member, TarInvalid, header_of, read_member

NAMES = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1, max_size=300)


def members(data):
    file = io.BytesIO(data)
    found = []
    while (member := read_member(file.read)) is not None:
        found.append(member)
        file.seek(member.stored, io.SEEK_CUR)
    return found


def archive(*entries, **how):
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w", **how) as tar:
        for entry, content in entries:
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    return made.getvalue()


def entry(name, kind=tarfile.REGTYPE):
    info = tarfile.TarInfo(name)
    info.type = kind
    return info


@given(NAMES, st.binary(max_size=1500))
def test_names_and_sizes_are_those_of_the_archive(name, content):
    for how in (tarfile.PAX_FORMAT, tarfile.GNU_FORMAT):
        data = archive((entry(name), content), (entry("next"), b"x"), format=how)
        with tarfile.open(fileobj=io.BytesIO(data)) as tar:
            expected = [Member(each.name, each.size, regular=True) for each in tar]
        # `tarfile` drops a slash at the end of a name.
        assert [(m.name.rstrip("/"), m.size, m.regular) for m in members(data)] == [
            (m.name.rstrip("/"), m.size, m.regular) for m in expected
        ]


@given(st.binary(max_size=3000))
def test_no_bytes_fail_otherwise(data):
    with suppress(TarInvalid):
        members(data)


def test_links_and_directories_are_no_files_and_have_no_bytes():
    for kind in (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.DIRTYPE, tarfile.FIFOTYPE):
        assert members(archive((entry("x", kind), b""), (entry("y"), b"y"))) == [
            Member("x", 0, regular=False, directory=kind == tarfile.DIRTYPE),
            Member("y", 1, regular=True),
        ]


def test_the_size_of_a_large_file_is_in_its_extended_header():
    size = 2**40
    assert read_member(io.BytesIO(header_of("large", size)).read) == Member("large", size, regular=True)


def test_headers_that_are_written_are_read():
    name = "blobs/sha512/" + "a" * 128
    assert members(header_of(name, 0)) == [Member(name, 0, regular=True)]


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"\x1f\x8b" + bytes(510), "compressed with gzip"),
        (b"\xfd7zXZ" + bytes(507), "compressed with xz"),
        (b"x" * 512, "no tar archive"),
        (b"x" * 100, "no tar archive"),
        (tarfile.TarInfo("x").tobuf()[:156] + b"S" + tarfile.TarInfo("x").tobuf()[157:], "no tar archive"),
    ],
)
def test_other_data_is_refused(data, said):
    with pytest.raises(TarInvalid, match=said):
        members(data)


@pytest.mark.parametrize("kind", [tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.GNUTYPE_LONGNAME])
def test_an_extended_header_is_bounded(kind):
    info = entry("x", kind)
    info.size = 10**9
    with pytest.raises(TarInvalid, match="extended header of 1000000000 bytes"):
        members(info.tobuf(tarfile.GNU_FORMAT))


def test_a_sparse_file_is_refused():
    with pytest.raises(TarInvalid, match="sparse"):
        members(entry("x", tarfile.GNUTYPE_SPARSE).tobuf(tarfile.GNU_FORMAT))
