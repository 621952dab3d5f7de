"""Errors on the wire, and the headers that let clients go on after some of them."""

import json

import pytest

from simple_registry.http.error_responses import error_response, failure_response
from simple_registry.http.messages import Request
from simple_registry.http.routes import MethodNotAllowed
from simple_registry.oci.errors import (
    BlobUnknown,
    Denied,
    ManifestBlobUnknown,
    RangeInvalid,
    RangeNotSatisfiable,
    Several,
    TooManyRequests,
    Unauthorized,
    Unavailable,
    UploadBusy,
    UploadTaken,
)
from simple_registry.wire.body import NO_BODY

REQUEST = Request("GET", "/v2/a/blobs/uploads/7", "", {}, NO_BODY, "id-7")


def answer(error):
    response = error_response(REQUEST, error)
    return response.status, dict(response.headers), json.loads(response.content)


def test_an_error_is_its_code_message_and_facts():
    status, headers, document = answer(BlobUnknown(digest="sha256:0"))
    assert status == 404
    assert headers["content-type"] == "application/json"
    assert document == {
        "errors": [{"code": "BLOB_UNKNOWN", "message": BlobUnknown.message, "detail": {"digest": "sha256:0"}}],
        "requestId": "id-7",
    }


def test_an_error_without_facts_has_no_detail():
    assert "detail" not in answer(BlobUnknown())[2]["errors"][0]


def test_the_note_stays_here():
    assert b"between us" not in error_response(REQUEST, Denied(note="between us")).content


def test_several_errors_share_one_document():
    status, _, document = answer(Several([ManifestBlobUnknown(digest="a"), ManifestBlobUnknown(digest="b")]))
    assert status == 404
    assert [error["detail"]["digest"] for error in document["errors"]] == ["a", "b"]


@pytest.mark.parametrize(
    ("error", "name", "value"),
    [
        (RangeInvalid(received=100, start=7), "range", "0-99"),
        (RangeInvalid(received=0, start=7), "range", "0-0"),
        (RangeInvalid(received=0, start=7), "location", "/v2/a/blobs/uploads/7"),
        (UploadTaken(session="7", received=100), "range", "0-99"),
        (UploadTaken(session="7", received=100), "location", "/v2/a/blobs/uploads/7"),
        (UploadTaken(session="7", received=100), "retry-after", None),
        (UploadBusy(session="7", received=0), "range", "0-0"),
        (UploadBusy(session="7", received=0), "location", "/v2/a/blobs/uploads/7"),
        (UploadBusy(session="7", received=0), "retry-after", "1"),
        (RangeNotSatisfiable(size=10), "content-range", "bytes */10"),
        (MethodNotAllowed(["GET", "HEAD"]), "allow", "GET, HEAD"),
        (TooManyRequests(), "retry-after", "1"),
        (Unavailable(), "retry-after", "1"),
    ],
)
def test_headers_show_how_clients_continue(error, name, value):
    assert answer(error)[1].get(name) == value


def test_a_challenge_is_a_header():
    headers = error_response(REQUEST, Unauthorized(), 'Bearer realm="r"').headers
    assert [value for name, value in headers if name == "www-authenticate"] == ['Bearer realm="r"']


def test_no_error_is_cached():
    assert answer(BlobUnknown())[1]["cache-control"] == "no-store"


def test_a_failure_shows_only_the_place_of_its_log():
    response = failure_response(REQUEST)
    assert response.status == 500
    assert json.loads(response.content) == {
        "errors": [{"code": "UNKNOWN", "message": "internal error"}],
        "requestId": "id-7",
    }
