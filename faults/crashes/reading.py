"""Reads the state of a key, and checks that its content is whole.

    Reader(connection).state(key)   →  the state that a client sees; inconsistencies are added to `faults`

Whole means: HEAD and GET agree, the bytes match their digest, and every part of a manifest exists.
"""

import json
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from faults.crashes.connection import Connection, with_query
from faults.crashes.contents import IMAGE, INDEX, digest_of, parts_of
from faults.crashes.ledger import PRESENT, Key, Kind, State
from faults.wire import Answer

ACCEPT = {"Accept": f"{IMAGE}, {INDEX}"}
RANGE = re.compile(r"(?:bytes=)?0-(\d+)", re.ASCII)


class Reader:
    """Reads through one connection; its methods raise `Unanswered`."""

    def __init__(self, connection: Connection) -> None:
        self.faults: list[str] = []
        self._connection = connection
        self._seen: dict[str, bool] = {}
        """Parts of manifests, by path, whether they were there."""

    def state(self, key: Key, location: str = "") -> State:
        """Return the state of a key; of a session, that of the upload at `location`."""
        if key.kind is Kind.SESSION:
            return received(self._connection.ask("GET", with_query(location, "")))
        if key.kind is Kind.BLOB:
            return self._whole(key, f"/v2/{key.repository}/blobs/{key.name}", {})[0] and PRESENT
        digest, answer = self._whole(key, f"/v2/{key.repository}/manifests/{key.name}", ACCEPT)
        if answer is not None:
            self._check_parts(key, answer.body)
        return digest and (PRESENT if key.kind is Kind.MANIFEST else digest)

    def tags(self, repository: str) -> set[str]:
        """Return all tags that the registry lists, over all pages."""
        return self._entries(f"/v2/{repository}/tags/list?n=1000", lambda body: body["tags"] or ())

    def referrers(self, repository: str, subject: str) -> set[str]:
        """Return the digests of all referrers that the registry lists."""
        path = f"/v2/{repository}/referrers/{subject}"
        return self._entries(path, lambda body: [each["digest"] for each in body["manifests"]])

    def _whole(self, key: Key, path: str, headers: Mapping[str, str]) -> tuple[str | None, Answer | None]:
        """Return the digest that HEAD and GET agree on, and the answer to GET; `None` for what is absent."""
        head = self._connection.ask("HEAD", path, headers=headers)
        answer = self._connection.ask("GET", path, headers=headers)
        if {head.status, answer.status} == {404}:
            return None, None
        if head.status != 200 or answer.status != 200:
            self.faults.append(f"{key}: HEAD {head.status}, GET {answer.status}")
            return None, None
        digest = digest_of(answer.body)
        size = str(len(answer.body))
        if (head.headers.get("content-length"), answer.headers.get("content-length")) != (size, size):
            self.faults.append(f"{key}: {size} bytes under another Content-Length")
        if {digest} != {each.headers.get("docker-content-digest", digest) for each in (head, answer)}:
            self.faults.append(f"{key}: bytes of {digest} under another Docker-Content-Digest")
        elif key.kind is not Kind.TAG and digest != key.name:
            self.faults.append(f"{key}: bytes hash to {digest}")
        return digest, answer

    def _check_parts(self, key: Key, body: bytes) -> None:
        try:
            blobs, manifests = parts_of(body)
        except (ValueError, KeyError, TypeError):
            self.faults.append(f"{key}: not a manifest: {body[:60]!r}")
            return
        paths = [f"/v2/{key.repository}/blobs/{digest}" for digest in blobs]
        paths += [f"/v2/{key.repository}/manifests/{digest}" for digest in manifests]
        self.faults += [f"{key}: its part {path} is not there" for path in paths if not self._there(path)]

    def _there(self, path: str) -> bool:
        if path not in self._seen:
            self._seen[path] = self._connection.ask("HEAD", path, headers=ACCEPT).status == 200
        return self._seen[path]

    def _entries(self, path: str, read: Callable[[Any], Iterable[str]]) -> set[str]:
        found: set[str] = set()
        while path:
            answer = self._connection.ask("GET", path)
            if answer.status == 404:
                return found
            found.update(read(json.loads(answer.body)))
            link = re.search(r"<([^>]+)>", answer.headers.get("link", ""))
            path = with_query(link[1], "") if link else ""
        return found


def received(answer: Answer) -> int | None:
    """Return the received bytes of an upload session, from its `Range`; `None` if it has ended."""
    found = RANGE.fullmatch(answer.headers.get("range", ""))
    if answer.status >= 400 or found is None:
        return None
    return int(found[1]) + 1 if found[1] != "0" else 0
