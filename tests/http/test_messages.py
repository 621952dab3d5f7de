"""Requests, queries and responses as values."""

import contextlib
import json
from urllib.parse import urlencode

import pytest
from hypothesis import given, strategies as st

from simple_registry.http.messages import (
    MAX_QUERY_FIELDS,
    Query,
    QueryInvalid,
    Request,
    Response,
    Unsent,
    json_response,
)
from simple_registry.wire.body import NO_BODY

fields = st.lists(st.tuples(st.text(), st.text()), max_size=8)


@given(fields)
def test_a_query_reads_back_what_was_encoded(pairs):
    query = Query(urlencode(pairs))
    for name in {name for name, _ in pairs}:
        values = [value for key, value in pairs if key == name]
        assert query.all(name) == values
        if len(set(values)) == 1:
            assert query.find(name) == values[0]


def test_a_field_that_contradicts_itself_is_refused_and_one_that_repeats_itself_is_not():
    query = Query("digest=a&n=1&digest=b&n=1&digest=a")
    assert query.find("n") == "1"
    assert query.all("digest") == ["a", "b", "a"]
    with pytest.raises(QueryInvalid) as refused:
        query.find("digest")
    assert "digest" in refused.value.facts["reason"]


def test_an_absent_field_has_no_value():
    assert Query("a=1").find("b") is None
    assert Query("a=1").all("b") == []


@pytest.mark.parametrize("text", ["mount", "mount=", "a=1&mount", "mount=&a"])
def test_a_field_without_a_value_is_present_and_empty(text):
    assert Query(text).find("mount") == ""


@given(st.text())
def test_any_query_is_read_or_refused(text):
    with contextlib.suppress(QueryInvalid):
        Query(text)


@pytest.mark.parametrize("text", ["tag=%ff", "%80=1", "last=%c3"])
def test_bytes_that_are_not_text_are_refused(text):
    with pytest.raises(QueryInvalid):
        Query(text)


def test_more_fields_than_any_client_sends_are_refused():
    Query("&".join(["a=1"] * MAX_QUERY_FIELDS))
    with pytest.raises(QueryInvalid):
        Query("&".join(["a=1"] * (MAX_QUERY_FIELDS + 1)))


def test_a_request_parses_its_query():
    request = Request("GET", "/", "n=5", {}, NO_BODY, "id")
    assert request.query().find("n") == "5"


def test_a_response_has_the_size_of_its_content():
    assert Response(200, [], b"four").size == 4
    assert Response(200, [], Unsent(12)).size == 12


def test_a_document_leaves_as_json_that_no_cache_keeps():
    response = json_response({"tags": ["\u00e4"], "none": []}, [("link", "<x>")])
    headers = dict(response.headers)
    assert response.status == 200
    assert json.loads(response.content) == {"tags": ["\u00e4"], "none": []}
    assert headers == {"content-type": "application/json", "cache-control": "no-cache", "link": "<x>"}


def test_an_empty_sequence_is_a_list_and_not_null():
    assert json_response({"tags": ()}).content == b'{"tags":[]}'
