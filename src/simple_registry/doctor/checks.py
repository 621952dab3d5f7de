"""The checks, in their order: what docker, podman, containerd, BuildKit, skopeo, crane, oras, helm and regctl do.

reach ─► log in ─► push in parts ─► push whole ─► slowly ─► manifest ─► pull ─► remove all that was written
"""

import hashlib
import json
import secrets
import ssl
import time
import uuid
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, replace
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import NoReturn
from urllib.parse import urljoin, urlsplit

from simple_registry.doctor.client import PIECE, Answer, Client, DoctorFault, Request
from simple_registry.doctor.findings import Finding
from simple_registry.doctor.session import Credentials, Session, foreign
from simple_registry.sizes import readable

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
LARGE = 24 * 1024 * 1024
"""The largest body that is tried; a limit that lets it through is none in practice."""
_SMALL = 2 * PIECE
_LONG_HEADER = 10_000
_UNANSWERED = 4.0
"""Seconds after which a body that is not sent is taken for one that a proxy waits for."""
_CLOCK = 60
_SOON = 14 * 24 * 3600
_TAG = "doctor"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What to do: the repository for throw-away content, bytes to send at most, seconds of silence in an upload."""

    repository: str
    max_size: int
    patience: float


class UncheckableFault(Exception):
    """No further check is possible."""


class Examination:
    """Checks one registry, and remembers what it wrote until it is removed."""

    def __init__(self, client: Client, credentials: Credentials | None, plan: Plan) -> None:
        """Begin without findings."""
        self.findings: list[Finding] = []
        self._client = client
        self._plan = plan
        self._session = Session(client, credentials, self._report)
        self._written: dict[str, None] = {}
        self._base = f"/v2/{plan.repository}"
        self._ping: Answer | None = None
        self._layer = b"simple-registry doctor\n" * (_SMALL // 23) + secrets.token_hex(16).encode()

    def run(self, told: Callable[[str], None]) -> None:
        """Run every check, and remove what they wrote, also after an interrupt. `told` takes what begins."""
        try:
            for meaning, check in CHECKS:
                told(meaning)
                try:
                    check(self)
                except DoctorFault as fault:
                    self._report("push" if self._written else "unreachable", f"{meaning}: {fault}")
        except UncheckableFault:
            pass
        finally:
            told("remove what was written")
            self._remove()

    # --- reach

    def reach(self) -> None:
        """Connect, ping, and compare the clocks."""
        self._connect()
        ping = self._ping = self._client.send(Request(method="GET", path="/v2/"))
        seen = f"GET /v2/: {ping.status}"
        if ping.status in range(300, 400):
            self._stop("redirect", f"{seen} to {ping.header('Location')}")
        if ping.status not in {HTTPStatus.OK, HTTPStatus.UNAUTHORIZED}:
            self._stop("no-registry", seen)
        if ping.header("Date"):
            difference = abs(parsedate_to_datetime(ping.header("Date")).timestamp() - time.time())
            if difference > _CLOCK:
                self._report("clock", f"they differ by {difference:.0f} seconds")

    def _connect(self) -> None:
        try:
            connection = self._client.connect()
        except ssl.SSLCertVerificationError as error:
            self._stop("certificate", error.verify_message)
        except ssl.SSLError as error:
            plain = self._client.at(replace(self._client.address, scheme="http"))
            try:
                answer = plain.send(Request(method="GET", path="/v2/"))
            except DoctorFault:
                self._stop("certificate", f"the TLS handshake fails: {error.reason}")
            self._stop("plain-http", f"http://… answers {answer.status}")
        except OSError as error:
            self._stop("unreachable", error.strerror or str(error))
        with connection:
            certificate = connection.getpeercert() if isinstance(connection, ssl.SSLSocket) else None
        if certificate:
            left = ssl.cert_time_to_seconds(str(certificate["notAfter"])) - time.time()
            if left < _SOON:
                self._report("certificate-expiry", f"in {left / 86400:.0f} days")

    def log_in(self) -> None:
        """Log in as docker, crane and oras do; send an Authorization as long as those of many repositories."""
        if self._ping is not None:
            self._session.log_in(self._ping, f"repository:{self._plan.repository}:pull,push,delete")
        long = Request(method="GET", path="/v2/", headers={"Authorization": "Bearer " + "x" * _LONG_HEADER})
        answer = self._client.send(long)
        if answer.status >= HTTPStatus.BAD_REQUEST and answer.status != HTTPStatus.UNAUTHORIZED:
            self._report("long-header", f"{_LONG_HEADER} characters: {answer.status}")

    # --- push

    def push_in_parts(self) -> None:
        """Push as docker, podman and skopeo do: a session, a part without a length, an empty end."""
        start = self._session.ask(Request(method="POST", path=f"{self._base}/blobs/uploads/"))
        if start.status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN} and start.of_registry:
            self._stop("denied", f"POST {self._base}/blobs/uploads/: {start.status}")
        location = self._location(start, "POST")
        part = Request(method="PATCH", path=location, body=self._layer, chunked=True, headers=_OCTETS)
        answer = self._session.ask(part)
        if answer.status in {HTTPStatus.LENGTH_REQUIRED, HTTPStatus.NOT_IMPLEMENTED, HTTPStatus.BAD_REQUEST}:
            self._stop("chunked", f"PATCH without Content-Length: {answer.status}")
        location = self._location(answer, "PATCH")
        if not answer.header("Range").removeprefix("bytes=").startswith("0-"):
            self._report("range-lost", f"PATCH: the Range is {answer.header('Range')!r}")
        self._finish(location, self._layer, b"")
        self._expected(Request(method="HEAD", path=self._blob(self._layer)), {HTTPStatus.OK})

    def push_whole(self) -> None:
        """Push as containerd, BuildKit, crane and oras do: a session, then one body; find the largest."""
        self._finish(self._begin(), b"{}", b"{}")
        fits, size = _SMALL, min(LARGE, self._plan.max_size // 2)
        limit = ""
        while size > fits and self._client.sent + size <= self._plan.max_size:
            seen = self._refused(size)
            if seen:
                limit = f"{readable(size)}: {seen}"
                size = (fits + size) // 2
            elif limit:
                fits, size = size, size + (size - fits) // 2
            else:
                return
            if size - fits < fits // 4:
                break
        if limit:
            self._report("body-limit", f"{readable(fits)} pass; {limit}")

    def _refused(self, size: int) -> str:
        """Return how a body of this size is refused, or an empty text."""
        location, body = self._begin(), secrets.token_bytes(PIECE) * (size // PIECE)
        try:
            answer = self._store(location, body, body)
        except DoctorFault as fault:
            return str(fault)
        return "" if answer.status == HTTPStatus.CREATED else str(answer.status)

    def stream(self) -> None:
        """See whether an answer that needs no body comes before the body.

        Proxies in Go cannot send one while they wait for the body, whether or not they keep it; Caddy gives its name.
        """
        if self._ping is not None and "caddy" in (self._ping.header("Server") + self._ping.header("Via")).lower():
            return
        path = f"{self._base}/blobs/uploads/{uuid.uuid4()}?digest={_digest(b'')}"
        unknown = Request(method="PUT", path=path, body=bytes(PIECE), announced=4 * 1024 * 1024, headers=_OCTETS)
        try:
            self._session.ask(unknown, timeout=_UNANSWERED)
        except DoctorFault as fault:
            self._report("buffering", f"PUT for an unknown upload: {fault}, until its body is sent")

    def push_slowly(self) -> None:
        """Push with a silence in the middle, as over a slow line."""
        slow = Request(
            method="PATCH",
            path=self._begin(),
            body=secrets.token_bytes(_SMALL),
            chunked=True,
            pause=self._plan.patience,
            headers=_OCTETS,
        )
        try:
            answer = self._session.ask(slow)
        except DoctorFault as fault:
            self._report("cut", f"after a silence of {self._plan.patience:g} seconds: {fault}")
            return
        if answer.status != HTTPStatus.ACCEPTED:
            self._report("cut", f"after a silence of {self._plan.patience:g} seconds: {answer.status}")

    def push_manifest(self) -> None:
        """Push a manifest by tag, and mount a blob as containerd and regctl do."""
        mount = f"{self._base}/blobs/uploads/?mount={_digest(self._layer)}&from={self._plan.repository}"
        mounted = self._expected(Request(method="POST", path=mount), {HTTPStatus.CREATED, HTTPStatus.ACCEPTED})
        if mounted.status == HTTPStatus.ACCEPTED:
            self._keep(self._location(mounted, "POST"))
        path = f"{self._base}/manifests/{_TAG}"
        put = Request(method="PUT", path=path, body=self._manifest, headers={"Content-Type": MANIFEST})
        self._keep(f"{self._base}/manifests/{_digest(self._manifest)}")
        self._expected(put, {HTTPStatus.CREATED})

    @property
    def _manifest(self) -> bytes:
        layer = {"mediaType": "application/octet-stream", "digest": _digest(self._layer), "size": len(self._layer)}
        config = {"mediaType": "application/vnd.oci.empty.v1+json", "digest": _digest(b"{}"), "size": 2}
        return json.dumps(
            {
                "schemaVersion": 2,
                "mediaType": MANIFEST,
                "config": config,
                "layers": [layer],
                "annotations": {"doctor": "simple-registry doctor " * 200},  # long enough for a proxy to compress it
            }
        ).encode()

    # --- pull

    def pull(self) -> None:
        """Pull as all do: HEAD and GET of the manifest and the blob, and a part of the blob."""
        for path, content in (
            (f"{self._base}/manifests/{_TAG}", self._manifest),
            (self._blob(self._layer), self._layer),
        ):
            self._check_get(path, content)
            self._check_head(path, content)
        part = Request(method="GET", path=self._blob(self._layer), headers={"Range": "bytes=2-9"})
        answer = self._followed(part)
        if answer.status != HTTPStatus.PARTIAL_CONTENT or answer.body != self._layer[2:10]:
            self._report("range", f"GET with Range: {answer.status}, {readable(len(answer.body))}")

    def _check_get(self, path: str, content: bytes) -> None:
        what = f"GET {path}"
        compressed = self._followed(_get(path, {"Accept-Encoding": "gzip"}))
        if encoding := compressed.header("Content-Encoding"):
            self._report("compression", f"{what}: Content-Encoding: {encoding}")
        answer = self._followed(_get(path, {}))
        if answer.status != HTTPStatus.OK or (answer.body != content and not answer.header("Content-Encoding")):
            self._report("content", f"{what}: {answer.status}, {readable(len(answer.body))}")
        if "/manifests/" in path and answer.header("Content-Type") != MANIFEST:
            self._report("content", f"{what}: Content-Type: {answer.header('Content-Type')}")
        if not answer.header("Docker-Content-Digest") and "/manifests/" in path:
            self._report("digest-lost", what)

    def _check_head(self, path: str, content: bytes) -> None:
        answer = self._followed(replace(_get(path, {}), method="HEAD"))
        length = answer.header("Content-Length")
        if answer.status != HTTPStatus.OK or length != str(len(content)):
            self._report("head", f"HEAD {path}: {answer.status}, Content-Length: {length or 'none'}")
        if answer.extra:
            self._report("head", f"HEAD {path}: a body follows")

    def _followed(self, request: Request) -> Answer:
        """Return the answer, after a redirection to the storage of a registry, which gets no credentials."""
        answer = self._session.ask(request)
        location = urljoin(f"{self._client.address}/", answer.header("Location"))
        if answer.status not in {301, 302, 303, 307, 308} or not foreign(self._client.address, location):
            return answer
        parts = urlsplit(location)
        address = replace(
            self._client.address,
            scheme=parts.scheme,
            host=parts.hostname or "",
            port=parts.port or (443 if parts.scheme == "https" else 80),
        )
        path = parts.path + (f"?{parts.query}" if parts.query else "")
        return self._client.at(address).send(replace(request, path=path))

    # --- the rest

    def _begin(self) -> str:
        """Return the location of a new upload."""
        start = Request(method="POST", path=f"{self._base}/blobs/uploads/")
        return self._location(self._expected(start, {HTTPStatus.ACCEPTED}), "POST")

    def _finish(self, location: str, content: bytes, body: bytes) -> None:
        answer = self._store(location, content, body)
        if answer.status != HTTPStatus.CREATED:
            self._refuse(answer, f"PUT {urlsplit(location).path}")

    def _store(self, location: str, content: bytes, body: bytes) -> Answer:
        """End an upload. Its blob is remembered first: an interrupt may come when it is stored, but not answered."""
        path, joint = self._blob(content), "&" if "?" in location else "?"
        put = Request(method="PUT", path=f"{location}{joint}digest={_digest(content)}", body=body, headers=_OCTETS)
        self._keep(path)
        answer = self._session.ask(put)
        if answer.status != HTTPStatus.CREATED:
            del self._written[path]
        return answer

    def _location(self, answer: Answer, method: str) -> str:
        """Return the path of `Location`, and remember that session."""
        if answer.status != HTTPStatus.ACCEPTED:
            self._refuse(answer, f"{method} of an upload")
        location = answer.header("Location")
        if not location:
            self._stop("location-lost", f"{method}: {answer.status} without Location")
        kind = foreign(self._client.address, location)
        if kind:
            self._report(f"location-{kind}", f"{method}: the Location is {location}")
        parts = urlsplit(urljoin(f"{self._client.address}/", location))
        path = parts.path + (f"?{parts.query}" if parts.query else "")
        self._keep(path)
        return path

    def _expected(self, request: Request, statuses: Collection[int]) -> Answer:
        answer = self._session.ask(request)
        if answer.status not in statuses:
            self._refuse(answer, f"{request.method} {urlsplit(request.path).path}")
        return answer

    def _refuse(self, answer: Answer, what: str) -> NoReturn:
        refused = {HTTPStatus.FORBIDDEN, HTTPStatus.METHOD_NOT_ALLOWED, HTTPStatus.NOT_IMPLEMENTED}
        is_method = answer.status in refused and not answer.of_registry
        self._stop("method" if is_method else "push", f"{what}: {answer.status}{_message(answer)}")

    def _blob(self, content: bytes) -> str:
        return f"{self._base}/blobs/{_digest(content)}"

    def _keep(self, path: str) -> None:
        self._written[path] = None

    def _remove(self) -> None:
        """Remove what was written, the newest first: a manifest before its parts."""
        left = dict(self._removed())
        blocked = next((seen for path, seen in left.items() if seen.startswith("!")), "")
        if blocked:
            self._report("method", f"DELETE: {blocked[1:]}")
        if left:
            some = ", ".join(f"{path} ({seen.lstrip('!')})" for path, seen in list(left.items())[:3])
            self._report("left", f"{len(left)} in {self._plan.repository}: {some}")

    def _removed(self) -> Iterator[tuple[str, str]]:
        """Yield what could not be removed, and why; `!` before a status that does not come from a registry."""
        for path in reversed(self._written):
            try:
                answer = self._session.ask(Request(method="DELETE", path=path))
            except DoctorFault as fault:
                yield path, str(fault)
                continue
            is_session = "/blobs/uploads/" in path
            if answer.status in {200, 202, 204, 404} or (is_session and answer.of_registry):
                continue  # a registry may end sessions by itself only
            yield path, f"{'' if answer.of_registry else '!'}{answer.status}"

    def _report(self, fault: str, seen: str) -> None:
        if all(each.id != fault for each in self.findings):
            self.findings.append(Finding(fault, seen))

    def _stop(self, fault: str, seen: str) -> NoReturn:
        self._report(fault, seen)
        raise UncheckableFault


CHECKS: tuple[tuple[str, Callable[[Examination], None]], ...] = (
    ("reach the registry", Examination.reach),
    ("log in", Examination.log_in),
    ("push in parts (docker, podman, skopeo, buildah)", Examination.push_in_parts),
    ("push whole (containerd, BuildKit, crane, oras, helm, regctl)", Examination.push_whole),
    ("stream an upload", Examination.stream),
    ("push slowly", Examination.push_slowly),
    ("push a manifest", Examination.push_manifest),
    ("pull", Examination.pull),
)
"""What each check does, and its function."""

_OCTETS = {"Content-Type": "application/octet-stream"}


def _get(path: str, headers: dict[str, str]) -> Request:
    return Request(method="GET", path=path, headers={"Accept": f"{MANIFEST}, */*", **headers})


def _digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def _message(answer: Answer) -> str:
    """Return the code of an error of a registry."""
    try:
        return f" {json.loads(answer.body)['errors'][0]['code']}"
    except (ValueError, LookupError, TypeError):
        return ""
