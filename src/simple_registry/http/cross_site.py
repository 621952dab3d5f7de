"""Requests that a page of another site makes a browser send: refused if they could change anything.

A browser sends some of them without a preflight, with the Basic credentials that it stores for this registry, or from
behind a firewall where none are needed. Clients of registries send neither of the two headers.
"""

from simple_registry.http.messages import Request
from simple_registry.oci.errors import Denied

SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
"""Methods that change nothing; the browser keeps their answers from pages of other sites."""

_OURS = frozenset({"same-origin", "none"})


class CrossSite(Denied):
    """code-12: a page of another site sent the request."""

    message = "requests from pages of other sites are refused"


def refuse_cross_site(request: Request) -> None:
    """Refuse a request from a page of another site, unless its method is safe.

    Raises: CrossSite.
    """
    if request.method in SAFE:
        return
    site, origin = request.headers.get("sec-fetch-site"), request.headers.get("origin")
    if site in _OURS:
        return
    if site is not None or (origin is not None and not _is_of(origin, request.host)):
        raise CrossSite(note=f"cross-site: Sec-Fetch-Site {site!r}, Origin {origin!r}"[:512])


def _is_of(origin: str, host: str) -> bool:
    """Return whether an origin has this host. `null` has none, and neither has an HTTP/1.0 request without `Host`."""
    named = origin.partition("://")[2]
    return bool(named) and named.lower() == host.lower()
