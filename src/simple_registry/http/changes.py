"""The changes that the API and the web pages have in common: one operation, with its permissions and its audit events.

A caller of these has required the permission of its endpoint; what a change needs beyond that is required here.
"""

from collections.abc import Sequence
from functools import partial

from simple_registry.access.permission import Resource, scope_of
from simple_registry.http.call import Call
from simple_registry.http.events import Event, EventName
from simple_registry.http.targets import Target
from simple_registry.oci.digests import Digest
from simple_registry.oci.names import Reference, RepositoryName, Tag
from simple_registry.oci.preconditions import UNCONDITIONAL, Precondition
from simple_registry.operations.collection import Report, Swept
from simple_registry.operations.collector import Wanted
from simple_registry.operations.manifests import Pushed
from simple_registry.operations.retention import Applied, Position
from simple_registry.operations.undo import Restored, RolledBack

SECONDS = 20.0
"""Seconds after which a request ends its work: proxies wait for 30 to 60."""


async def push_manifest(
    call: Call[Target],
    repository: RepositoryName,
    reference: Reference,
    data: bytes,
    *,
    content_type: str | None,
    tags: Sequence[Tag] = (),
    precondition: Precondition = UNCONDITIONAL,
) -> tuple[Pushed, Sequence[Event]]:
    """Push a manifest, when its turn has come."""
    async with call.registry.manifests.turn(len(data)):
        await call.authorization.confirm()  # the turn may have taken a while to come
        pushed = await call.registry.manifests.put(
            repository,
            reference,
            data,
            content_type=content_type,
            actor=call.actor,
            tags=tags,
            precondition=precondition,
            guard=call.guard(repository),
            allowances=call.allowances(repository),
        )
    set_tags = (
        Event(EventName.TAG_SET, repository, tag, pushed.digest, previous=previous)
        for tag, previous in pushed.tags.items()
    )
    return pushed, (Event(EventName.MANIFEST_PUSH, repository, digest=pushed.digest, size=pushed.size), *set_tags)


async def delete_reference(
    call: Call[Target], repository: RepositoryName, reference: Reference, *, precondition: Precondition = UNCONDITIONAL
) -> Sequence[Event]:
    """Delete a tag, or a manifest with every tag that points at it."""
    guard = call.guard(repository)
    if not isinstance(reference, Digest):
        pointed_at = await call.registry.tags.delete(
            repository, reference, actor=call.actor, precondition=precondition, guard=guard
        )
        return (Event(EventName.TAG_DELETE, repository, reference, previous=pointed_at),)
    tags = await call.registry.manifests.delete(
        repository,
        reference,
        authorize=partial(call.require_of_tag, "DELETE", repository),
        actor=call.actor,
        precondition=precondition,
        guard=guard,
    )
    gone = [Event(EventName.TAG_DELETE, repository, tag, previous=reference) for tag in tags]
    return (Event(EventName.MANIFEST_DELETE, repository, digest=reference), *gone)


async def delete_repository(call: Call[Target], repository: RepositoryName) -> Sequence[Event]:
    """Delete all manifests, blobs and tags of a repository."""
    call.require("DELETE", Resource.BLOBS, scope_of(repository))
    await call.registry.undo.delete_repository(
        repository,
        authorize=partial(call.require_of_tag, "DELETE", repository),
        actor=call.actor,
        guard=call.guard(repository),
    )
    return (Event(EventName.REPOSITORY_DELETE, repository),)


async def roll_back_tag(
    call: Call[Target],
    repository: RepositoryName,
    tag: Tag,
    to: int | Digest | None,
    *,
    precondition: Precondition = UNCONDITIONAL,
) -> tuple[RolledBack, Sequence[Event]]:
    """Give a tag an earlier target: that after an event, a manifest, or its previous one (`None`)."""
    done = await call.registry.undo.roll_back(
        repository,
        tag,
        to,
        actor=call.actor,
        precondition=precondition,
        guard=call.guard(repository),
        allowances=call.allowances(repository),
    )
    return done, (Event(EventName.TAG_ROLLBACK, repository, tag, done.digest, previous=done.previous),)


async def restore_deleted(
    call: Call[Target], repository: RepositoryName, reference: Reference | None
) -> tuple[Restored, Sequence[Event]]:
    """Restore a tag, or a manifest with its tags; `None` is all that the last deletion of the repository deleted."""
    undo, authorize = call.registry.undo, partial(call.require_of_tag, "restore", repository)
    if reference is None:
        restored = await undo.restore_repository(repository, authorize=authorize, actor=call.actor)
        return restored, (Event(EventName.REPOSITORY_RESTORE, repository),)
    if isinstance(reference, Digest):
        restored = await undo.restore_manifest(repository, reference, authorize=authorize, actor=call.actor)
    else:
        call.require("restore", Resource.MANIFESTS, scope_of(repository, reference))
        restored = await undo.restore_tag(repository, reference, actor=call.actor)
    manifests = [Event(EventName.MANIFEST_RESTORE, repository, digest=digest) for digest in restored.manifests]
    return restored, (*manifests, *(Event(EventName.TAG_RESTORE, repository, tag) for tag in restored.tags))


async def collect_garbage(
    call: Call[Target], wanted: Wanted, *, grace: str | None = None
) -> tuple[Report, Sequence[Event]]:
    """Collect for as long as a request may take; `grace` is that of `wanted`, as its caller wrote it."""
    report = await call.registry.collector.run(wanted, Swept(), seconds=SECONDS)
    removed = report.swept.removed
    return report, (Event(EventName.COLLECTION_RUN, size=removed.size, count=removed.count, grace=grace),)


async def apply_retention(call: Call[Target], after: Position | None) -> tuple[Applied, Sequence[Event]]:
    """Remove the tags that no Retention keeps, from a position on, for as long as a request may take."""
    done = await call.registry.retention.apply_part(after, seconds=SECONDS, request=call.request.id)
    return done, (Event(EventName.RETENTION_APPLY, count=sum(done.removed.values())),)
