"""Forms: read once, and only if one of our own pages sent them.

A browser says where a form comes from, in `Sec-Fetch-Site` or `Origin`; one that says neither is refused. A form of a
signed-in user also has a token that follows from the session, which pages of other sites cannot know.
"""

import hashlib
import hmac
import re
from urllib.parse import quote

from simple_registry.http.bodies import read_bounded
from simple_registry.http.call import Call
from simple_registry.http.cross_site import CrossSite
from simple_registry.http.messages import Query, Request
from simple_registry.http.targets import Target
from simple_registry.oci.errors import Denied
from simple_registry.ui.address import address_of
from simple_registry.ui.cookies import find_session

MAX_FORM = 64 * 1024
TOKEN_FIELD = "form-token"  # noqa: S105 (the name of a field)

_OURS = re.compile(r"/(?:ui/[!$&'()*+,;=:@A-Za-z0-9._~/%-]*)?(?:\?[!$&'()*+,;=:@A-Za-z0-9._~/%?-]*)?", re.ASCII)


class FormOutdated(Denied):
    """code-12: a form of another session than the one of the cookie."""

    message = "the form belongs to a session that has ended: open the page again"


def form_token(session: str) -> str:
    """Return the token of the forms of a web session."""
    return hmac.digest(session.encode(), b"simple-registry form", hashlib.sha256).hex()


async def read_form(call: Call[Target], *, of_session: bool = True) -> Query:
    """Return the fields of a form that one of our pages sent, for the session of the request where it has one.

    Without `of_session`, for any session: only the form that begins one is such.

    Raises: CrossSite, FormOutdated, QueryInvalid, and as `read_bounded`.
    """
    _require_own_page(call.request)
    form = Query((await read_bounded(call.body, MAX_FORM)).decode("ascii", "replace"))
    session = find_session(call.request, address_of(call.request, call.registry.origins)) if of_session else None
    if session is not None and not hmac.compare_digest(_token_of(form), form_token(session).encode()):
        raise FormOutdated
    return form


def local_path(text: str | None) -> str:
    """Return a path of one of our pages, to go to after a form; the first page for any other text."""
    return text if text is not None and _OURS.fullmatch(text) and "//" not in text.partition("?")[0] else "/"


def path_of(request: Request) -> str:
    """Return path and query of a request, as links write them."""
    query = f"?{request.query_string}" if request.query_string else ""
    return f"{quote(request.path)}{query}"


def _token_of(form: Query) -> bytes:
    return (form.find(TOKEN_FIELD) or "").encode("utf-8", "replace")


def _require_own_page(request: Request) -> None:
    """Require a browser's word that the form is ours; `refuse_cross_site` has refused those that say otherwise.

    Raises: CrossSite.
    """
    if "sec-fetch-site" not in request.headers and "origin" not in request.headers:
        raise CrossSite(note="a form without Sec-Fetch-Site and Origin")
