"""The cookie of a web session.

Its name has the port, because all registries on one host share their cookies. Over TLS it has the prefix `__Host-`, so
that no other host can set it. `Strict`: links from other sites arrive without it.
"""

import re

from simple_registry.http.messages import Request
from simple_registry.ui.address import Address

_NAME = "simple-registry-"
_VALUE = re.compile(r"[A-Za-z0-9._~-]+", re.ASCII)


def cookie_name(address: Address) -> str:
    """Return the name of the cookie at an address."""
    prefix = "__Host-" if address.secure else ""
    return f"{prefix}{_NAME}{address.port}"


def find_session(request: Request, address: Address) -> str | None:
    """Return the token of the web session that a request belongs to."""
    wanted = cookie_name(address)
    for pair in request.headers.get("cookie", "").split(";"):
        name, _, value = pair.strip(" \t").partition("=")
        if name == wanted and _VALUE.fullmatch(value):
            return value
    return None


def session_cookie(token: str, life: int, address: Address) -> tuple[str, str]:
    """Return the header that keeps the token of a web session in a browser, for `life` seconds."""
    flags = "Path=/; HttpOnly; SameSite=Strict" + ("; Secure" if address.secure else "")
    return "set-cookie", f"{cookie_name(address)}={token}; Max-Age={life}; {flags}"


def no_session_cookie(address: Address) -> tuple[str, str]:
    """Return the header that removes the cookie."""
    return session_cookie("", 0, address)
