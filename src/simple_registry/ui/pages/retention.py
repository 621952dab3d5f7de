"""What `Retention` documents would remove, and why the other tags stay."""

from simple_registry.access.permission import Resource, scope_of
from simple_registry.http.call import Call
from simple_registry.http.handlers.maintenance import position_of
from simple_registry.http.messages import Response
from simple_registry.http.targets import NoTarget
from simple_registry.ui.links import page_url
from simple_registry.ui.render import page

PAGE_SIZE = 100
SECONDS = 2.0
"""Seconds after which a page shows what it has found; the next one continues."""


async def show_plan(call: Call[NoTarget]) -> Response:
    """page: the verdict on each tag that a Retention reaches, as far as the caller may pull it."""
    last = call.request.query().find("last")
    pulls = call.visible(Resource.MANIFESTS)
    found = await call.registry.retention.plan_page(
        position_of(last),
        PAGE_SIZE,
        visible=lambda repository, tag: pulls(scope_of(repository, tag)),
        seconds=SECONDS,
    )
    return page(
        call,
        "retention.html",
        documents=call.authorization.rules.retentions,
        rows=[(judged.repository, *each) for judged in found.judged for each in judged.tags],
        first=page_url("retention") if last else None,
        following=None if found.next is None else page_url("retention", last=found.next),
    )
