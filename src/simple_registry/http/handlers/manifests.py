"""Pulling, pushing and deleting manifests."""

from collections.abc import Sequence
from functools import partial

from simple_registry.access.permission import Resource, scope_of
from simple_registry.content import Span
from simple_registry.http import changes
from simple_registry.http.bodies import read_bounded
from simple_registry.http.call import Call
from simple_registry.http.conditional import content_headers, not_modified, require_match
from simple_registry.http.messages import Part, Response, Unsent
from simple_registry.http.targets import ManifestTarget
from simple_registry.http.urls import manifest_url
from simple_registry.oci.digests import Digest
from simple_registry.oci.errors import UriTooLong
from simple_registry.oci.names import Tag, parse_tag
from simple_registry.operations.manifests import Pushed


async def get_manifest(call: Call[ManifestTarget]) -> Response:
    """end-3: pull a manifest, exactly as it was pushed, whatever `Accept` says."""
    # The content is opened for a HEAD too: a client that finds a manifest does not push it.
    repository, reference, manifests = call.target.repository, call.target.reference, call.registry.manifests
    if call.request.method == "HEAD":
        row, content = await manifests.check(repository, reference, may_push=lambda: _may_push(call))
    else:
        row, content = await manifests.pull(repository, reference)
    call.registry.pulls.note(repository, reference)
    immutable = isinstance(reference, Digest)
    require_match(call.request, row.digest)
    if not_modified(call.request, row.digest):
        return Response(304, content_headers(row.digest, immutable=immutable))
    headers = content_headers(row.digest, ("content-type", row.media_type), immutable=immutable)
    if call.request.method == "HEAD":
        return Response(200, headers, Unsent(row.size))
    mark_damaged = partial(call.registry.contents.mark_damaged, row.content)
    return Response(200, headers, Part(content, Span(0, row.size)), mark_damaged=mark_damaged)


def _may_push(call: Call[ManifestTarget]) -> bool:
    return call.can("PUT", Resource.MANIFESTS, scope_of(call.target.repository, call.target.reference))


async def put_manifest(call: Call[ManifestTarget]) -> Response:
    """end-7a, end-7b: push a manifest by tag or by digest, with more tags in `?tag=`, perhaps on a condition."""
    repository, reference = call.target.repository, call.target.reference
    tags = _further_tags(call)
    asked_about = tags if tags and isinstance(reference, Digest) else (reference, *tags)
    precondition = call.precondition(Resource.MANIFESTS, *(scope_of(repository, each) for each in asked_about))
    data = await read_bounded(call.body, call.registry.manifest_size)
    pushed, events = await changes.push_manifest(
        call,
        repository,
        reference,
        data,
        content_type=call.request.headers.get("content-type"),
        tags=tags,
        precondition=precondition,
    )
    headers = [("location", manifest_url(repository, pushed.digest)), *_push_headers(pushed, tags)]
    return Response(201, headers, events=events)


async def delete_manifest(call: Call[ManifestTarget]) -> Response:
    """end-9: delete a tag, or a manifest with every tag that points at it, perhaps on a condition."""
    repository, reference = call.target.repository, call.target.reference
    precondition = call.precondition(Resource.MANIFESTS, scope_of(repository, reference))
    events = await changes.delete_reference(call, repository, reference, precondition=precondition)
    return Response(202, events=events)


def _further_tags(call: Call[ManifestTarget]) -> Sequence[Tag]:
    """Return the tags of `?tag=`, each of which the caller must be allowed to push."""
    texts = call.request.query().all("tag")
    if len(texts) > call.registry.tags_per_push:
        raise UriTooLong(limit=call.registry.tags_per_push)
    tags = [parse_tag(text) for text in texts]
    for tag in tags:
        call.require("PUT", Resource.MANIFESTS, scope_of(call.target.repository, tag))
    return tags


def _push_headers(pushed: Pushed, further: Sequence[Tag]) -> list[tuple[str, str]]:
    headers = [("docker-content-digest", str(pushed.digest))]
    if pushed.subject is not None:
        headers.append(("oci-subject", str(pushed.subject)))
    return headers + [("oci-tag", tag) for tag in further]
