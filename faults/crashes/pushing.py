"""All ways to push a blob and a manifest (distribution-spec, "Pushing"), and which of them a registry supports.

Each way ends in one request whose answer is the acknowledgement; the ledger's operation begins right before it.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus

from faults.crashes.connection import Connection, Unanswered, with_query
from faults.crashes.contents import IMAGE, Content, Document, image
from faults.wire import Answer

Begin = Callable[[], None]
"""Called right before the request after which the blob may be there."""

Way = Callable[[Connection, str, Content, Begin], None]
"""How to push a blob to a repository."""

SETTLE = 0.1
"""Seconds for a registry to show what it acknowledged; that it needs them is for a campaign to find, not for set-up."""
OCTETS = {"Content-Type": "application/octet-stream"}


class Surprise(Exception):
    """The registry answered what it must not answer."""

    def __init__(self, what: str, answer: Answer) -> None:
        super().__init__(f"{what}: {answer.status} {answer.body[:300].decode(errors='replace')}")
        self.status = answer.status


def insist(what: str, answer: Answer, *statuses: int) -> Answer:
    """Return the answer if it has one of these statuses.

    Raises: Surprise.
    """
    if answer.status not in statuses:
        raise Surprise(what, answer)
    return answer


def start(connection: Connection, repository: str, query: str = "") -> str:
    """Open an upload session and return its location."""
    path = f"/v2/{repository}/blobs/uploads/" + (f"?{query}" if query else "")
    return insist("POST upload", connection.ask("POST", path), HTTPStatus.ACCEPTED).headers["location"]


def append(connection: Connection, location: str, data: bytes, at: int) -> Answer:
    """Send a chunk that begins `at` bytes into the upload."""
    headers = OCTETS | {"Content-Range": f"{at}-{at + len(data) - 1}"}
    return insist("PATCH", connection.ask("PATCH", with_query(location, ""), data, headers), HTTPStatus.ACCEPTED)


def finish(connection: Connection, location: str, digest: str, data: bytes = b"") -> None:
    """Close an upload, with its last bytes."""
    path = with_query(location, f"digest={digest}")
    insist("PUT upload", connection.ask("PUT", path, data, OCTETS), HTTPStatus.CREATED)


def in_one_put(connection: Connection, repository: str, content: Content, begin: Begin) -> None:
    location = start(connection, repository)
    begin()
    finish(connection, location, content.digest, content.data())


def streamed(connection: Connection, repository: str, content: Content, begin: Begin) -> None:
    """As docker does: one PATCH of unknown length, then an empty PUT."""
    data = content.data()
    location = with_query(start(connection, repository), "")
    answer = insist("PATCH", connection.stream("PATCH", location, data, OCTETS), HTTPStatus.ACCEPTED)
    begin()
    finish(connection, answer.headers["location"], content.digest)


def in_chunks(connection: Connection, repository: str, content: Content, begin: Begin) -> None:
    """In three chunks with `Content-Range`, the last one in the closing PUT."""
    data = content.data()
    location, at = start(connection, repository), 0
    third = len(data) // 3
    for chunk in (data[:third], data[third : 2 * third]):
        location = append(connection, location, chunk, at).headers["location"]
        at += len(chunk)
    begin()
    finish(connection, location, content.digest, data[at:])


def in_one_post(connection: Connection, repository: str, content: Content, begin: Begin) -> None:
    """In a single request; a registry that cannot do that answers with a session."""
    begin()
    data = content.data()
    path = f"/v2/{repository}/blobs/uploads/?digest={content.digest}"
    answer = connection.ask("POST", path, data, OCTETS)
    if insist("POST blob", answer, HTTPStatus.CREATED, HTTPStatus.ACCEPTED).status == HTTPStatus.ACCEPTED:
        finish(connection, answer.headers["location"], content.digest, data)


WAYS: Sequence[Way] = (in_one_put, streamed, in_chunks, in_one_post)


def mount(connection: Connection, repository: str, source: str, content: Content, begin: Begin) -> None:
    """Mount from another repository; a registry that does not answers with a session, which gets the bytes."""
    begin()
    path = f"/v2/{repository}/blobs/uploads/?mount={content.digest}&from={source}"
    answer = insist("POST mount", connection.ask("POST", path), HTTPStatus.CREATED, HTTPStatus.ACCEPTED)
    if answer.status == HTTPStatus.ACCEPTED:
        finish(connection, answer.headers["location"], content.digest, content.data())


def put_manifest(connection: Connection, repository: str, reference: str, document: Document) -> None:
    headers = {"Content-Type": document.media_type}
    path = f"/v2/{repository}/manifests/{reference}"
    insist("PUT manifest", connection.ask("PUT", path, document.data, headers), HTTPStatus.CREATED)


# ---------------------------------------------------------------- what a registry can do


@dataclass(frozen=True, slots=True)
class Abilities:
    """What the registry has beyond pushing and pulling; the workload leaves out the rest."""

    delete_blob: bool
    delete_manifest: bool
    delete_tag: bool
    referrers: bool
    several_tags: bool
    """`PUT manifests/<digest>?tag=a&tag=b`."""


def learn(connection: Connection) -> Abilities:
    """Try it in a repository that is used for nothing else."""
    repository = "learn/what-it-can"
    blob, config = Content(0, 1), Content(0, 2)
    for content in (blob, config):
        in_one_put(connection, repository, content, lambda: None)
    document = image(config, [], "learn")
    path = f"/v2/{repository}/manifests/"
    time.sleep(SETTLE)
    put_manifest(connection, repository, "tag", document)
    time.sleep(SETTLE)
    several = _try(connection, "PUT", f"{path}{document.digest}?tag=other", document.data, {"Content-Type": IMAGE})
    referrers = _try(connection, "GET", f"/v2/{repository}/referrers/{document.digest}")
    return Abilities(
        delete_blob=_works(_try(connection, "DELETE", f"/v2/{repository}/blobs/{blob.digest}")),
        delete_tag=_works(_try(connection, "DELETE", f"{path}tag")),
        delete_manifest=_works(_try(connection, "DELETE", f"{path}{document.digest}")),
        referrers=_works(referrers),
        several_tags=several is not None and "oci-tag" in several.headers,
    )


def _try(
    connection: Connection, method: str, path: str, body: bytes = b"", headers: Mapping[str, str] | None = None
) -> Answer | None:
    try:
        return connection.ask(method, path, body, headers)
    except Unanswered:
        return None


def _works(answer: Answer | None) -> bool:
    return answer is not None and answer.status < HTTPStatus.BAD_REQUEST
