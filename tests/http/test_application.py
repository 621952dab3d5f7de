"""The registry as an application of HTTP: what every answer carries, and what is logged when it cannot be sent."""

import pytest

from simple_registry.faults import ContentGone, StorageFault
from simple_registry.oci.digests import digest_of
from simple_registry.request_id import REQUEST_ID
from simple_registry.wire.exchange import CannotSend, ClientGone
from simple_registry.wire.heads import RequestRefused
from support.documents import push_image
from support.front import Exchange


def test_every_answer_names_its_request_and_the_protocol(memory_front):
    replies = [memory_front.get(path) for path in ("/v2/", "/v2/none/tags/list", "/nowhere", "/healthz")]
    assert len({reply.header("x-request-id") for reply in replies}) == len(replies)
    for reply in replies:
        assert reply.header("docker-distribution-api-version") == "registry/2.0"


def test_no_answer_is_a_page_to_a_browser(memory_front):
    push_image(memory_front, "team/app", "v1")
    digest = memory_front.push_blob("team/app", b"<script>alert(1)</script>")
    location = memory_front.open_session("team/app")
    replies = [
        *map(memory_front.get, ("/v2/", "/v2/none/tags/list", "/nowhere", "/healthz", "/readyz", "/metrics")),
        *map(memory_front.get, ("/v2/_catalog", "/v2/team/app/tags/list", "/token", location)),
        *map(memory_front.get, ("/v2/team/app/manifests/v1", f"/v2/team/app/manifests/{digest}")),
        *map(memory_front.get, (f"/v2/team/app/blobs/{digest}", f"/v2/team/app/referrers/{digest}", "/api/v1/tokens")),
        memory_front.get(f"/v2/team/app/blobs/{digest}", headers={"if-none-match": "*"}),
        memory_front.get(f"/v2/team/app/blobs/{digest}", headers={"range": "bytes=0-1,3-4"}),
        memory_front.head("/v2/team/app/manifests/v1"),
        memory_front.get("/v2/", user=None),
        memory_front.get("/v2/", headers={"authorization": "Basic <b>"}),
        memory_front.patch(location, body=b"x"),
        memory_front.get("/v2/", headers=[("host", "a"), ("host", "b")]),
        memory_front.delete("/v2/team/app/manifests/v1"),
    ]
    assert {reply.status for reply in replies} >= {200, 202, 206, 304, 400, 401, 404}
    for reply in replies:
        assert reply.header("x-content-type-options") == "nosniff"
        assert reply.header("content-security-policy") == "default-src 'none'; sandbox"


def test_an_answer_to_an_internal_error_is_not_a_page_either(memory_front, monkeypatch):
    monkeypatch.setattr(memory_front.kept.stores.rows.repositories, "page_repositories", None)
    reply = memory_front.get("/v2/_catalog")
    assert reply.status == 500
    assert reply.header("content-security-policy") == "default-src 'none'; sandbox"


def test_a_path_is_read_after_percent_decoding(front):
    data = push_image(front, "team/app", "v1")
    assert front.get("/v2/team%2Fapp/manifests/v1").body == data
    assert front.get("/v2/team/app/manifests/%761").body == data


@pytest.mark.parametrize("name", ["%00", "a%00b", "a%0A", "%2e%2e", "a%2F..%2Fb", "%E2%82%AC", "%ff", "a%20b", "A"])
def test_decoded_paths_meet_the_full_grammar(memory_front, name):
    with memory_front.unchanged():
        assert memory_front.get(f"/v2/{name}/tags/list").status in {400, 404}
        assert memory_front.post(f"/v2/{name}/blobs/uploads/").status in {400, 404}


def test_repeated_headers_are_joined(front):
    data = push_image(front, "team/app", "v1")
    tags = [("if-none-match", '"x"'), ("if-none-match", f'"{digest_of(data)}"')]
    assert front.get("/v2/team/app/manifests/v1", headers=tags).status == 304


@pytest.mark.parametrize("length", ["x", "-1", "", "\u0661", "1_0", "1, 1"])
def test_a_length_that_is_not_a_number_is_refused(memory_front, length):
    location = memory_front.open_session("team/app")
    with memory_front.unchanged():
        reply = memory_front.patch(location, body=b"four", headers={"content-length": length})
    assert (reply.status, reply.codes) == (400, ["UNSUPPORTED"])


def test_a_large_blob_is_sent_whole(front):
    data = bytes(range(256)) * 4096
    digest = front.push_blob("team/app", data)
    assert front.get(f"/v2/team/app/blobs/{digest}").body == data


def test_empty_answers_have_a_content_length_unless_204(front):
    location = front.open_session("team/app")
    reply = front.patch(location, body=b"x")
    assert (reply.body, reply.header("content-length")) == (b"", "0")
    assert front.get(location).header("content-length") is None


@pytest.fixture
def logged(memory_front):
    """The lines of the access log."""
    lines = []
    memory_front.log = lines.append
    return lines


def failing(monkeypatch, *errors):
    """Have sending raise each error in turn, or what a function returns, and succeed after them."""
    pending, send = list(errors), Exchange.send

    async def fail(exchange, answer, *further):
        if pending:
            error = pending.pop(0)
            raise error if isinstance(error, Exception) else error()
        await send(exchange, answer, *further)

    monkeypatch.setattr(Exchange, "send", fail)


def test_content_that_cannot_be_sent_becomes_503(memory_front, monkeypatch, logged):
    failing(monkeypatch, CannotSend("too many files are open"))
    reply = memory_front.get("/v2/")
    assert (reply.status, reply.codes, reply.header("retry-after")) == (503, ["UNKNOWN"], "1")
    assert logged[-1]["status"] == 503
    assert logged[-1]["note"] == "too many files are open"


def test_a_store_that_fails_before_anything_is_sent_becomes_503(memory_front, monkeypatch, logged):
    failing(monkeypatch, StorageFault("stream content", "the test says no"))
    assert memory_front.get("/v2/").status == 503
    assert "the test says no" in logged[-1]["note"]


def test_content_that_vanishes_before_the_first_byte_is_404(memory_front, monkeypatch):
    digest = memory_front.push_blob("a", b"content")

    def go():
        memory_front.kept.write(digest, None)
        return ContentGone("read content", "somebody removed it")

    failing(monkeypatch, go)
    reply = memory_front.get(f"/v2/a/blobs/{digest}")
    assert (reply.status, reply.codes) == (404, ["BLOB_UNKNOWN"])


def test_content_that_is_replaced_before_any_of_it_is_sent_is_sent(memory_front, monkeypatch):
    digest = memory_front.push_blob("a", b"content")
    failing(monkeypatch, ContentGone("read content", "a push replaced it"))
    assert memory_front.get(f"/v2/a/blobs/{digest}").body == b"content"


@pytest.mark.parametrize("ranges", [{}, {"range": "bytes=0-2"}, {"range": "bytes=0-0,2-2"}])
def test_a_blob_that_cannot_be_read_is_absent_until_it_is_pushed_again(memory_front, monkeypatch, ranges):
    digest = memory_front.push_blob("a", b"content")
    failing(monkeypatch, *[ContentGone("read content", "it went")] * 2)
    path = f"/v2/a/blobs/{digest}"
    assert memory_front.get(path, headers=ranges).codes == ["BLOB_UNKNOWN"]
    assert (memory_front.head(path).status, memory_front.get(path).status) == (404, 404)
    memory_front.push_blob("a", b"content")
    assert memory_front.get(path).body == b"content"


def test_a_manifest_that_cannot_be_read_is_absent_until_it_is_pushed_again(memory_front, monkeypatch):
    data = push_image(memory_front, "a", "v1")
    failing(monkeypatch, *[ContentGone("read content", "it went")] * 2)
    path = "/v2/a/manifests/v1"
    assert memory_front.get(path).codes == ["MANIFEST_UNKNOWN"]
    assert (memory_front.head(path).status, memory_front.get(path).status) == (404, 404)
    push_image(memory_front, "a", "v1")
    assert memory_front.get(path).body == data


def test_content_that_vanishes_repeatedly_becomes_503_if_rows_cannot_be_written(memory_front, monkeypatch, logged):
    digest = memory_front.push_blob("a", b"content")
    failing(monkeypatch, *[ContentGone("read content", "it went")] * 3)

    async def fail(_record):
        raise StorageFault("write rows", "the disk is full")

    monkeypatch.setattr(memory_front.kept.stores.rows.contents, "mark_damaged", fail)
    assert memory_front.get(f"/v2/a/blobs/{digest}").status == 503
    assert logged[-1]["note"] == "cannot read content: it went"


def test_a_client_that_left_before_its_answer_is_logged_as_499(memory_front, monkeypatch, logged):
    failing(monkeypatch, ClientGone("the client left", started=False))
    with pytest.raises(AssertionError, match="never answered"):
        memory_front.get("/v2/")
    assert (logged[-1]["status"], logged[-1]["note"]) == (499, "the client left")


def test_an_answer_that_broke_off_keeps_its_status_and_gets_a_note(memory_front, monkeypatch, logged):
    failing(monkeypatch, ClientGone("the client left", started=True))
    with pytest.raises(AssertionError, match="never answered"):
        memory_front.get("/v2/")
    assert (logged[-1]["status"], logged[-1]["note"]) == (200, "the client left")


@pytest.mark.parametrize(("status", "code"), [(400, "UNSUPPORTED"), (431, "UNSUPPORTED"), (503, "UNKNOWN")])
def test_input_that_never_became_a_request_has_an_error_document_an_id_and_a_line(memory_front, logged, status, code):
    answer = memory_front.application.http.refuse("192.0.2.9", RequestRefused(status, "a reason"))
    headers = dict(answer.headers)
    assert answer.status == status
    assert headers["x-request-id"] in answer.content.decode()
    assert code in answer.content.decode()
    assert "a reason" in answer.content.decode()
    assert ("retry-after" in headers) is (status == 503)
    assert {"client": "192.0.2.9", "status": status, "note": "a reason"}.items() <= logged[-1].items()


def test_an_id_that_a_client_chooses_is_not_taken_over(memory_front):
    reply = memory_front.get("/v2/", headers={"x-request-id": "forged"})
    assert "forged" not in reply.header("x-request-id")


def test_lines_that_are_written_during_a_request_can_name_it(memory_front, monkeypatch):
    seen = []
    monkeypatch.setattr(memory_front.services.stores.content, "check", lambda: seen.append(REQUEST_ID.get()))
    replies = [memory_front.get("/readyz") for _ in range(3)]
    assert seen == [reply.header("x-request-id") for reply in replies]
