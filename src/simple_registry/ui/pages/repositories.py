"""The list of repositories."""

import re

from simple_registry.access.permission import Resource, scope_of
from simple_registry.http.call import Call
from simple_registry.http.messages import Response
from simple_registry.http.numbers import parse_number
from simple_registry.http.targets import NoTarget
from simple_registry.oci.names import parse_repository_name
from simple_registry.ui.links import HOME, repository_url, with_query
from simple_registry.ui.render import page, redirect

PAGE_SIZE = 50
MAX_TEXT = 255

_NOT_IN_NAMES = re.compile(r"[^a-z0-9._/-]", re.ASCII)


async def show_home(_call: Call[NoTarget]) -> Response:
    """page: the way to the list of repositories."""
    return redirect(HOME)


async def open_repository(call: Call[NoTarget]) -> Response:
    """page: the way to a repository by its name, for callers that may not list repositories."""
    return redirect(repository_url(parse_repository_name((call.request.query().find("name") or "").strip())))


async def show_repositories(call: Call[NoTarget]) -> Response:
    """page: the repositories in which the caller may pull something, searched and in pages."""
    query = call.request.query()
    wanted, below, last = query.find("q") or "", query.find("below") or "", query.find("after")
    text = wanted.strip().lower()[:MAX_TEXT]
    skip = parse_number(query.find("skip") or "") or 0
    found = await call.registry.repositories.search(
        text, below=below, last=last, skip=skip, limit=PAGE_SIZE, visible=call.holds_visible()
    )
    fields = {"q": wanted, "below": below, "after": found.last, "skip": found.skip or None}
    pulls = call.visible(Resource.MANIFESTS)
    return page(
        call,
        "repositories.html",
        q=wanted,
        below=below,
        # What a whole repository uses is for callers that may pull all of it, as in the API.
        found=[(each, pulls(scope_of(each.name))) for each in found.found],
        impossible=_NOT_IN_NAMES.search(text) is not None,
        is_first=last is None and not skip,
        is_empty=not (found.found or found.more or text or below or last or skip),
        following=with_query(HOME, fields) if found.more else None,
    )
