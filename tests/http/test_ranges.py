"""Ranges as properties against a slow oracle: which bytes does a client ask for?"""

import re

import pytest
from hypothesis import given, strategies as st

from simple_registry.content import Span
from simple_registry.http.ranges import (
    MAX_RANGES,
    content_range,
    parse_chunk_range,
    parse_range,
    received_range,
    unsatisfied_range,
)
from simple_registry.oci.errors import BlobUploadInvalid, RangeNotSatisfiable

numbers = st.integers(0, 40)
sizes = st.integers(0, 30)
ranges = st.one_of(
    st.tuples(numbers, numbers).map(sorted).map(lambda pair: f"{pair[0]}-{pair[1]}"),
    numbers.map("{}-".format),
    numbers.map("-{}".format),
)
range_sets = st.lists(ranges, min_size=1, max_size=6)


def positions(text, size):
    """Return every position that one range names, asking each position in turn."""
    first, _, last = text.partition("-")
    if not first:
        return {at for at in range(size) if at >= size - int(last)}
    return {at for at in range(size) if at >= int(first) and (not last or at <= int(last))}


@given(range_sets, sizes)
def test_every_range_gives_the_bytes_it_names(texts, size):
    wanted = [positions(text, size) for text in texts]
    wanted = [each for each in wanted if each]
    header = "bytes=" + ",".join(texts)
    if not wanted:
        with pytest.raises(RangeNotSatisfiable) as refused:
            parse_range(header, size)
        assert refused.value.facts == {"size": size}
    elif sum(map(len, wanted)) > size:
        assert parse_range(header, size) is None
    else:
        assert [set(range(span.start, span.stop)) for span in parse_range(header, size)] == wanted


@given(range_sets, sizes, st.sampled_from(["bytes=", "Bytes=", "bytes ="]), st.sampled_from([",", ", ", " ,\t"]))
def test_space_and_case_of_the_unit_mean_nothing(texts, size, unit, comma):
    def parsed(header):
        try:
            return parse_range(header, size)
        except RangeNotSatisfiable:
            return "unsatisfiable"

    assert parsed(unit + comma.join(texts)) == parsed("bytes=" + ",".join(texts))


@given(st.text(), sizes)
def test_any_text_is_ignored_refused_or_served_within_the_content(text, size):
    for header in (text, "bytes=" + text):
        try:
            spans = parse_range(header, size)
        except RangeNotSatisfiable:
            continue
        assert spans is None or all(0 <= span.start < span.stop <= size for span in spans)


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "bytes",
        "bytes=",
        "bytes=-",
        "bytes=a-b",
        "bytes=1",
        "bytes=1-2-3",
        "bytes=1-2,",
        "bytes=,1-2",
        "bytes=+1-2",
        "bytes=1_0-20",
        "bytes=\u0661-\u0662",
        "bytes=\uff11-",
        "bytes=1-2\n",
        "bytes=1-2;3-4",
        "items=0-1",
        "0-1",
    ],
)
def test_a_malformed_range_is_ignored(header):
    assert parse_range(header, 10) is None


@pytest.mark.parametrize(
    "header",
    [
        "bytes=5-4",
        "bytes=0-1,9-2",
        "bytes=10-",
        "bytes=-0",
        "bytes=999999999999-",
        "bytes=99999999999999999999-",
        "bytes=99999999999999999999-99999999999999999998",
        "bytes=" + "9" * 5000 + "-",
    ],
)
def test_a_range_that_names_no_byte_is_refused(header):
    with pytest.raises(RangeNotSatisfiable):
        parse_range(header, 10)


@pytest.mark.parametrize("header", ["bytes=0-", "bytes=0-0", "bytes=-1"])
def test_nothing_can_be_served_of_empty_content(header):
    with pytest.raises(RangeNotSatisfiable):
        parse_range(header, 0)


def test_more_ranges_than_allowed_get_the_whole_content():
    texts = [f"{2 * each}-{2 * each}" for each in range(MAX_RANGES + 1)]
    assert len(parse_range("bytes=" + ",".join(texts[:-1]), 1000)) == MAX_RANGES
    assert parse_range("bytes=" + ",".join(texts), 1000) is None


@given(numbers, st.integers(1, 40))
def test_content_range_is_inclusive(start, length):
    span = Span(start, start + length)
    match = re.fullmatch(r"bytes (\d+)-(\d+)/100", content_range(span, 100))
    assert [int(each) for each in match.groups()] == [start, start + length - 1]


@pytest.mark.parametrize(
    ("header", "span"),
    [
        ("bytes=3-99999999999999999999", Span(3, 10)),
        ("bytes=-99999999999999999999", Span(0, 10)),
        ("bytes=00000000000000000000003-4", Span(3, 5)),
    ],
)
def test_numbers_of_any_length_are_numbers(header, span):
    assert parse_range(header, 10) == [span]


def test_an_unsatisfied_range_has_the_size():
    assert unsatisfied_range(10) == "bytes */10"


@pytest.mark.parametrize("form", ["{}-{}", "bytes {}-{}/*", "bytes {}-{}/1000", "{}-{}/100", " {}-{} "])
@given(numbers, numbers)
def test_every_form_of_content_range_is_accepted(form, start, length):
    assert parse_chunk_range(form.format(start, start + length)) == Span(start, start + length + 1)


@pytest.mark.parametrize(
    "header",
    [
        "",
        "-",
        "5-4",
        "0-",
        "-5",
        "a-b",
        "bytes=0-5",
        "bytes */5",
        "0-5\n",
        "\u0660-\u0661",
        "\uff11\uff10-\uff11\uff19",
        "0-5,6-7",
        "+0-5",
        "0--1",
        "9" * 5000,
    ],
)
def test_a_chunk_range_that_cannot_be_read_is_refused(header):
    with pytest.raises(BlobUploadInvalid) as refused:
        parse_chunk_range(header)
    assert len(refused.value.facts["contentRange"]) <= 100


@given(st.text())
def test_any_text_is_a_chunk_range_or_refused(text):
    try:
        span = parse_chunk_range(text)
    except BlobUploadInvalid:
        return
    assert 0 <= span.start < span.stop


@pytest.mark.parametrize(("received", "header"), [(0, "0-0"), (1, "0-0"), (2, "0-1"), (100, "0-99")])
def test_a_received_range_never_ends_before_it_begins(received, header):
    assert received_range(received) == header


def test_one_range_may_be_as_large_as_the_blob():
    size = 10**12

    assert parse_range("bytes=1-", size) == [Span(1, size)]
