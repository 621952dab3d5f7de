"""Responses that several handlers give."""

import json

from simple_registry.http.handlers.replies import json_response


def test_a_document_leaves_as_json_that_nobody_keeps():
    response = json_response({"tags": ["\u00e4"], "none": []}, [("link", "<x>")])
    headers = dict(response.headers)
    assert response.status == 200
    assert json.loads(response.content) == {"tags": ["\u00e4"], "none": []}
    assert headers == {"content-type": "application/json", "cache-control": "no-cache", "link": "<x>"}


def test_an_empty_sequence_is_a_list_and_not_null():
    assert json_response({"tags": ()}).content == b'{"tags":[]}'
