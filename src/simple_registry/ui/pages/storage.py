"""What uses the storage, what the collector and the background reader did, and what a collection would do."""

from simple_registry.http.call import Call
from simple_registry.http.messages import Response
from simple_registry.http.targets import NoTarget
from simple_registry.metrics.families import COLLECTED, SCRUBBED, SCRUBBED_BYTES
from simple_registry.ui.numbers import numbers_of
from simple_registry.ui.render import page

SHOWN = 30


async def show_storage(call: Call[NoTarget]) -> Response:
    """page: the use of the storage; with `rehearse`, what a collection would do now, which takes a while."""
    registry = call.registry
    rehearsed = call.request.query().find("rehearse") is not None
    text = (await registry.metrics()).decode()
    return page(
        call,
        "storage.html",
        largest=await registry.usages.largest(SHOWN),
        total=await registry.usages.total(),
        report=await registry.garbage.outlook(rehearsed=rehearsed),
        rehearsed=rehearsed,
        condition=registry.condition(),
        collected=numbers_of(text, COLLECTED.name),
        scrubbed=numbers_of(text, SCRUBBED.name),
        scrubbed_bytes=numbers_of(text, SCRUBBED_BYTES.name).get("", 0),
    )
