"""The endpoints that are about the registry itself."""

from simple_registry.http.call import Call
from simple_registry.http.messages import Response, json_response
from simple_registry.http.pagination import link_headers, parse_page_request
from simple_registry.http.targets import NoTarget
from simple_registry.metrics.exposition import CONTENT_TYPE


async def get_base(_call: Call[NoTarget]) -> Response:
    """end-1: confirm the protocol to clients with valid credentials."""
    return json_response({})


async def get_catalog(call: Call[NoTarget]) -> Response:
    """catalog: list the repositories in which the caller may pull something."""
    wanted = parse_page_request(call.request.query())
    page = await call.registry.repositories.page(last=wanted.last, limit=wanted.limit, visible=call.holds_visible())
    return json_response({"repositories": page.items}, link_headers(call.request, wanted, page))


async def get_health(_call: Call[NoTarget]) -> Response:
    """healthz: report that this process answers."""
    return json_response({"status": "ok"})


async def get_readiness(call: Call[NoTarget]) -> Response:
    """readyz: report whether the stores answer and may be changed, and whether the configuration is the one on disk.

    `dispatch` turns a failure of the stores into a 503.
    """
    readiness = call.registry.readiness()
    mode = {} if await call.registry.read_only.find() is None else {"storage": "read-only"}
    return json_response({"status": "ready", **readiness, **mode})


async def get_metrics(call: Call[NoTarget]) -> Response:
    """metrics: the numbers of all processes, in the format of Prometheus."""
    return Response(200, [("content-type", CONTENT_TYPE), ("cache-control", "no-store")], await call.registry.metrics())
