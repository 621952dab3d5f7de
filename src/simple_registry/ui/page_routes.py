"""The rows of the tables of pages: a page that is read, and a page with its form."""

import re
from collections.abc import Awaitable, Callable

from simple_registry.access.permission import Resource
from simple_registry.http.call import Call
from simple_registry.http.messages import Response
from simple_registry.http.routes import Endpoint, Need, Route, route
from simple_registry.http.targets import Target

PAGE = "page"
"""The id of all pages, and their name in metrics."""

PAGE_METHODS = ("GET", "HEAD", "POST")
"""What browsers send."""

Handler = Callable[[Call[Target]], Awaitable[Response]]
Parse = Callable[[str, re.Match[str]], Target]


def page_route(
    path: str, parse: Parse[Target], show: Handler[Target], needs: Resource | Need, *, verb: str | None = None
) -> Route[Target]:
    """Return the row of a page."""
    return route(path, parse, read=Endpoint(PAGE, needs, show, verb))


def form_route(
    path: str,
    parse: Parse[Target],
    show: Handler[Target],
    act: Handler[Target],
    needs: Resource | Need,
    *,
    verb: str | None = None,
) -> Route[Target]:
    """Return the row of a page with its form: to see it needs what the change needs, which its form makes."""
    return route(
        path, parse, read=Endpoint(PAGE, needs, show, verb), POST=Endpoint(PAGE, needs, act, verb, writes=True)
    )
