"""The operations whose system calls are examined: each is done over HTTP, one at a time.

    prepare   creates what the operation needs
    act       does it, and returns the decisive answer
    before    what is true until then
    after     what the answer guarantees

Every operation works in its own repositories, named by a `key`, with its own content.
"""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from http.client import HTTPException
from urllib.parse import urlsplit

from harness.subjects import Running

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
CHUNK = 70_000
"""Bytes of one content: several pages, and no whole number of them."""


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer, the client's port that it came to, and when it had come. Status 0 means that none came."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    port: int = 0

    @property
    def succeeded(self) -> bool:
        return 200 <= self.status < 300


class Unsupported(Exception):
    """The registry does not offer this operation."""


class Client:
    """Asks one registry, on a connection of its own for every request."""

    def __init__(self, registry: Running) -> None:
        self._registry = registry

    def ask(self, method: str, url: str, body: bytes | None = None, media_type: str | None = None) -> Reply:
        """Return the answer to one request."""
        connection = self._registry.connect()
        target = urlsplit(url)
        path = f"{target.path}?{target.query}" if target.query else target.path
        try:
            connection.connect()
            port = connection.sock.getsockname()[1]
            connection.request(method, path, body, {"Content-Type": media_type} if media_type else {})
            response = connection.getresponse()
            headers = {name.lower(): value for name, value in response.getheaders()}
            return Reply(response.status, headers, response.read(), port)
        except (OSError, HTTPException):
            return Reply(0)
        finally:
            connection.close()


def content(key: str, part: str = "", size: int = CHUNK) -> bytes:
    """Return bytes that only this key and part have."""
    seed = hashlib.sha256(f"{key}/{part}".encode()).digest()
    return (seed * (size // len(seed) + 1))[:size]


def digest(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def with_digest(location: str, data: bytes) -> str:
    return f"{location}{'&' if '?' in location else '?'}digest={digest(data)}"


# ---------------------------------------------------------------- what is true


@dataclass(frozen=True, slots=True)
class Present:
    """A GET of `path` gives bytes with this digest."""

    path: str
    digest: str

    def holds(self, client: Client) -> bool:
        reply = client.ask("GET", self.path)
        return reply.status == 200 and digest(reply.body) == self.digest


@dataclass(frozen=True, slots=True)
class Absent:
    """A GET of `path` gives 404."""

    path: str

    def holds(self, client: Client) -> bool:
        return client.ask("GET", self.path).status == 404


State = Sequence[Present | Absent]


@dataclass(frozen=True, slots=True)
class Operation:
    """See the module."""

    name: str
    act: Callable[[Client, str], Reply]
    after: Callable[[str], State]
    prepare: Callable[[Client, str], object] = lambda _client, _key: None
    before: Callable[[str], State] = lambda _key: ()
    removes: bool = False
    success: int = 201


# ---------------------------------------------------------------- blobs


def start(client: Client, repository: str) -> Reply:
    return client.ask("POST", f"/v2/{repository}/blobs/uploads/")


def push_blob(client: Client, repository: str, data: bytes) -> Reply:
    """Push in a POST and a PUT."""
    started = start(client, repository)
    if started.status != 202:
        return started
    return client.ask("PUT", with_digest(started.headers["location"], data), data, "application/octet-stream")


def push_in_chunks(client: Client, repository: str, chunks: Sequence[bytes], *, attempts: int = 1) -> Reply:
    """Push in a POST, a PATCH for each chunk, and an empty PUT. Each is tried again in the same session if it fails."""
    reply = start(client, repository)
    for chunk in chunks:
        if reply.status != 202:
            return reply
        reply = _insist(client, attempts, "PATCH", reply.headers["location"], chunk)
    if reply.status != 202:
        return reply
    return _insist(client, attempts, "PUT", with_digest(reply.headers["location"], b"".join(chunks)), None)


def _insist(client: Client, attempts: int, method: str, url: str, body: bytes | None) -> Reply:
    """Ask up to so many times; return the answer that was good, or the first."""
    media_type = "application/octet-stream" if body is not None else None
    replies: list[Reply] = []
    while len(replies) < attempts and not (replies and replies[-1].status < 500):
        replies.append(client.ask(method, url, body, media_type))
    return replies[-1] if replies[-1].succeeded else replies[0]


def push_at_once(client: Client, repository: str, data: bytes) -> Reply:
    """Push in one POST; a registry that does not know that answers 202 and gets the bytes in a PUT."""
    url = f"/v2/{repository}/blobs/uploads/?digest={digest(data)}"
    reply = client.ask("POST", url, data, "application/octet-stream")
    if reply.status != 202:
        return reply
    return client.ask("PUT", with_digest(reply.headers["location"], data), data, "application/octet-stream")


def _blob(part: str = "", repository: str = "") -> Callable[[str], State]:
    def state(key: str) -> State:
        expected = digest(content(key, part))
        return [Present(f"/v2/{key}{repository}/blobs/{expected}", expected)]

    return state


def _no_blob(part: str = "", repository: str = "") -> Callable[[str], State]:
    return lambda key: [Absent(f"/v2/{key}{repository}/blobs/{digest(content(key, part))}")]


def _thirds(data: bytes) -> list[bytes]:
    third = len(data) // 3
    return [data[:third], data[third : 2 * third], data[2 * third :]]


def _mount(client: Client, key: str) -> Reply:
    url = f"/v2/{key}/mounted/blobs/uploads/?mount={digest(content(key))}&from={key}"
    return client.ask("POST", url)


def _delete_blob(client: Client, key: str) -> Reply:
    return client.ask("DELETE", f"/v2/{key}/blobs/{digest(content(key))}")


def _push_content(client: Client, key: str) -> Reply:
    return push_blob(client, key, content(key))


# ---------------------------------------------------------------- manifests


def manifest(key: str, part: str = "") -> bytes:
    """Return an image manifest over the content of the key."""
    config = content(key)
    described = {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": digest(config), "size": len(config)}
    document = {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": described,
        "layers": [],
        "annotations": {"part": part},
    }
    return json.dumps(document).encode()


def put_manifest(client: Client, repository: str, reference: str, data: bytes) -> Reply:
    return client.ask("PUT", f"/v2/{repository}/manifests/{reference}", data, MANIFEST)


def _tagged(part: str = "") -> Callable[[str], State]:
    def state(key: str) -> State:
        expected = digest(manifest(key, part))
        return [Present(f"/v2/{key}/manifests/{reference}", expected) for reference in ("tag", expected)]

    return state


def _untagged(part: str = "") -> Callable[[str], State]:
    return lambda key: [Absent(f"/v2/{key}/manifests/{each}") for each in ("tag", digest(manifest(key, part)))]


def _by_digest(key: str) -> State:
    expected = digest(manifest(key))
    return [Present(f"/v2/{key}/manifests/{expected}", expected)]


def _prepare_tag(client: Client, key: str) -> Reply:
    push_blob(client, key, content(key))
    return put_manifest(client, key, "tag", manifest(key))


def _delete_tag(client: Client, key: str) -> Reply:
    reply = client.ask("DELETE", f"/v2/{key}/manifests/tag")
    if reply.status in (400, 405):
        raise Unsupported
    return reply


PATCH = "a chunk alone"


def _chunk_alone(client: Client, key: str) -> Reply:
    started = start(client, key)
    if started.status != 202:
        return started
    return client.ask("PATCH", started.headers["location"], content(key), "application/octet-stream")


OPERATIONS: Sequence[Operation] = (
    Operation("blob by POST and PUT", _push_content, _blob(), before=_no_blob()),
    Operation(
        "blob by POST, PATCH and PUT",
        lambda client, key: push_in_chunks(client, key, [content(key)]),
        _blob(),
        before=_no_blob(),
    ),
    Operation(
        "blob by chunks",
        lambda client, key: push_in_chunks(client, key, _thirds(content(key)), attempts=2),
        _blob(),
        before=_no_blob(),
    ),
    Operation(
        "blob in one POST", lambda client, key: push_at_once(client, key, content(key)), _blob(), before=_no_blob()
    ),
    Operation(
        "blob that is there",
        _push_content,
        _blob(),
        prepare=_push_content,
        before=_blob(),
    ),
    Operation("mount", _mount, _blob(repository="/mounted"), _push_content, _no_blob(repository="/mounted")),
    Operation(PATCH, _chunk_alone, lambda _key: (), success=202),
    Operation(
        "manifest by tag",
        lambda client, key: put_manifest(client, key, "tag", manifest(key)),
        _tagged(),
        _push_content,
        _untagged(),
    ),
    Operation(
        "manifest by digest",
        lambda client, key: put_manifest(client, key, digest(manifest(key)), manifest(key)),
        _by_digest,
        _push_content,
        _untagged(),
    ),
    Operation(
        "tag move",
        lambda client, key: put_manifest(client, key, "tag", manifest(key, "new")),
        _tagged("new"),
        _prepare_tag,
        _tagged(),
    ),
    Operation(
        "tag delete",
        _delete_tag,
        lambda key: [Absent(f"/v2/{key}/manifests/tag"), *_by_digest(key)],
        _prepare_tag,
        _tagged(),
        removes=True,
        success=202,
    ),
    Operation(
        "manifest delete",
        lambda client, key: client.ask("DELETE", f"/v2/{key}/manifests/{digest(manifest(key))}"),
        _untagged(),
        _prepare_tag,
        _tagged(),
        removes=True,
        success=202,
    ),
    Operation("blob delete", _delete_blob, _no_blob(), _push_content, _blob(), removes=True, success=202),
)
