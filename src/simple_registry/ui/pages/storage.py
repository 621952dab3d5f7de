"""What uses the storage, and what the background reader of all content found."""

from simple_registry.http.call import Call
from simple_registry.http.messages import Response
from simple_registry.http.targets import NoTarget
from simple_registry.metrics.families import SCRUBBED, SCRUBBED_BYTES
from simple_registry.ui.numbers import numbers_of
from simple_registry.ui.render import page

SHOWN = 30


async def show_storage(call: Call[NoTarget]) -> Response:
    """page: the use of the storage."""
    registry = call.registry
    text = (await registry.metrics()).decode()
    return page(
        call,
        "storage.html",
        largest=await registry.usages.largest(SHOWN),
        total=await registry.usages.total(),
        condition=registry.condition(),
        scrubbed=numbers_of(text, SCRUBBED.name),
        scrubbed_bytes=numbers_of(text, SCRUBBED_BYTES.name).get("", 0),
    )
