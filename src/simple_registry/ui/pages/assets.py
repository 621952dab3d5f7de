"""Assets."""

from simple_registry.http.call import Call
from simple_registry.http.messages import Headers, Response
from simple_registry.http.targets import AssetTarget
from simple_registry.oci.errors import NotFound
from simple_registry.ui.assets import find_asset
from simple_registry.ui.render import SAFETY

_FOR_EVER = "public, max-age=31536000, immutable"


async def get_asset(call: Call[AssetTarget]) -> Response:
    """page: a file for browsers, of which each version has its own name."""
    asset = find_asset(call.target.name)
    if asset is None:
        raise NotFound(path=call.request.path[:300])
    headers: Headers = [("cache-control", _FOR_EVER), ("etag", asset.entity_tag), *SAFETY]
    if asset.entity_tag in call.request.headers.get("if-none-match", ""):
        return Response(304, headers, page=True)
    return Response(200, [("content-type", asset.media_type), *headers], asset.content, page=True)
