"""Conditional requests: `If-Match`, `If-None-Match`, `If-Range`, and the headers that identify content."""

import contextlib
import time

import pytest
from hypothesis import given, strategies as st

from simple_registry.http.conditional import (
    PreconditionInvalid,
    content_headers,
    entity_tag,
    not_modified,
    parse_precondition,
    range_applies,
    require_match,
)
from simple_registry.http.messages import Request
from simple_registry.oci.digests import digest_of
from simple_registry.oci.errors import PreconditionFailed
from simple_registry.oci.preconditions import UNCONDITIONAL, Precondition
from simple_registry.wire.body import NO_BODY

DIGEST, OTHER = digest_of(b"this"), digest_of(b"that")
TAG, OTHER_TAG = f'"{DIGEST}"', f'"{OTHER}"'


def request_with(**headers):
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Request("GET", "/", "", named, NO_BODY, "id")


def test_the_entity_tag_is_the_digest_in_quotes():
    assert entity_tag(DIGEST) == TAG


@pytest.mark.parametrize(
    "header", [TAG, f"W/{TAG}", "*", f"{OTHER_TAG}, {TAG}", f"{TAG},{OTHER_TAG}", f'"x", W/{TAG} ']
)
def test_a_client_with_the_current_content_gets_304(header):
    assert not_modified(request_with(if_none_match=header), DIGEST)


@pytest.mark.parametrize("header", [OTHER_TAG, f"W/{OTHER_TAG}", str(DIGEST), "", '""', f"{OTHER_TAG}, *", "w/" + TAG])
def test_a_client_with_other_content_gets_the_content(header):
    assert not not_modified(request_with(if_none_match=header), DIGEST)


def test_without_a_condition_everything_is_sent():
    assert not not_modified(request_with(), DIGEST)
    assert range_applies(request_with(), DIGEST)


def test_a_range_applies_only_to_the_content_it_was_begun_on():
    assert range_applies(request_with(if_range=TAG), DIGEST)
    for header in (OTHER_TAG, f"W/{TAG}", "Wed, 21 Oct 2015 07:28:00 GMT", "", str(DIGEST)):
        assert not range_applies(request_with(if_range=header), DIGEST)


@given(st.text())
def test_any_condition_is_an_answer(text):
    assert not_modified(request_with(if_none_match=text), DIGEST) in {True, False}
    assert range_applies(request_with(if_range=text), DIGEST) is (text == TAG)


NOTHING = frozenset()


@pytest.mark.parametrize(
    ("headers", "precondition"),
    [
        ({}, UNCONDITIONAL),
        ({"if-match": "*"}, Precondition(exists=True)),
        ({"if-match": " * "}, Precondition(exists=True)),
        ({"if-match": TAG}, Precondition(one_of=frozenset({DIGEST}))),
        ({"if-match": f"{TAG},{OTHER_TAG}"}, Precondition(one_of=frozenset({DIGEST, OTHER}))),
        ({"if-match": f", {TAG} ,\t, {OTHER_TAG}, "}, Precondition(one_of=frozenset({DIGEST, OTHER}))),
        ({"if-match": f"W/{TAG}"}, Precondition(one_of=NOTHING)),
        ({"if-match": '"of another server, perhaps"'}, None),
        ({"if-match": '"a,b",""'}, Precondition(one_of=NOTHING)),
        ({"if-match": f'"*", W/{OTHER_TAG}, {TAG}'}, Precondition(one_of=frozenset({DIGEST}))),
        ({"if-none-match": "*"}, Precondition(absent=True)),
        ({"if-none-match": TAG}, Precondition(none_of=frozenset({DIGEST}))),
        ({"if-none-match": f"W/{TAG}"}, Precondition(none_of=frozenset({DIGEST}))),
        (
            {"if-match": OTHER_TAG, "if-none-match": TAG},
            Precondition(one_of=frozenset({OTHER}), none_of=frozenset({DIGEST})),
        ),
        ({"if-match": "*", "if-none-match": "*"}, Precondition(exists=True, absent=True)),
    ],
)
def test_conditions_are_read_or_refused(headers, precondition):
    if precondition is None:
        with pytest.raises(PreconditionInvalid):
            parse_precondition(headers)
    else:
        assert parse_precondition(headers) == precondition


@pytest.mark.parametrize(
    "header",
    ["", ",", str(DIGEST), f"{TAG} {OTHER_TAG}", f"{TAG}, *", f"w/{TAG}", f"W/ {TAG}", f'"{DIGEST}', f"{TAG}x", "**"],
)
def test_a_condition_that_cannot_be_read_is_refused_since_it_protects_something(header):
    for name in ("if-match", "if-none-match"):
        with pytest.raises(PreconditionInvalid) as refused:
            parse_precondition({name: header})
        assert refused.value.facts["value"] == header


@given(st.text(), st.text())
def test_any_text_is_a_condition_or_refused(match, none_match):
    for headers in (
        {"if-match": match},
        {"if-none-match": none_match},
        {"if-match": match, "if-none-match": none_match},
    ):
        with contextlib.suppress(PreconditionInvalid):
            assert isinstance(parse_precondition(headers), Precondition)


def test_a_long_header_is_read_at_once():
    for header in ('"' * 60_000, " " * 60_000 + "x", ", " * 30_000, '"a" ' * 15_000, "W/" * 30_000):
        started = time.process_time()
        with contextlib.suppress(PreconditionInvalid):
            parse_precondition({"if-match": header})
        assert time.process_time() - started < 0.5


def test_a_read_is_of_what_its_client_expects():
    for header in (TAG, "*", f"{OTHER_TAG}, {TAG}"):
        require_match(request_with(if_match=header), DIGEST)
    require_match(request_with(), DIGEST)
    for header in (OTHER_TAG, f"W/{TAG}"):
        with pytest.raises(PreconditionFailed):
            require_match(request_with(if_match=header), DIGEST)


def test_content_under_its_digest_never_changes_and_a_tag_may_at_any_time():
    immutable, movable = dict(content_headers(DIGEST, immutable=True)), dict(content_headers(DIGEST, immutable=False))
    assert "immutable" in immutable["cache-control"]
    assert immutable["cache-control"].startswith("private")
    assert movable["cache-control"] == "no-cache"
    for headers in (immutable, movable):
        assert headers["docker-content-digest"] == str(DIGEST)
        assert headers["etag"] == TAG
