"""Plain requests to a registry that may be broken. No answer is an answer too.

Every request has its own connection, so that all workers are asked.
"""

import hashlib
import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from typing import Any

IMAGE = "application/vnd.oci.image.manifest.v1+json"
CONFIG = b"{}"
SILENCE = 0
"""Stands for the status of an answer that never came."""


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def codes(self) -> list[str] | None:
        """The codes of an error in the form of the specification, or `None` when it is not in that form."""
        try:
            return [error["code"] for error in json.loads(self.body)["errors"]]
        except (ValueError, KeyError, TypeError):
            return None

    def __str__(self) -> str:
        if self.codes:
            return f"{self.status} {self.codes[0]}"
        return f"{self.status} {self.body[:120].decode(errors='replace')}".strip()


def digest_of(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def image_of(*layers: bytes, note: str = "") -> bytes:
    """Return an image manifest over layers and `CONFIG`."""
    document: dict[str, Any] = {
        "schemaVersion": 2,
        "mediaType": IMAGE,
        "config": _descriptor("application/vnd.oci.image.config.v1+json", CONFIG),
        "layers": [_descriptor("application/vnd.oci.image.layer.v1.tar", layer) for layer in layers],
        "annotations": {"note": note},
    }
    return json.dumps(document).encode()


def _descriptor(media_type: str, data: bytes) -> dict[str, Any]:
    return {"mediaType": media_type, "digest": digest_of(data), "size": len(data)}


_ACCEPT = {"accept": f"{IMAGE}, */*"}
"""Without it, some registries have no image manifests."""


class Client:
    """Asks one registry."""

    def __init__(self, address: str, timeout: float = 30) -> None:
        self._address = address
        self._timeout = timeout

    def ask(
        self, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> Answer:
        connection = HTTPConnection(self._address, timeout=self._timeout)
        try:
            # The answer can come before the body was sent.
            with suppress(BrokenPipeError, ConnectionResetError):
                connection.request(method, path, body, _ACCEPT | dict(headers or {}))
            response = connection.getresponse()
            body = response.read()
            return Answer(response.status, body, {name.lower(): value for name, value in response.headers.items()})
        except (OSError, HTTPException) as error:
            return Answer(SILENCE, str(error).encode())
        finally:
            connection.close()

    def get(self, path: str, **headers: str) -> Answer:
        return self.ask("GET", path, headers=headers)

    def put_manifest(self, repository: str, reference: str, data: bytes) -> Answer:
        return self.ask("PUT", f"/v2/{repository}/manifests/{reference}", data, {"content-type": IMAGE})

    def mount(self, repository: str, digest: str, source: str) -> Answer:
        return self.ask("POST", f"/v2/{repository}/blobs/uploads/?mount={digest}&from={source}", b"")

    def start(self, repository: str) -> Answer:
        return self.ask("POST", f"/v2/{repository}/blobs/uploads/", b"")

    def push_in_one_put(self, repository: str, data: bytes) -> Answer:
        """POST, then PUT with everything; the answer is that of the first request that did not succeed."""
        started = self.start(repository)
        return self._finish(started, data, data) if started.status == 202 else started

    def push_streamed(self, repository: str, data: bytes) -> Answer:
        """POST, PATCH with everything, empty PUT."""
        return self._push_patched(repository, data, len(data))

    def push_in_chunks(self, repository: str, data: bytes) -> Answer:
        """POST, three PATCHes, empty PUT."""
        return self._push_patched(repository, data, len(data) // 3 + 1)

    def push_in_one_post(self, repository: str, data: bytes) -> Answer:
        """POST with everything; goes on as the answer says where a registry does not take it so."""
        answer = self.ask("POST", f"/v2/{repository}/blobs/uploads/?digest={digest_of(data)}", data, _OCTETS)
        return self._finish(answer, data, data) if answer.status == 202 else answer

    def push_image(self, repository: str, tag: str, *layers: bytes, note: str = "") -> bytes:
        """Push an image whole, and return its manifest.

        Raises: Refused.
        """
        for blob in (CONFIG, *layers):
            require(201, self.push_in_one_put(repository, blob))
        data = image_of(*layers, note=note)
        require(201, self.put_manifest(repository, tag, data))
        return data

    def cancel(self, started: Answer) -> Answer:
        return self.ask("DELETE", _path(started))

    def _push_patched(self, repository: str, data: bytes, size: int) -> Answer:
        answer = self.start(repository)
        for at in range(0, len(data), size):
            if answer.status != 202:
                return answer
            chunk = data[at : at + size]
            span = {"content-range": f"{at}-{at + len(chunk) - 1}"}
            path = _path(answer)
            answer = self.ask("PATCH", path, chunk, _OCTETS | span)
            if answer.status not in {202, 404}:
                self.ask("DELETE", path)  # what a client does that gives up
        return self._finish(answer, data, b"") if answer.status == 202 else answer

    def _finish(self, started: Answer, data: bytes, rest: bytes) -> Answer:
        path = _path(started)
        return self.ask("PUT", f"{path}{'&' if '?' in path else '?'}digest={digest_of(data)}", rest, _OCTETS)


_OCTETS = {"content-type": "application/octet-stream"}

WAYS: Mapping[str, Callable[[Client, str, bytes], Answer]] = {
    "in one PUT": Client.push_in_one_put,
    "streamed": Client.push_streamed,
    "in chunks": Client.push_in_chunks,
    "in one POST": Client.push_in_one_post,
}
"""The ways to push a blob."""


class Refused(AssertionError):
    """A request that a sound registry grants was not granted."""


def require(status: int, answer: Answer) -> Answer:
    if answer.status != status:
        raise Refused(f"{answer} instead of {status}")
    return answer


def _path(answer: Answer) -> str:
    """Return where an upload goes on, without a host."""
    location = answer.headers.get("location", "")
    return "/" + location.split("/", 3)[3] if "://" in location else location
