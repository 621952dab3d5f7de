"""Pushing blobs: sessions, chunks, single requests and mounts."""

from simple_registry.access.caller import Source
from simple_registry.access.limits import scope_text
from simple_registry.access.permission import Permission, Resource, scope_of
from simple_registry.access.policy import TooNarrow, decide
from simple_registry.authentication.credentials import ExpiredToken, InsufficientScope
from simple_registry.http.call import Call
from simple_registry.http.events import Event, EventName
from simple_registry.http.messages import Query, Response
from simple_registry.http.ranges import parse_chunk_range, received_range
from simple_registry.http.targets import RepositoryTarget, SessionTarget, Target
from simple_registry.http.urls import blob_url, upload_url
from simple_registry.oci.digests import CANONICAL, parse_algorithm, parse_digest
from simple_registry.oci.errors import BlobUploadUnknown, DigestInvalid, NameInvalid, SizeInvalid
from simple_registry.oci.names import RepositoryName, parse_repository_name
from simple_registry.operations.blobs import ContentRecord
from simple_registry.operations.uploads import Chunk, SessionRow


async def start_upload(call: Call[RepositoryTarget]) -> Response:
    """end-4a, end-4b, end-4c, end-11: open a session, or mount a blob, or take a whole one at once."""
    query = call.request.query()
    repository = call.target.repository
    allowances = call.allowances(repository)
    given = query.find("digest-algorithm")
    algorithm = CANONICAL if given is None else parse_algorithm(given)
    if query.find("mount") is not None:
        mounted = await _mount(call, query)
        if mounted is not None:
            return mounted
    elif query.find("digest") is not None:
        expected = parse_digest(query.find("digest") or "")
        blob = await call.registry.uploads.put(
            repository, expected, _chunk(call), actor=call.actor, allowances=allowances
        )
        return _created(repository, blob, EventName.BLOB_PUSH)
    client = call.request.account if call.caller.proof.source is Source.ANONYMOUS else ""
    session = await call.registry.uploads.start(
        repository, call.identity.name, algorithm, client=client, allowances=allowances
    )
    return _session(202, session)


async def append_chunk(call: Call[SessionTarget]) -> Response:
    """end-5: add a chunk to a session."""
    row = await _row(call)
    allowances = call.allowances(row.repository)
    return _session(202, await call.registry.uploads.append(row, _chunk(call), allowances=allowances))


async def finish_upload(call: Call[SessionTarget]) -> Response:
    """end-6: add the last chunk, if any, and make a blob of the session."""
    digest = call.request.query().find("digest")
    if digest is None:
        raise DigestInvalid(reason="the closing PUT needs the query parameter digest")
    row = await _row(call)
    allowances = call.allowances(row.repository)
    blob = await call.registry.uploads.finish(
        row, parse_digest(digest), _chunk(call), actor=call.actor, allowances=allowances
    )
    return _created(call.target.repository, blob, EventName.BLOB_PUSH)


async def get_upload(call: Call[SessionTarget]) -> Response:
    """end-13: return how many bytes a session has received."""
    return _session(204, await call.registry.uploads.require_bytes(await _row(call)))


async def cancel_upload(call: Call[SessionTarget]) -> Response:
    """end-14: end a session without a blob."""
    await call.registry.uploads.cancel(await _row(call))
    return Response(204)


async def _mount(call: Call[RepositoryTarget], query: Query) -> Response | None:
    """Mount what `mount` and `from` name, where the caller may read it; else `None`, which says nothing."""
    digest = parse_digest(query.find("mount") or "")
    source: RepositoryName | None = None
    if query.find("from") is not None:
        try:
            source = parse_repository_name(query.find("from") or "")
        except NameInvalid:
            return None
        _require_wide_token(call, Permission("GET", Resource.BLOBS, scope_of(source)))
    blob = await call.registry.blobs.mount(
        call.target.repository,
        digest,
        source=source,
        visible=lambda repository: call.can("GET", Resource.BLOBS, scope_of(repository)),
        actor=call.actor,
        allowances=call.allowances(call.target.repository),
    )
    return None if blob is None else _created(call.target.repository, blob, EventName.BLOB_MOUNT, source)


def _require_wide_token(call: Call[RepositoryTarget], permission: Permission) -> None:
    """Ask for a token that reaches the source of a mount too, where its user does; clients fetch one and try again.

    Raises: InsufficientScope.
    """
    narrow = isinstance(decide(call.policy, call.caller, permission), TooNarrow)
    if narrow and call.caller.could_be_wider(permission):
        raise InsufficientScope(note="it does not reach the source of the mount", scope=scope_text(permission))


async def _row(call: Call[SessionTarget]) -> SessionRow:
    """Return the session. An expired credential is valid for sessions that began before its end, and for nothing else.

    Raises: BlobUploadUnknown, ExpiredToken.
    """
    expired = call.caller.expires if call.caller.expired else None
    try:
        row = await call.registry.uploads.get(call.target.repository, call.identity.name, call.target.session)
    except BlobUploadUnknown:
        if expired is not None:
            raise ExpiredToken(note="no session of its own") from None
        raise
    if expired is not None and row.started > expired:
        raise ExpiredToken(note="a session that began after it expired")
    return row


def _chunk(call: Call[Target]) -> Chunk:
    """Return the request's body as a chunk, after checking that its two lengths agree."""
    header, body = call.request.headers.get("content-range"), call.body
    if header is None:
        return Chunk(aiter(body), announced=body.announced)
    span = parse_chunk_range(header)
    if body.announced not in (None, span.size):
        raise SizeInvalid(contentRange=header[:100], contentLength=body.announced)
    return Chunk(aiter(body), start=span.start, size=span.size, announced=span.size)


def _session(status: int, row: SessionRow) -> Response:
    location, extent = upload_url(row.repository, row.session), received_range(row.received.size)
    return Response(status, [("location", location), ("range", extent), ("docker-upload-uuid", row.session)])


def _created(
    repository: RepositoryName, blob: ContentRecord, name: EventName, source: RepositoryName | None = None
) -> Response:
    headers = [("location", blob_url(repository, blob.digest)), ("docker-content-digest", str(blob.digest))]
    return Response(201, headers, events=(Event(name, repository, digest=blob.digest, size=blob.size, source=source),))
