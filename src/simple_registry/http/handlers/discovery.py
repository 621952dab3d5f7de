"""Listing tags and referrers."""

from simple_registry.access.permission import Resource, scope_of, scopes_of_tags
from simple_registry.http.call import Call
from simple_registry.http.messages import Headers, Response, json_response
from simple_registry.http.pagination import link_headers, parse_page_request
from simple_registry.http.targets import DigestTarget, RepositoryTarget
from simple_registry.http.urls import next_page_link
from simple_registry.oci.digests import parse_digest
from simple_registry.oci.media_types import OCI_IMAGE_INDEX, with_pluses

_INDEX_HEAD = f'{{"schemaVersion":2,"mediaType":"{OCI_IMAGE_INDEX}","manifests":['.encode()
_INDEX_TAIL = b"]}"


async def list_tags(call: Call[RepositoryTarget]) -> Response:
    """end-8a, end-8b: list the tags that the caller may pull."""
    repository = call.target.repository
    wanted = parse_page_request(call.request.query())
    reach = call.visible(Resource.MANIFESTS)
    below = call.policy.reach_below(call.identity, "GET", Resource.MANIFESTS)
    limit = wanted.limit if below(scopes_of_tags(repository)) else 0
    page = await call.registry.tags.page(
        repository, last=wanted.last, limit=limit, visible=lambda tag: reach(scope_of(repository, tag))
    )
    return json_response({"name": repository, "tags": page.items}, link_headers(call.request, wanted, page))


async def list_referrers(call: Call[DigestTarget]) -> Response:
    """end-12a, end-12b: list the manifests whose subject is this digest, known or not."""
    query = call.request.query()
    artifact_type = with_pluses(query.find("artifactType") or "") or None
    last = query.find("last")
    page = await call.registry.referrers.page(
        call.target.repository,
        call.target.digest,
        artifact_type=artifact_type,
        last=None if last is None else parse_digest(last),
    )
    headers: Headers = [("content-type", OCI_IMAGE_INDEX), ("cache-control", "no-cache")]
    if artifact_type is not None:
        headers.append(("oci-filters-applied", "artifactType"))
    if page.last is not None:
        fields = {"last": str(page.last)} | ({"artifactType": artifact_type} if artifact_type else {})
        headers.append(("link", next_page_link(call.request.path, fields)))
    return Response(200, headers, _INDEX_HEAD + b",".join(page.descriptors) + _INDEX_TAIL)
