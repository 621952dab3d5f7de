"""The edge to the server: what a request becomes, how a response leaves, and who keeps reading afterwards."""

import asyncio

import pytest

from simple_registry.config.settings import Limits, Settings
from simple_registry.content import FileContent, Span, stream_of
from simple_registry.current import REQUEST
from simple_registry.http.bodies import RequestBody
from simple_registry.http.messages import FileSpan, Parts, Request, Response
from simple_registry.http.rsgi import send
from simple_registry.oci.digests import digest_of
from support.documents import push_image
from support.front import Exchange


def test_every_answer_names_its_request_and_the_protocol(memory_front):
    replies = [memory_front.get(path) for path in ("/v2/", "/v2/none/tags/list", "/nowhere", "/healthz")]
    assert len({reply.header("x-request-id") for reply in replies}) == len(replies)
    for reply in replies:
        assert reply.header("docker-distribution-api-version") == "registry/2.0"


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


def test_a_refused_client_that_insists_on_sending_is_read_to_its_end(memory_front):
    chunks = [b"x" * 1000] * 50
    reply = memory_front.put("/v2/team/app/manifests/v1", body=chunks, user=None)
    assert (reply.status, reply.taken, reply.read) == (401, 0, 50_000)


def test_a_refused_client_is_read_no_further_than_the_limit(make_front):
    front = make_front(Settings(limits=Limits(drain_size=10_000)))
    reply = front.put("/v2/team/app/manifests/v1", body=[b"x" * 1000] * 50, user=None)
    assert (reply.status, reply.read) == (401, 10_000)


def test_a_client_that_asked_first_is_not_read_after_a_refusal(memory_front):
    how = {"headers": {"expect": "100-continue"}, "body": [b"x" * 1000] * 50, "user": None}
    reply = memory_front.put("/v2/team/app/manifests/v1", **how)
    assert (reply.status, reply.read) == (401, 0)


def test_a_client_that_dribbles_forever_is_given_up_and_leaves_nothing(make_front):
    front = make_front(Settings(limits=Limits(body_timeout=0.02, drain_timeout=0.02)))
    location = front.open_session("team/app")

    async def dribble():
        yield b"some"
        await asyncio.Event().wait()

    with front.unchanged():
        reply = front.patch(location, body=dribble())
    assert (reply.status, reply.codes) == (408, ["BLOB_UPLOAD_INVALID"])


@pytest.mark.parametrize("length", ["x", "-1", "", "\u0661", "1_0"])
def test_a_length_that_is_no_number_is_no_announcement(memory_front, length):
    location = memory_front.open_session("team/app")
    reply = memory_front.patch(location, body=b"four", headers={"content-length": length})
    assert (reply.status, reply.header("range")) == (202, "0-3")


def test_a_large_blob_leaves_in_one_piece(front):
    data = bytes(range(256)) * 4096
    digest = front.push_blob("team/app", data)
    assert front.get(f"/v2/team/app/blobs/{digest}").body == data


def test_empty_answers_say_that_they_are_empty(front):
    location = front.open_session("team/app")
    reply = front.patch(location, body=b"x")
    assert (reply.body, reply.header("content-length")) == (b"", "0")
    assert front.get(location).header("content-length") is None


def test_a_file_that_turned_out_shorter_breaks_the_answer_off(memory_front, tmp_path):
    file = tmp_path / "content"
    file.write_bytes(b"four")
    parts = Parts([b"head", FileSpan(FileContent(str(file), 10), Span(0, 10))], 14)
    exchange = Exchange(stream_of(), "GET")
    request = Request("GET", "/", "", {}, RequestBody(stream_of(), announced=0, timeout=1), "id")
    with pytest.raises(EOFError):
        memory_front.run(send(exchange, request, Response(206, [], parts)))
    assert exchange.body == b"headfour"


class Sent(Exchange):
    """Tells how a file was sent."""

    how = ""

    def response_bytes(self, *answer):
        self.how += "bytes"
        super().response_bytes(*answer)

    def response_file_range(self, *answer):
        self.how += "file"
        super().response_file_range(*answer)


@pytest.mark.parametrize(("size", "how"), [(1, "bytes"), (64 * 1024, "bytes"), (64 * 1024 + 1, "file")])
def test_small_parts_of_files_are_sent_as_bytes_and_large_ones_as_files(memory_front, tmp_path, size, how):
    file = tmp_path / "content"
    file.write_bytes(b"abc" * 30_000)
    exchange = Sent(stream_of(), "GET")
    request = Request("GET", "/", "", {}, RequestBody(stream_of(), announced=0, timeout=1), "id")
    part = FileSpan(FileContent(str(file), 90_000), Span(1, size + 1))
    memory_front.run(send(exchange, request, Response(206, [], part)))
    assert (exchange.how, exchange.body) == (how, file.read_bytes()[1 : size + 1])


def test_a_small_file_that_is_shorter_than_was_said_is_left_to_the_server(memory_front, tmp_path):
    file = tmp_path / "content"
    file.write_bytes(b"four")
    exchange = Sent(stream_of(), "GET")
    request = Request("GET", "/", "", {}, RequestBody(stream_of(), announced=0, timeout=1), "id")
    part = FileSpan(FileContent(str(file), 10), Span(0, 10))
    memory_front.run(send(exchange, request, Response(200, [], part)))
    assert exchange.how == "file"


async def stalled():
    yield b"some"
    await asyncio.Event().wait()


async def given_up(front, method, path, **how):
    """Send a request and reset its stream while its body is being read, as an HTTP/2 client does."""
    request = asyncio.ensure_future(front.send(method, path, body=stalled(), **how))
    await asyncio.sleep(0.05)
    request.cancel()
    return await request


def test_a_refused_client_that_resets_its_stream_is_no_failure(memory_front):
    path = "/v2/team/app/manifests/v1"
    assert memory_front.run(given_up(memory_front, "PUT", path, user=None)).status == 401


def test_a_client_that_gives_up_in_the_middle_leaves_nothing_but_a_line_in_the_log(front, caplog):
    location = front.open_session("team/app")
    never_answered = pytest.raises(AssertionError, match="never answered")
    with front.unchanged(), caplog.at_level("INFO", "simple_registry.access"), never_answered:
        front.run(given_up(front, "PATCH", location))
    assert caplog.records[-1].fields["status"] == 499


def test_an_id_that_a_client_chooses_is_not_taken_over(memory_front):
    reply = memory_front.get("/v2/", headers={"x-request-id": "forged"})
    assert "forged" not in reply.header("x-request-id")


def test_lines_that_are_written_during_a_request_can_name_it(memory_front, monkeypatch):
    seen = []
    monkeypatch.setattr(
        memory_front.application._stores.metadata, "check", lambda: seen.append(REQUEST.get()), raising=False
    )
    replies = [memory_front.get("/readyz") for _ in range(3)]
    assert seen == [reply.header("x-request-id") for reply in replies]
