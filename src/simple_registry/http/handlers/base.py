"""The endpoints that are about the registry itself."""

from simple_registry.access.permission import Resource, scope_of
from simple_registry.http.call import Call, NoTarget
from simple_registry.http.handlers.replies import json_response
from simple_registry.http.messages import Response
from simple_registry.http.pagination import link_headers, parse_page_request


async def get_base(_call: Call[NoTarget]) -> Response:
    """end-1: say that this registry speaks the protocol, to whoever has valid credentials."""
    return json_response({})


async def get_catalog(call: Call[NoTarget]) -> Response:
    """catalog: list the repositories in which the caller may pull something."""
    wanted = parse_page_request(call.request.query())
    page = call.registry.repositories.page(
        last=wanted.last,
        limit=wanted.limit,
        visible=lambda repository: call.can("GET", Resource.MANIFESTS, scope_of(repository)),
    )
    return json_response({"repositories": page.items}, link_headers(call.request, wanted, page))


async def get_health(_call: Call[NoTarget]) -> Response:
    """healthz: say that this process answers."""
    return json_response({"status": "ok"})


async def get_readiness(call: Call[NoTarget]) -> Response:
    """readyz: say that the stores answer; `dispatch` turns their failure into a 503."""
    call.registry.check()
    return json_response({"status": "ready"})
