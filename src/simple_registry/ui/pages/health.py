"""The state of the registry: readiness, what it holds, and versions."""

from simple_registry.http.call import Call
from simple_registry.http.messages import Response
from simple_registry.http.targets import NoTarget
from simple_registry.ui.render import page


async def show_health(call: Call[NoTarget]) -> Response:
    """page: whether the registry is ready, what it holds, and versions."""
    registry = call.registry
    total = await registry.usages.total()
    held = total.usage.held_bytes
    return page(
        call,
        "health.html",
        readiness=registry.readiness(),
        mode=await registry.read_only.find(),
        condition=registry.condition(),
        total=total,
        shared=max(held - total.content_bytes, 0),
    )
