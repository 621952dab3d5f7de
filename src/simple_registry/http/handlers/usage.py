"""What repositories use."""

from simple_registry.access.permission import CATALOG_SCOPE, Resource, scope_of
from simple_registry.http.call import Call
from simple_registry.http.messages import Headers, Response, json_response
from simple_registry.http.pagination import parse_page_request
from simple_registry.http.targets import NoTarget
from simple_registry.http.urls import next_page_link
from simple_registry.operations.usage import Usage


async def list_usage(call: Call[NoTarget]) -> Response:
    """usage: list the repositories that the caller may pull, and what they use; the first page has collections, too."""
    wanted = parse_page_request(call.request.query())
    reach = call.visible(Resource.MANIFESTS)
    page = await call.registry.usages.page(
        last=wanted.last, limit=wanted.limit, visible=lambda repository: reach(scope_of(repository))
    )
    link: Headers = []
    if page.more:
        link = [("link", next_page_link(call.request.path, {"n": str(wanted.limit), "last": page.usages[-1][0]}))]
    document: dict[str, object] = {"repositories": [described(name, usage) for name, usage in page.usages]}
    if wanted.last is None and call.can("GET", Resource.MAINTENANCE, CATALOG_SCOPE):
        document["collection"] = await call.registry.collector.described()
    return json_response(document, link)


def described(repository: str, usage: Usage) -> dict[str, object]:
    """Return the usage of a repository, as JSON has it."""
    return {
        "name": repository,
        "tags": usage.tags,
        "manifests": usage.manifests,
        "blobs": usage.blobs,
        "bytes": usage.bytes,
        "unneededBytes": usage.unneeded_bytes,
        "deletedBytes": usage.deleted_bytes,
    }
