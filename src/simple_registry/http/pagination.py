"""The `n` and `last` of listings (distribution-spec, "Listing Tags")."""

from dataclasses import dataclass
from typing import TypeVar

from simple_registry.http.messages import Headers, Query, Request
from simple_registry.http.numbers import parse_number
from simple_registry.http.urls import next_page_link
from simple_registry.oci.errors import PaginationInvalid
from simple_registry.operations.pages import Page

MAX_PAGE = 10_000
"""Items in one answer, whatever `n` is; a `Link` leads to the next page."""

_Name = TypeVar("_Name", bound=str)


@dataclass(frozen=True, slots=True)
class PageRequest:
    """Which part of a listing is wanted."""

    limit: int
    last: str | None


def parse_page_request(query: Query) -> PageRequest:
    """Return the page that a query asks for.

    Raises: PaginationInvalid unless `n` is a whole number from 0.
    """
    text, last = query.find("n"), query.find("last")
    if text is None:
        return PageRequest(MAX_PAGE, last)
    number = parse_number(text)
    if number is None:
        raise PaginationInvalid(n=text[:40])
    return PageRequest(min(number, MAX_PAGE), last)


def link_headers(request: Request, wanted: PageRequest, page: Page[_Name]) -> Headers:
    """Return the `Link` header that leads to the next page, if there is one."""
    if not page.more:
        return []
    return [("link", next_page_link(request.path, {"n": str(wanted.limit), "last": page.items[-1]}))]
