"""Credentials as clients use them: a challenge, a token for its scope, and the header of each further request."""

import base64
import json
import re
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from http import HTTPStatus
from urllib.parse import quote, urlencode, urljoin, urlsplit

from simple_registry.doctor.client import Address, Answer, Client, Request, parse_address

_PARAMETER = re.compile(r'([a-z_]+)="((?:[^"\\]|\\.)*)"', re.ASCII | re.IGNORECASE)
_JUNK = "Bearer simple-registry-doctor"
Report = Callable[[str, str], None]
"""Takes the id of a fault, and what was seen."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """A user and a password."""

    user: str
    password: str

    @property
    def header(self) -> str:
        """The value of `Authorization`."""
        return "Basic " + base64.b64encode(f"{self.user}:{self.password}".encode()).decode()

    def __repr__(self) -> str:
        return f"Credentials({self.user!r}, ***)"


@dataclass(frozen=True, slots=True)
class Challenge:
    """A `WWW-Authenticate` header."""

    scheme: str
    parameters: dict[str, str]


def parse_challenge(text: str) -> Challenge:
    """Return a challenge, with a scheme in lower case."""
    scheme, _, rest = text.strip().partition(" ")
    return Challenge(scheme.lower(), {name.lower(): value for name, value in _PARAMETER.findall(rest)})


def foreign(own: Address, url: str) -> str | None:
    """Return `scheme` or `host` if a URL, relative to `own`, leads clients elsewhere."""
    try:
        other = urlsplit(urljoin(f"{own}/", url))
        address = parse_address(f"{other.scheme}://{other.netloc}")
    except ValueError:
        return "host"
    if own.scheme == "https" and address.scheme == "http":
        return "scheme"
    return None if address == own else "host"


class Session:
    """Sends requests to a registry with credentials, or anonymously."""

    def __init__(self, client: Client, credentials: Credentials | None, report: Report) -> None:
        """Begin without a token."""
        self._client = client
        self._credentials = credentials
        self._report = report
        self._authorization = ""

    def ask(self, request: Request, *, timeout: float | None = None) -> Answer:
        """Return the answer to a request.

        Raises: DoctorFault.
        """
        if self._authorization:
            request = replace(request, headers={**request.headers, "Authorization": self._authorization})
        return self._client.send(request, timeout=timeout)

    def log_in(self, ping: Answer, scope: str) -> None:
        """Answer the challenge of a ping for a scope, and report what clients would stumble over.

        Raises: DoctorFault.
        """
        challenge = parse_challenge(ping.header("WWW-Authenticate"))
        if ping.status == HTTPStatus.UNAUTHORIZED and not challenge.scheme:
            self._report("challenge-lost", "GET /v2/: 401 without WWW-Authenticate")
        if challenge.scheme == "bearer":
            token = self._token(challenge, scope)
            self._authorization = f"Bearer {token}" if token else ""
        elif self._credentials:
            self._authorization = self._credentials.header
        if self._credentials and (self._authorization or challenge.scheme == "bearer"):
            self._check_login()

    def _check_login(self) -> None:
        if self.ask(Request(method="GET", path="/v2/")).status != HTTPStatus.UNAUTHORIZED:
            return
        junk = self._client.send(Request(method="GET", path="/v2/", headers={"Authorization": _JUNK}))
        challenge = parse_challenge(junk.header("WWW-Authenticate"))
        if challenge.scheme == "bearer" and "error" not in challenge.parameters:
            self._report(
                "authorization-lost", "GET /v2/ is 401 with credentials, and with a wrong token as without one"
            )
        else:
            self._report("credentials", "GET /v2/ is 401 with the user and password")

    def _token(self, challenge: Challenge, scope: str) -> str:
        realm = challenge.parameters.get("realm", "")
        kind = foreign(self._client.address, realm)
        if kind:
            self._report(f"realm-{kind}", f"GET /v2/: the realm is {realm}")
        for client in self._token_clients(realm, kind):
            answer = client.send(self._token_request(challenge, realm, scope))
            if answer.status == HTTPStatus.OK:
                with suppress(ValueError, AttributeError):
                    found = json.loads(answer.body)
                    return str(found.get("token") or found.get("access_token") or "")
            seen = f"GET {urlsplit(realm).path}: {answer.status}"
            self._report("credentials" if answer.status == HTTPStatus.UNAUTHORIZED else "token", seen)
            return ""
        return ""

    def _token_clients(self, realm: str, kind: str | None) -> list[Client]:
        """Return where to ask for a token. A password is never sent to an http:// address that https:// leads to."""
        other = urlsplit(realm)
        is_service = kind == "host" and other.scheme == "https" and "." in (other.hostname or "")
        if is_service and not re.fullmatch(r"[0-9.]+|.*\.(?:local|internal|lan)", other.hostname or ""):
            return [self._client.at(parse_address(f"https://{other.netloc}"))]
        return [self._client]

    def _token_request(self, challenge: Challenge, realm: str, scope: str) -> Request:
        query = {"service": challenge.parameters.get("service", ""), "scope": scope}
        query = {name: value for name, value in query.items() if value}
        headers = {"Authorization": self._credentials.header} if self._credentials else {}
        path = urlsplit(realm).path or "/"
        return Request(method="GET", path=f"{path}?{urlencode(query, quote_via=quote)}", headers=headers)
