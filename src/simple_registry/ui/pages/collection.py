"""Garbage collection: what waits for it, what it did and would do, and its start.

    what waits ──► form ──► rehearsal: what a collection would do ──► form ──► the collection

A rehearsal works on a copy of the database, so it is a form, too: no link and no search engine begins one.
"""

from simple_registry.access.permission import CATALOG_SCOPE, Resource
from simple_registry.access.roles import RUN
from simple_registry.http import changes
from simple_registry.http.call import Call
from simple_registry.http.messages import Response
from simple_registry.http.targets import NoTarget
from simple_registry.operations.collection import restorable_until
from simple_registry.operations.collector import Wanted
from simple_registry.ui.forms import read_form
from simple_registry.ui.links import change_of, page_url
from simple_registry.ui.render import page, redirect

DONE = frozenset({"complete", "part"})
"""What the page can report."""


async def show_collection(call: Call[NoTarget]) -> Response:
    """page: what waits for a collection and what the last ones did, as `collection`, and the form for another one."""
    collector = call.registry.collector
    waiting, schedule = await collector.waiting(), collector.schedule
    return page(
        call,
        "collection.html",
        schedule=schedule,
        waiting=waiting,
        until=restorable_until(waiting, schedule.grace),
        last=await collector.last(),
        may_run=call.can(RUN, Resource.MAINTENANCE, CATALOG_SCOPE),
        mode=await call.registry.read_only.find(),
        done=change_of(call.request.query(), DONE),
    )


async def rehearse_collection(call: Call[NoTarget]) -> Response:
    """page: what a collection would do now, as `collection` with `dryRun`."""
    wanted = await _wanted(call)
    report = await call.registry.collector.rehearse(wanted)
    return page(call, "collection_rehearsal.html", wanted=wanted, swept=report.swept)


async def collect_garbage(call: Call[NoTarget]) -> Response:
    """page: collect, as `collection`."""
    report, events = await changes.collect_garbage(call, await _wanted(call))
    return redirect(page_url("collection", done="complete" if report.complete else "part"), events=events)


async def _wanted(call: Call[NoTarget]) -> Wanted:
    return Wanted(delete_untagged=(await read_form(call)).find("untagged") is not None)
