"""Deleting repositories, rolling tags back, and restoring what was deleted."""

from typing import Annotated

import msgspec

from simple_registry.access.permission import Resource, scope_of
from simple_registry.http import changes
from simple_registry.http.bodies import DocumentInvalid, read_json
from simple_registry.http.call import Call
from simple_registry.http.messages import Response, json_response
from simple_registry.http.numbers import MAX_NUMBER
from simple_registry.http.targets import RepositoryTarget
from simple_registry.oci.digests import Digest, parse_digest
from simple_registry.oci.names import Reference, parse_tag

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
    done, events = await changes.roll_back_tag(call, repository, tag, to, precondition=precondition)
    previous = None if done.previous is None else str(done.previous)
    document = {"name": repository, "tag": tag, "digest": str(done.digest), "previous": previous}
    return json_response(document, events=events)


async def restore_deleted(call: Call[RepositoryTarget]) -> Response:
    """restore: restore a tag, a manifest with its tags, or all that the last deletion of a repository deleted."""
    repository = call.target.repository
    asked = await read_json(call.request, call.body, RestoreRequest)
    if asked.tag is not None and asked.digest is not None:
        raise DocumentInvalid(reason="name a tag or a digest, not both")
    reference: Reference | None = parse_tag(asked.tag) if asked.tag is not None else None
    if asked.digest is not None:
        reference = parse_digest(asked.digest)
    restored, events = await changes.restore_deleted(call, repository, reference)
    document = {
        "name": repository,
        "manifests": [str(digest) for digest in restored.manifests],
        "tags": restored.tags,
        "elsewhere": restored.elsewhere,
        "gone": [str(digest) for digest in restored.gone],
    }
    return json_response(document, events=events)


async def delete_repository(call: Call[RepositoryTarget]) -> Response:
    """repository: delete all manifests, blobs and tags of a repository."""
    return Response(202, events=await changes.delete_repository(call, call.target.repository))


def _rollback_target(to: int | str) -> int | Digest | None:
    if isinstance(to, int):
        return to
    return None if to == PREVIOUS else parse_digest(to)
