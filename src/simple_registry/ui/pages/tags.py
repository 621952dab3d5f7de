"""The page of a repository: its tags."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite

from simple_registry.access.permission import Resource, scope_of
from simple_registry.http.call import Call
from simple_registry.http.messages import Query, Response
from simple_registry.http.targets import RepositoryTarget
from simple_registry.oci.names import RepositoryName, Tag
from simple_registry.operations.pages import Page
from simple_registry.operations.tag_lists import TagOrder, TagPosition, TagRow
from simple_registry.ui.address import address_of
from simple_registry.ui.links import change_of, repository_url, with_query
from simple_registry.ui.pull_commands import usual_command
from simple_registry.ui.reading import Overview, Reading
from simple_registry.ui.render import page
from simple_registry.ui.rights import may_delete, may_read_history, require_some_pull

PAGE_SIZE = 50
MAX_TEXT = 128
"""Characters of a tag."""

DONE = frozenset({"tag-deleted", "manifest-deleted", "restored", "rolled-back", "tagged"})
"""Changes after which a browser comes here."""


@dataclass(frozen=True, slots=True)
class ListedTag:
    """A row of the list."""

    row: TagRow
    overview: Overview | None
    command: str


async def show_tags(call: Call[RepositoryTarget]) -> Response:
    """page: the tags of a repository that the caller may pull, in an order, filtered and in pages."""
    repository, query = call.target.repository, call.request.query()
    await require_some_pull(call, repository)
    pulls_all = call.can("GET", Resource.MANIFESTS, scope_of(repository))
    wanted, order, after = query.find("q") or "", _order(query), _position(query)
    text = wanted.strip()[:MAX_TEXT]
    visible = call.visible(Resource.MANIFESTS)
    found = await call.registry.tag_lists.page(
        repository,
        order,
        containing=text,
        after=after,
        limit=PAGE_SIZE,
        visible=lambda tag: visible(scope_of(repository, tag)),
    )
    fields = {"q": text, "order": order.value if order is not TagOrder.PUSHED else None}
    return page(
        call,
        "tags.html",
        repository=repository,
        usage=await call.registry.usages.get(repository) if pulls_all else None,
        q=wanted,
        order=order.value,
        orders=[(each.value, repository_url(repository, q=text, order=each.value)) for each in TagOrder],
        tags=await _listed(call, found.items),
        first=with_query(repository_url(repository), fields) if after else None,
        following=_following(repository, fields, found),
        done=change_of(query, DONE),
        has_history=may_read_history(call, repository),
        may_delete=may_delete(call, repository),
    )


async def _listed(call: Call[RepositoryTarget], rows: Sequence[TagRow]) -> Sequence[ListedTag]:
    reading = Reading(call, call.target.repository)
    overviews = [await reading.overview(row.digest) for row in rows]
    return [
        ListedTag(row, overview, _command(call, row, overview)) for row, overview in zip(rows, overviews, strict=True)
    ]


def _command(call: Call[RepositoryTarget], row: TagRow, overview: Overview | None) -> str:
    """Return the most usual command that pulls a tag; nothing for a manifest that cannot be read."""
    if overview is None:
        return ""
    address = address_of(call.request, call.registry.origins)
    return usual_command(overview.described.kind, address, call.target.repository, row.tag).line


def _order(query: Query) -> TagOrder:
    text = query.find("order")
    return next((each for each in TagOrder if each.value == text), TagOrder.PUSHED)


def _position(query: Query) -> TagPosition | None:
    """Return where the page begins."""
    tag, pushed = query.find("after"), query.find("pushed")
    if tag is None:
        return None
    try:
        seconds = float(pushed or 0)
    except ValueError:
        seconds = 0.0
    # A text of any length would become a key that `version_key` caches.
    return TagPosition(seconds if isfinite(seconds) else 0.0, Tag(tag[:MAX_TEXT]))


def _following(repository: RepositoryName, fields: Mapping[str, object], found: Page[TagRow]) -> str | None:
    """Return where the list goes on."""
    if not found.more:
        return None
    last = found.items[-1]
    return with_query(repository_url(repository), {**fields, "after": last.tag, "pushed": repr(last.pushed)})
