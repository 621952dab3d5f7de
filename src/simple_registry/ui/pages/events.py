"""The latest events of all repositories."""

from simple_registry.http.call import Call
from simple_registry.http.handlers.history import visible_of_all
from simple_registry.http.messages import Response
from simple_registry.http.numbers import parse_number
from simple_registry.http.targets import NoTarget
from simple_registry.ui.links import page_url
from simple_registry.ui.pages.history import restore_url_of
from simple_registry.ui.render import page

PAGE_SIZE = 50


async def show_events(call: Call[NoTarget]) -> Response:
    """page: the events of the journal that the caller may see, the newest first."""
    before = call.request.query().find("before")
    found = await call.registry.history.page(
        None,
        None,
        before=None if before is None else parse_number(before),
        limit=PAGE_SIZE,
        visible=visible_of_all(call),
    )
    return page(
        call,
        "events.html",
        rows=[(event, restore_url_of(call, event)) for event in found.events],
        first=page_url("events") if before is not None else None,
        following=page_url("events", before=found.next) if found.more else None,
    )
