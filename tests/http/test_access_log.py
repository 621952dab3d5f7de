"""The access log: one line a request, enough to find it, never a secret."""

import logging

import pytest

from simple_registry.http.access_log import MAX_VALUE, logger
from support.documents import push_image
from support.front import PASSWORD, basic


@pytest.fixture
def lines(caplog):
    caplog.set_level(logging.INFO, logger=logger.name)
    return lambda: [record.fields for record in caplog.records if record.name == logger.name]


def test_every_request_has_one_line_with_its_identity_and_action(memory_front, lines):
    push_image(memory_front, "team/app", "v1")
    before = len(lines())
    reply = memory_front.get("/v2/team/app/manifests/v1", headers={"user-agent": "podman/5"})
    (line,) = lines()[before:]
    assert line == {
        "method": "GET",
        "path": "/v2/team/app/manifests/v1",
        "status": 200,
        "size": len(reply.body),
        "ms": 0.0,
        "client": "192.0.2.7",
        "identity": "admin",
        "agent": "podman/5",
        "request": reply.header("x-request-id"),
    }


def test_text_from_clients_is_cut(memory_front, lines):
    long = "x" * 20_000
    user = basic("u" * 9000, "wrong")
    memory_front.request("M" * 9000, f"/v2/{long}", headers={"user-agent": long, "authorization": user})
    (line,) = lines()
    assert line["path"] == f"/v2/{long}"[:MAX_VALUE]
    assert line["agent"] == long[:MAX_VALUE]
    assert all(len(str(value)) <= MAX_VALUE for value in line.values())


def test_a_request_without_valid_credentials_has_no_identity(memory_front, lines):
    memory_front.get("/v2/", headers={"authorization": "Basic garbage"})
    assert lines()[0]["identity"] == "-"
    assert lines()[0]["note"]


@pytest.mark.parametrize("path", ["/v2/?token=s3cret", "/v2/a/tags/list?last=s3cret", "/nowhere?password=s3cret"])
def test_the_query_string_stays_out(memory_front, lines, caplog, path):
    memory_front.get(path)
    assert len(lines()) == 1
    assert "s3cret" not in repr(lines()) + caplog.text


@pytest.mark.parametrize(
    "header", ["Bearer s3cret", "s3cret", basic("ada", "s3cret"), basic("admin", "s3cret"), basic("admin", PASSWORD)]
)
def test_no_credentials_are_logged(memory_front, lines, caplog, header):
    memory_front.get("/v2/", headers={"authorization": header})
    told = repr(lines()) + caplog.text
    assert "s3cret" not in told
    assert PASSWORD not in told
    assert header not in told


def test_the_time_is_in_milliseconds(make_front, lines, clock):
    front = make_front()

    async def slow():
        clock.advance(1.5)
        yield b"x"

    front.patch(front.open_session("a"), body=slow())
    assert lines()[-1]["ms"] == 1500.0


def test_reasons_that_clients_do_not_hear_are_in_the_note(memory_front, lines):
    reply = memory_front.get("/v2/", headers={"authorization": basic("admin", "wrong")})
    assert "admin" in lines()[0]["note"]
    assert b"admin" not in reply.body
