"""What uses the storage, what the collector and the background reader did, and what a collection would do."""

from simple_registry.http.call import Call
from simple_registry.http.messages import Response
from simple_registry.http.targets import NoTarget
from simple_registry.metrics.families import SCRUBBED, SCRUBBED_BYTES
from simple_registry.operations.collection import restorable_until
from simple_registry.operations.collector import Wanted
from simple_registry.times import format_duration
from simple_registry.ui.numbers import numbers_of
from simple_registry.ui.render import page

SHOWN = 30


async def show_storage(call: Call[NoTarget]) -> Response:
    """page: the use of the storage; with `rehearse`, what a collection would do now, which takes a while."""
    registry, collector = call.registry, call.registry.collector
    rehearsed = call.request.query().find("rehearse") is not None
    waiting, grace = await collector.waiting(), collector.schedule.grace
    text = (await registry.metrics()).decode()
    return page(
        call,
        "storage.html",
        largest=await registry.usages.largest(SHOWN),
        total=await registry.usages.total(),
        condition=registry.condition(),
        waiting=waiting,
        grace=format_duration(grace),
        until=restorable_until(waiting, grace),
        report=await collector.rehearse(Wanted()) if rehearsed else None,
        last=await collector.last(),
        scrubbed=numbers_of(text, SCRUBBED.name),
        scrubbed_bytes=numbers_of(text, SCRUBBED_BYTES.name).get("", 0),
    )
