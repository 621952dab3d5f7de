"""`n` and `last`: which part of a listing is wanted, and where the next one is."""

from urllib.parse import urlencode

import pytest
from hypothesis import given, strategies as st

from simple_registry.http.messages import Query, Request
from simple_registry.http.pagination import MAX_PAGE, PageRequest, link_headers, parse_page_request
from simple_registry.oci.errors import PaginationInvalid
from simple_registry.operations.pages import Page
from simple_registry.wire.body import NO_BODY


def request(path="/v2/team/app/tags/list"):
    return Request("GET", path, "", {}, NO_BODY, "id")


@given(st.integers(0, MAX_PAGE))
def test_n_is_the_most_that_is_wanted(n):
    assert parse_page_request(Query(f"n={n}")) == PageRequest(n, None)


@pytest.mark.parametrize("text", ["", "last=", "last=x", "other=1"])
def test_without_n_a_page_is_as_long_as_one_may_be(text):
    assert parse_page_request(Query(text)).limit == MAX_PAGE


@pytest.mark.parametrize("n", [MAX_PAGE + 1, 10**17, 999_999_999_999_999_999, 10**30])
def test_more_than_a_page_is_one_page(n):
    assert parse_page_request(Query(f"n={n}")).limit == MAX_PAGE


@pytest.mark.parametrize("n", ["", "-1", "x", "1.5", "1e3", "+1", "%2B1", "1_0", "%20" + "1", "1%0A", "%D9%A1", "0x10"])
def test_anything_but_a_whole_number_is_refused(n):
    with pytest.raises(PaginationInvalid) as refused:
        parse_page_request(Query(f"n={n}"))
    assert len(refused.value.facts["n"]) <= 40


@given(st.text())
def test_any_n_is_a_number_or_refused(text):
    try:
        wanted = parse_page_request(_query(n=text))
    except PaginationInvalid:
        return
    assert 0 <= wanted.limit <= MAX_PAGE
    assert text.isascii()


@given(st.text())
def test_last_may_be_any_text(text):
    assert parse_page_request(_query(last=text)).last == text


def test_a_page_that_others_follow_links_to_them():
    headers = link_headers(request(), PageRequest(2, None), Page(("a", "b"), more=True))
    assert headers == [("link", '</v2/team/app/tags/list?n=2&last=b>; rel="next"')]


def test_the_last_page_has_no_link():
    assert link_headers(request(), PageRequest(2, None), Page(("a", "b"), more=False)) == []


def _query(**fields):
    return Query(urlencode(fields))
