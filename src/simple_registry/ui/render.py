"""Pages from templates, with the headers that say what a browser may do with them.

Templates escape by default, and a name that is not there is an error. All words are in `texts`. Nothing in a page comes
from another host, and no script or style is written into it.
"""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from shlex import quote
from typing import TYPE_CHECKING

from simple_registry import __version__
from simple_registry.access.caller import Caller, Source
from simple_registry.http.call import Call, Registry
from simple_registry.http.events import Event
from simple_registry.http.messages import Headers, Request, Response
from simple_registry.http.targets import Target
from simple_registry.sizes import readable
from simple_registry.times import format_duration, format_moment
from simple_registry.ui.address import address_of
from simple_registry.ui.assets import load_assets
from simple_registry.ui.cookies import find_session
from simple_registry.ui.forms import TOKEN_FIELD, form_token, path_of
from simple_registry.ui.links import below_url, crumbs_of, page_url, repository_url
from simple_registry.ui.navigation import entries_for
from simple_registry.ui.plain_text import moment_in, plain, short_type
from simple_registry.ui.texts import amount, text

if TYPE_CHECKING:
    from jinja2 import Environment

POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
"""What a browser may load for a page, and from where."""

SAFETY = (
    ("content-security-policy", POLICY),
    ("referrer-policy", "same-origin"),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
)
"""Header lines of everything for browsers. `no-referrer` would take the origin out of forms, too."""

PRIVATE = (("cache-control", "private, no-store"), ("vary", "Cookie"))
"""Header lines of pages: what they show depends on the user, and on this moment."""


def load_templates() -> None:
    """Compile all templates, which the process keeps."""
    environment = _environment()
    for name in environment.list_templates(extensions=["html"]):
        environment.get_template(name)


def page(
    call: Call[Target], template: str, *, status: int = 200, events: Sequence[Event] = (), **values: object
) -> Response:
    """Return a page of this template for a caller that may see it, after these changes."""
    return render(call.request, call.registry, call.caller, template, values, status=status, events=events)


def render(
    request: Request,
    registry: Registry,
    caller: Caller | None,
    template: str,
    values: Mapping[str, object],
    *,
    status: int = 200,
    headers: Headers | None = None,
    events: Sequence[Event] = (),
) -> Response:
    """Return a page of this template; `caller` is `None` where it is unknown."""
    frame = _frame(request, registry, caller)
    content = _environment().get_template(template).render(**frame, **values).encode()
    fixed: Headers = [("content-type", "text/html; charset=utf-8"), *PRIVATE, *SAFETY]
    return Response(status, fixed + (headers or []), content, events, page=True)


def redirect(path: str, *, headers: Headers | None = None, events: Sequence[Event] = ()) -> Response:
    """Return the answer that sends a browser to another page, with a GET, after these changes."""
    return Response(303, [("location", path), *PRIVATE, *SAFETY, *(headers or [])], events=events, page=True)


def _frame(request: Request, registry: Registry, caller: Caller | None) -> Mapping[str, object]:
    """Return the values that every template may use."""
    address = address_of(request, registry.origins)
    session = find_session(request, address)
    signed_in = caller is not None and session is not None and caller.proof.source is not Source.ANONYMOUS
    return {
        "address": address,
        "user": caller.identity.name if signed_in and caller is not None else None,
        "form_token": form_token(session) if session is not None else None,
        "here": path_of(request),
        "path": request.path,
        "entries": entries_for(caller if signed_in else None, registry.rules()),
    }


@lru_cache(maxsize=1)
def _environment() -> "Environment":
    # Imported for the first page: a registry whose pages are not looked at never needs it.
    from jinja2 import Environment, PackageLoader, StrictUndefined  # noqa: PLC0415

    environment = Environment(
        loader=PackageLoader("simple_registry.ui"),
        autoescape=True,
        undefined=StrictUndefined,
        auto_reload=False,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        quoted=quote, duration=format_duration, plain=plain, short_type=short_type, moment_in=moment_in
    )
    environment.globals.update(
        asset=lambda name: load_assets()[name].url,
        t=text,
        amount=amount,
        size=readable,
        moment=format_moment,
        below_url=below_url,
        crumbs_of=crumbs_of,
        page_url=page_url,
        repository_url=repository_url,
        TOKEN_FIELD=TOKEN_FIELD,
        version=__version__,
    )
    return environment
