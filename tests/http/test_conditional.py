"""Conditional requests: `If-None-Match`, `If-Range`, and the headers that identify content."""

import pytest
from hypothesis import given, strategies as st

from simple_registry.http.conditional import content_headers, entity_tag, not_modified, range_applies
from simple_registry.http.messages import Request
from simple_registry.oci.digests import digest_of
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
def test_who_has_the_content_needs_it_not(header):
    assert not_modified(request_with(if_none_match=header), DIGEST)


@pytest.mark.parametrize("header", [OTHER_TAG, f"W/{OTHER_TAG}", str(DIGEST), "", '""', f"{OTHER_TAG}, *", "w/" + TAG])
def test_who_has_something_else_gets_it(header):
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


def test_content_under_its_digest_never_changes_and_a_tag_may_at_any_time():
    immutable, movable = dict(content_headers(DIGEST, immutable=True)), dict(content_headers(DIGEST, immutable=False))
    assert "immutable" in immutable["cache-control"]
    assert immutable["cache-control"].startswith("private")
    assert movable["cache-control"] == "no-cache"
    for headers in (immutable, movable):
        assert headers["docker-content-digest"] == str(DIGEST)
        assert headers["etag"] == TAG
