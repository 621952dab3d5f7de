"""The history of a repository, or of one tag, as a time line."""

from dataclasses import dataclass

from simple_registry.access.permission import Resource, scope_of
from simple_registry.http.call import Call
from simple_registry.http.messages import Response
from simple_registry.http.numbers import parse_number
from simple_registry.http.targets import RepositoryTarget, Target
from simple_registry.oci.names import parse_tag
from simple_registry.operations.history import JournalEvent
from simple_registry.ui.links import repository_url
from simple_registry.ui.render import page
from simple_registry.ui.rights import may_delete, may_restore

PAGE_SIZE = 50

_UNDONE = {"tag.delete": "tag", "manifest.delete": "manifest", "repository.delete": "repository"}
"""Deletions that can be undone, and what they deleted."""


@dataclass(frozen=True, slots=True)
class Line:
    """An event, and the pages that undo it or compare its two manifests; `None` for what the caller cannot do."""

    event: JournalEvent
    roll_back: str | None
    restore: str | None
    compare: str | None


async def show_history(call: Call[RepositoryTarget]) -> Response:
    """page: the events of a repository, or with `tag` of one tag, the newest first, as `history`."""
    repository, query = call.target.repository, call.request.query()
    name, before = query.find("tag"), query.find("before")
    tag = None if name is None else parse_tag(name)
    reach = call.visible(Resource.MANIFESTS)
    found = await call.registry.history.page(
        repository,
        tag,
        before=None if before is None else parse_number(before),
        limit=PAGE_SIZE,
        visible=lambda event: reach(scope_of(event.repository, event.tag)),
    )
    last = found.events[0] if found.events and before is None else None
    return page(
        call,
        "history.html",
        repository=repository,
        tag=tag,
        lines=[_line(call, event, is_last=tag is not None and event is last) for event in found.events],
        first=repository_url(repository, "history", tag=tag) if before is not None else None,
        following=repository_url(repository, "history", tag=tag, before=found.next) if found.more else None,
        may_delete=may_delete(call, repository),
    )


def _line(call: Call[RepositoryTarget], event: JournalEvent, *, is_last: bool) -> Line:
    """Return the line of an event; after the last event of a tag there is nothing to roll back."""
    repository, roll_back, compare = event.repository, None, None
    if not is_last and event.tag is not None and event.after is not None and may_restore(call, repository, event.tag):
        roll_back = repository_url(repository, f"tags/{event.tag}/roll-back", to=event.id)
    if event.before is not None and event.after is not None:
        compare = repository_url(repository, "compare", **{"from": event.before, "to": event.after})
    return Line(event, roll_back, restore_url_of(call, event), compare)


def restore_url_of(call: Call[Target], event: JournalEvent) -> str | None:
    """Return the page that undoes a deletion; `None` for other events, and for callers that may not restore."""
    kind = _UNDONE.get(event.action.value)
    if kind is None or not may_restore(call, event.repository, event.tag):
        return None
    of = {"tag": event.tag, "manifest": event.before, "repository": None}[kind]
    return repository_url(event.repository, "restore", of=of)
