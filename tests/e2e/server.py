"""A registry process of our own for tests that speak to it from outside.

    with serve(folder, tls=True, configuration=SPARSE) as registry:
        registry.host      127.0.0.1:41234, what clients put before the repository
        registry.request("GET", "/v2/")

Leaving the block stops the process and raises `UnhealthyRegistry` when its log holds a traceback or a 5xx.
`E2E_REGISTRY` names another command to start, with the same options: an installed package, for example.
"""

import base64
import http.client
import json
import os
import re
import shlex
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from itertools import takewhile
from pathlib import Path
from typing import Any

import bcrypt

from harness.certificates import Certificates, issue

USERNAME = "admin"
PASSWORD = "correct horse: battery/staple"
READY = re.compile(r"listening on (?:(https?)://((?:\[[0-9a-f:]+\]|[0-9.]+):\d+)|(unix):(/[^\s\",]+))")
START_SECONDS = 30
STOP_SECONDS = 30
SERVER_ERROR = re.compile(r'"status": ?5\d\d\b')
TRACEBACK = "Traceback (most recent call last)"
MANIFEST_TYPES = ", ".join(
    f"application/vnd.{name}+json"
    for name in (
        *("oci.image.index.v1", "oci.image.manifest.v1"),
        *("docker.distribution.manifest.list.v2", "docker.distribution.manifest.v2"),
    )
)
ALLOW_MISSING = """\
kind: Configuration
metadata: {name: conformance}
spec: {manifests: {allowMissing: all}}
"""


class UnhealthyRegistry(AssertionError):
    """The server did not start, did not stop, or logged what it must never log."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A response, read whole."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Registry:
    """A server that is ready; `authority` is the CA file to trust, `None` over plain HTTP.

    At a unix socket the scheme is `unix` and the host is its path: for a proxy, not for requests from here.
    """

    scheme: str
    host: str
    endpoint: str
    log: Path
    pid: int
    authority: Path | None = None
    username: str = USERNAME
    password: str = PASSWORD

    @property
    def certificates(self) -> Path:
        """The folder with the authority's certificate as `ca.crt` and nothing else."""
        if self.authority is None:
            raise ValueError("plain HTTP has no certificates")
        return self.authority.parent

    @property
    def tls(self) -> bool:
        """Whether the server speaks TLS."""
        return self.authority is not None

    def request(
        self,
        method: str,
        path: str,
        *,
        body: bytes = b"",
        headers: Mapping[str, str] | None = None,
        anonymous: bool = False,
    ) -> Answer:
        """Send one request as the administrator, or anonymously; header names of the answer are in lower case."""
        credentials = base64.b64encode(f"{self.username}:{self.password}".encode()).decode()
        proof = {} if anonymous else {"Authorization": f"Basic {credentials}"}
        with self._connect() as connection:
            connection.request(method, path, body, {**proof, **(headers or {})})
            response = connection.getresponse()
            found = {name.lower(): value for name, value in response.getheaders()}
            return Answer(response.status, found, response.read())

    def manifest(self, repository: str, reference: str) -> dict[str, Any]:
        """Return a manifest that is there."""
        answer = self.request("GET", f"/v2/{repository}/manifests/{reference}", headers={"Accept": MANIFEST_TYPES})
        if answer.status != HTTPStatus.OK:
            raise AssertionError(f"{repository} {reference}: {answer}")
        return json.loads(answer.body)

    def digest(self, repository: str, reference: str) -> str | None:
        """Return the digest of a manifest, or nothing when it is not there."""
        answer = self.request("HEAD", f"/v2/{repository}/manifests/{reference}", headers={"Accept": MANIFEST_TYPES})
        return answer.headers["docker-content-digest"] if answer.status == HTTPStatus.OK else None

    def referrers(self, repository: str, digest: str) -> list[str]:
        """Return the digests of what refers to a manifest."""
        answer = self.request("GET", f"/v2/{repository}/referrers/{digest}")
        return [descriptor["digest"] for descriptor in json.loads(answer.body)["manifests"]]

    def mounts(self, repository: str) -> int:
        """Count the uploads into a repository that ended in their first request: blobs mounted, not sent."""
        path = f"/v2/{repository}/blobs/uploads/"
        lines = (json.loads(line) for line in self.log.read_text().splitlines() if line.startswith("{"))
        return sum((line.get("method"), line.get("path"), line.get("status")) == ("POST", path, 201) for line in lines)

    @contextmanager
    def _connect(self) -> Iterator[http.client.HTTPConnection]:
        if self.authority is None:
            connection = http.client.HTTPConnection(self.endpoint, timeout=30)
        else:
            trust = ssl.create_default_context(cafile=str(self.authority))
            connection = http.client.HTTPSConnection(self.endpoint, timeout=30, context=trust)
        try:
            yield connection
        finally:
            connection.close()


@contextmanager
def serve(
    folder: Path,
    *,
    tls: bool = False,
    configuration: str = "",
    address: str = "127.0.0.1:0",
    name: str = "",
    options: Sequence[str] = (),
) -> Iterator[Registry]:
    """Run a server over a new data directory in `folder` for the length of the block, with further `options`.

    Clients are to call it `name`, if given, which the certificate holds; our own requests go to its address.

    Raises:
        UnhealthyRegistry: see the module's text.
    """
    folder.mkdir(parents=True, exist_ok=True)
    log, certificates = folder / "server.log", issue(folder) if tls else None
    with log.open("wb") as stream:
        process = subprocess.Popen(
            [*command(folder, address, certificates, configuration), *options],
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=stream,
        )
    try:
        scheme, host = _wait_until_ready(process, log)
        yield Registry(
            scheme,
            host=f"{name}:{host.rpartition(':')[2]}" if name else host,
            endpoint=host,
            pid=process.pid,
            log=log,
            authority=certificates.authority if certificates else None,
        )
    finally:
        _stop(process, log)
    _check(log, process.returncode)


def command(folder: Path, address: str, certificates: Certificates | None, configuration: str) -> list[str]:
    password = folder / "admin-password"
    password.write_bytes(bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(rounds=5)) + b"\n")
    password.chmod(0o600)
    command = shlex.split(os.environ.get("E2E_REGISTRY", "")) or [sys.executable, "-m", "simple_registry"]
    command += ["-adminname", USERNAME, "-adminpwd-file", str(password)]
    command += ["-datadir", str(folder / "data"), "-addr", address]
    if certificates:
        command += ["-cert", str(certificates.certificate), "-key", str(certificates.key)]
    if configuration:
        documents = folder / "configuration"
        documents.mkdir()
        (documents / "configuration.yaml").write_text(configuration)
        command += ["-cfgdir", str(documents)]
    return command


def _wait_until_ready(process: subprocess.Popen[bytes], log: Path) -> tuple[str, str]:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if found := READY.search(log.read_text(errors="replace")):
            return found[1] or found[3], found[2] or found[4]
        if process.poll() is not None:
            break
        time.sleep(0.05)
    raise UnhealthyRegistry(f"the server did not become ready:\n{_tail(log)}")


def _stop(process: subprocess.Popen[bytes], log: Path) -> None:
    process.terminate()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired as error:
        process.kill()
        process.wait()
        raise UnhealthyRegistry(f"the server did not stop within {STOP_SECONDS} s of SIGTERM:\n{_tail(log)}") from error


def _check(log: Path, returncode: int) -> None:
    suspicious = suspicious_lines(log.read_text(errors="replace"))
    if suspicious:
        raise UnhealthyRegistry("the server's log holds:\n" + "\n".join(suspicious))
    if returncode:
        raise UnhealthyRegistry(f"the server ended with code {returncode}:\n{_tail(log)}")


def suspicious_lines(log: str) -> list[str]:
    """Return what no healthy server writes: tracebacks, with the lines that follow, and answers of 500 and above."""
    lines, found = log.splitlines(), []
    for number, line in enumerate(lines):
        if TRACEBACK in line:
            found.append(line)
            found += takewhile(lambda following: not following.startswith("{"), lines[number + 1 :])
        elif SERVER_ERROR.search(line):
            found.append(line)
    return found


def _tail(log: Path, characters: int = 4000) -> str:
    return log.read_text(errors="replace")[-characters:]
