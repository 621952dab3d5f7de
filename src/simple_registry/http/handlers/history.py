"""Reading the journal: the history of a repository or a tag, a feed of all repositories, and past targets of tags.

A caller sees the events of what it may pull.
"""

from collections.abc import Callable, Mapping

from simple_registry.access.permission import Resource, scope_of
from simple_registry.http.call import Call
from simple_registry.http.messages import Headers, Query, Response, json_response
from simple_registry.http.numbers import parse_number
from simple_registry.http.targets import NoTarget, RepositoryTarget, TagTarget, Target
from simple_registry.http.urls import next_page_link
from simple_registry.oci.errors import ManifestUnknown, PaginationInvalid, TimeUnreadable
from simple_registry.oci.names import parse_tag
from simple_registry.operations.history import EventPage, JournalEvent, event_document
from simple_registry.times import TimeInvalid, format_instant, parse_past

DEFAULT_PAGE = 100
MAX_PAGE = 1000
"""Events in one answer, whatever `n` is."""


async def list_history(call: Call[RepositoryTarget]) -> Response:
    """history: list the events of a repository, or with `tag` of one tag, the newest first."""
    query, repository = call.request.query(), call.target.repository
    tag, limit, before = query.find("tag"), _limit(query), _event(query, "before")
    page = await call.registry.history.page(
        repository, None if tag is None else parse_tag(tag), before=before, limit=limit, visible=_visible(call)
    )
    fields = {"n": str(limit), "before": str(page.next)} | ({} if tag is None else {"tag": tag})
    return _events(call, page, {"name": repository}, fields)


async def list_events(call: Call[NoTarget]) -> Response:
    """events: list the events of all repositories after an id, the oldest first; `next` is for the next request."""
    query = call.request.query()
    limit, after = _limit(query), _event(query, "after") or 0
    page = await call.registry.history.feed(after=after, limit=limit, visible=visible_of_all(call))
    return _events(call, page, {"next": page.next}, {"n": str(limit), "after": str(page.next)})


async def resolve_tag(call: Call[TagTarget]) -> Response:
    """resolve: return what a tag points at, or pointed at `at` a time."""
    repository, tag = call.target.repository, call.target.tag
    call.require("GET", Resource.MANIFESTS, scope_of(repository, tag))
    history, text = call.registry.history, call.request.query().find("at")
    try:
        at = history.now() if text is None else parse_past(text, history.now())
    except TimeInvalid as error:
        raise TimeUnreadable(at=str(error)) from None
    digest = await history.resolve(repository, tag, at)
    if digest is None:
        raise ManifestUnknown(reference=tag)
    return json_response({"name": repository, "tag": tag, "at": format_instant(at), "digest": str(digest)})


def visible_of_all(call: Call[Target]) -> Callable[[JournalEvent], bool]:
    """Return which events of all repositories the caller may see: of what it may pull and read the history of."""
    pulls, reads = _visible(call), call.visible(Resource.MANIFESTS, "history")
    return lambda event: pulls(event) and reads(scope_of(event.repository, event.tag))


def _visible(call: Call[Target]) -> Callable[[JournalEvent], bool]:
    reach = call.visible(Resource.MANIFESTS)
    return lambda event: reach(scope_of(event.repository, event.tag))


def _events(call: Call[Target], page: EventPage, document: Mapping[str, object], fields: dict[str, str]) -> Response:
    link: Headers = [("link", next_page_link(call.request.path, fields))] if page.more else []
    return json_response({**document, "events": [event_document(event) for event in page.events]}, link)


def _limit(query: Query) -> int:
    number = _event(query, "n")
    return DEFAULT_PAGE if number is None else min(max(number, 1), MAX_PAGE)


def _event(query: Query, name: str) -> int | None:
    """Return a whole number of a query.

    Raises: PaginationInvalid.
    """
    text = query.find(name)
    number = None if text is None else parse_number(text)
    if text is not None and number is None:
        raise PaginationInvalid(**{name: text[:40]})
    return number
