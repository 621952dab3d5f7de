"""What `Retention` documents would remove, why the other tags stay, and the removal."""

from collections.abc import Sequence
from dataclasses import dataclass

from simple_registry.access.permission import CATALOG_SCOPE, Resource, scope_of
from simple_registry.access.roles import RUN
from simple_registry.http import changes
from simple_registry.http.call import Call
from simple_registry.http.handlers.maintenance import position_of
from simple_registry.http.messages import Response
from simple_registry.http.targets import NoTarget
from simple_registry.oci.names import RepositoryName, Tag
from simple_registry.operations.retention import PlanPage
from simple_registry.ui.forms import read_form
from simple_registry.ui.links import change_of, page_url
from simple_registry.ui.navigation import is_administrator
from simple_registry.ui.render import page, redirect

PAGE_SIZE = 100
SECONDS = 2.0
"""Seconds after which a page shows what it has found; the next one continues."""

LISTED = 1000
"""Tags of the plan that the page before a removal reads."""

NAMED = 20
"""Tags that it names of each repository."""

DONE = frozenset({"applied"})
"""What the page of the plan can report."""


@dataclass(frozen=True, slots=True)
class Going:
    """Tags of a repository that no rule keeps."""

    repository: RepositoryName
    tags: Sequence[Tag]


async def show_plan(call: Call[NoTarget]) -> Response:
    """page: the verdict on each tag that a Retention reaches, as far as the caller may pull it."""
    query = call.request.query()
    last = query.find("last")
    found = await _plan(call, last, PAGE_SIZE)
    return page(
        call,
        "retention.html",
        documents=call.authorization.rules.retentions,
        rows=[(judged.repository, *each) for judged in found.judged for each in judged.tags],
        may_run=call.can(RUN, Resource.MAINTENANCE, CATALOG_SCOPE),
        done=change_of(query, DONE),
        first=page_url("retention") if last else None,
        following=None if found.next is None else page_url("retention", last=found.next),
    )


async def show_applying(call: Call[NoTarget]) -> Response:
    """page: the tags that will be removed, as far as the caller may pull them; after `last`, what is left of them."""
    last = call.request.query().find("last")
    found = await _plan(call, last, LISTED)
    going = [
        Going(judged.repository, [row.tag for row, verdict in judged.tags if verdict.reason is None])
        for judged in found.judged
    ]
    rules = call.authorization.rules
    return page(
        call,
        "retention_apply.html",
        going=[each for each in going if each.tags],
        count=sum(len(each.tags) for each in going),
        last=last,
        has_more=found.next is not None,
        has_hidden=bool(rules.retentions) and not is_administrator(call.caller, rules),
        max_named=NAMED,
        mode=await call.registry.read_only.find(),
    )


async def apply_retention(call: Call[NoTarget]) -> Response:
    """page: remove the tags that no Retention keeps, as `retention`; where the time was over, lead to the rest."""
    done, events = await changes.apply_retention(call, position_of((await read_form(call)).find("last")))
    to = page_url("retention", done="applied") if done.complete else page_url("retention/apply", last=done.next)
    return redirect(to, events=events)


async def _plan(call: Call[NoTarget], last: str | None, limit: int) -> PlanPage:
    pulls = call.visible(Resource.MANIFESTS)
    return await call.registry.retention.plan_page(
        position_of(last),
        limit,
        visible=lambda repository, tag: pulls(scope_of(repository, tag)),
        seconds=SECONDS,
    )
