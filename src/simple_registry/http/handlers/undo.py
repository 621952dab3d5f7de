"""Deleting repositories, rolling tags back, and restoring what was deleted."""

from functools import partial
from typing import Annotated

import msgspec

from simple_registry.access.permission import Resource, scope_of
from simple_registry.http.bodies import DocumentInvalid, read_json
from simple_registry.http.call import Call
from simple_registry.http.events import Event, EventName
from simple_registry.http.messages import Response, json_response
from simple_registry.http.numbers import MAX_NUMBER
from simple_registry.http.targets import RepositoryTarget
from simple_registry.oci.digests import Digest, parse_digest
from simple_registry.oci.names import RepositoryName, parse_tag
from simple_registry.operations.undo import Restored

PREVIOUS = "previous"


class RollbackRequest(msgspec.Struct, forbid_unknown_fields=True):
    """A tag, and what it gets back: the target after an event (its id), a digest, or its `previous` target."""

    tag: str
    to: Annotated[int, msgspec.Meta(ge=0, le=MAX_NUMBER)] | str = PREVIOUS


class RestoreRequest(msgspec.Struct, forbid_unknown_fields=True):
    """A tag or a manifest to restore; with neither, all that the last deletion of the repository deleted."""

    tag: str | None = None
    digest: str | None = None


async def roll_back_tag(call: Call[RepositoryTarget]) -> Response:
    """rollback: give a tag an earlier target, perhaps on a condition."""
    repository = call.target.repository
    asked = await read_json(call.request, call.body, RollbackRequest)
    tag, to = parse_tag(asked.tag), _rollback_target(asked.to)
    call.require("restore", Resource.MANIFESTS, scope_of(repository, tag))
    precondition = call.precondition(Resource.MANIFESTS, scope_of(repository, tag))
    done = await call.registry.undo.roll_back(
        repository,
        tag,
        to,
        actor=call.actor,
        precondition=precondition,
        guard=call.guard(repository),
        allowances=call.allowances(repository),
    )
    previous = None if done.previous is None else str(done.previous)
    document = {"name": repository, "tag": tag, "digest": str(done.digest), "previous": previous}
    event = Event(EventName.TAG_ROLLBACK, repository, tag, done.digest, previous=done.previous)
    return json_response(document, events=(event,))


async def restore_deleted(call: Call[RepositoryTarget]) -> Response:
    """restore: restore a tag, a manifest with its tags, or all that the last deletion of a repository deleted."""
    repository, undo = call.target.repository, call.registry.undo
    asked = await read_json(call.request, call.body, RestoreRequest)
    authorize = partial(call.require_of_tag, "restore", repository)
    if asked.tag is not None and asked.digest is not None:
        raise DocumentInvalid(reason="name a tag or a digest, not both")
    if asked.tag is not None:
        tag = parse_tag(asked.tag)
        call.require("restore", Resource.MANIFESTS, scope_of(repository, tag))
        restored = await undo.restore_tag(repository, tag, actor=call.actor)
    elif asked.digest is not None:
        digest = parse_digest(asked.digest)
        restored = await undo.restore_manifest(repository, digest, authorize=authorize, actor=call.actor)
    else:
        restored = await undo.restore_repository(repository, authorize=authorize, actor=call.actor)
        return _restored(repository, restored, Event(EventName.REPOSITORY_RESTORE, repository))
    events = [Event(EventName.MANIFEST_RESTORE, repository, digest=digest) for digest in restored.manifests]
    return _restored(repository, restored, *events, *(_tag_restored(repository, tag) for tag in restored.tags))


async def delete_repository(call: Call[RepositoryTarget]) -> Response:
    """repository: delete all manifests, blobs and tags of a repository."""
    repository = call.target.repository
    call.require("DELETE", Resource.BLOBS, scope_of(repository))
    await call.registry.undo.delete_repository(
        repository,
        authorize=partial(call.require_of_tag, "DELETE", repository),
        actor=call.actor,
        guard=call.guard(repository),
    )
    return Response(202, events=(Event(EventName.REPOSITORY_DELETE, repository),))


def _rollback_target(to: int | str) -> int | Digest | None:
    if isinstance(to, int):
        return to
    return None if to == PREVIOUS else parse_digest(to)


def _tag_restored(repository: RepositoryName, tag: str) -> Event:
    return Event(EventName.TAG_RESTORE, repository, parse_tag(tag))


def _restored(repository: RepositoryName, restored: Restored, *events: Event) -> Response:
    document = {
        "name": repository,
        "manifests": [str(digest) for digest in restored.manifests],
        "tags": restored.tags,
        "elsewhere": restored.elsewhere,
        "gone": [str(digest) for digest in restored.gone],
    }
    return json_response(document, events=events)
