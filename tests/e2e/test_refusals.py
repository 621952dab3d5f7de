"""A refusal reaches clients that are still sending 200 MB: the server answers first, and then reads the rest away."""

import base64
import http.client
import json
import os
import ssl
import subprocess
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import pytest

from e2e.commands import installed, unavailable
from e2e.server import PASSWORD, USERNAME, serve
from harness.gotools import ToolUnavailable, go_command

pytestmark = pytest.mark.clients

SIZE = 200_000_000
PIECE = 1_000_000
ASKS_FIRST = "Expect: 100-continue"
SOURCE = Path(__file__).parent / "go" / "send.go"


class Refusal(NamedTuple):
    """A request with a body that is refused."""

    status: int
    code: str
    method: str
    path: str
    proof: str | None = None


ADMIN = "Basic " + base64.b64encode(f"{USERNAME}:{PASSWORD}".encode()).decode()
REFUSALS = {
    "401-anonymous": Refusal(401, "UNAUTHORIZED", "PATCH", "/v2/refused/blobs/uploads/0123456789"),
    "401-invalid": Refusal(401, "UNAUTHORIZED", "PUT", "/v2/refused/manifests/v1", "Bearer of-bad-news"),
    "413": Refusal(413, "SIZE_INVALID", "PUT", "/v2/refused/manifests/v1", ADMIN),
}


class Told(NamedTuple):
    """The part of an error that a client shows."""

    status: int
    body: str


@pytest.fixture(params=REFUSALS.values(), ids=REFUSALS)
def refusal(request):
    """One of the refusals."""
    return request.param


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    """A server over plain HTTP."""
    with serve(tmp_path_factory.mktemp("plain")) as running:
        yield running


@pytest.fixture(scope="module")
def tls(tmp_path_factory):
    """A server over TLS."""
    with serve(tmp_path_factory.mktemp("tls"), tls=True) as running:
        yield running


@pytest.fixture(params=["plain", "tls"])
def registry(request):
    """A server."""
    return request.getfixturevalue(request.param)


@pytest.fixture(scope="module")
def big(tmp_path_factory):
    """A file of 200 MB that takes no room."""
    path = tmp_path_factory.mktemp("big") / "zeros"
    path.touch()
    os.truncate(path, SIZE)
    return path


@pytest.fixture(scope="module")
def sender(tmp_path_factory):
    """The program of tests/e2e/go/send.go."""
    program = tmp_path_factory.mktemp("go") / "send"
    try:
        command = [go_command(), "build", "-o", program, SOURCE]
    except ToolUnavailable as error:
        unavailable(str(error))
    environment = os.environ | {"CGO_ENABLED": "0", "GO111MODULE": "off"}
    subprocess.run(command, check=True, capture_output=True, env=environment)
    return program


@pytest.fixture
def connection(request, scheme):
    """A connection of Python's own client, and the server at its other end."""
    registry = request.getfixturevalue(scheme)
    if registry.authority is None:
        opened = http.client.HTTPConnection(registry.endpoint, timeout=60)
    else:
        trust = ssl.create_default_context(cafile=str(registry.authority))
        opened = http.client.HTTPSConnection(registry.endpoint, timeout=60, context=trust)
    with closing(opened):
        yield opened, registry


def begin(connection, refusal):
    """Send the head of a request."""
    connection.putrequest(refusal.method, refusal.path)
    connection.putheader("Content-Length", str(SIZE))
    if refusal.proof is not None:
        connection.putheader("Authorization", refusal.proof)
    connection.endheaders()


def assert_understood(registry, refusal, told):
    """The client has read the whole answer, and the registry holds nothing of what it sent."""
    assert told.status == refusal.status
    assert [error["code"] for error in json.loads(told.body)["errors"]] == [refusal.code]
    assert json.loads(registry.request("GET", "/v2/_catalog").body)["repositories"] == []


@pytest.mark.parametrize("scheme", ["plain", "tls"])
def test_python_reads_the_refusal_after_it_sent_everything(connection, refusal):
    opened, registry = connection
    begin(opened, refusal)
    for _ in range(SIZE // PIECE):
        opened.send(bytes(PIECE))

    response = opened.getresponse()

    assert_understood(registry, refusal, Told(response.status, response.read().decode()))


@pytest.mark.parametrize("scheme", ["plain", "tls"])
def test_refusal_arrives_before_the_body_was_sent(connection, refusal):
    opened, registry = connection
    begin(opened, refusal)
    opened.send(bytes(PIECE))

    response = opened.getresponse()
    told = Told(response.status, response.read().decode())

    assert_understood(registry, refusal, told)
    for _ in range(SIZE // PIECE - 1):  # what is still under way is read away, not reset
        opened.send(bytes(PIECE))


@pytest.mark.parametrize("expect", ["Expect:", ASKS_FIRST], ids=["at-once", "asks-first"])
def test_curl_reads_the_refusal(registry, refusal, big, tmp_path, expect):
    curl = installed("curl", tmp_path, "--silent", "--show-error", "--max-time", "60")
    trust = ["--cacert", registry.authority] if registry.tls else []
    proof = ["--header", f"Authorization: {refusal.proof}"] if refusal.proof else []

    said = curl(
        *("--request", refusal.method, "--upload-file", big),
        *("--header", expect, *proof, *trust),
        *("--write-out", "\n%{http_code}", f"{registry.scheme}://{registry.host}{refusal.path}"),
    )

    body, _, status = said.rpartition("\n")
    assert_understood(registry, refusal, Told(int(status), body))


def test_go_reads_the_refusal(registry, refusal, sender):
    environment = {
        "AUTHORIZATION": refusal.proof or "",
        "SSL_CERT_FILE": str(registry.authority or os.devnull),
    }
    url = f"{registry.scheme}://{registry.host}{refusal.path}"

    command = [sender, refusal.method, url, str(SIZE)]
    finished = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)

    assert finished.returncode == 0, finished.stderr
    answer = json.loads(finished.stdout)
    assert_understood(registry, refusal, Told(answer["status"], answer["body"]))
