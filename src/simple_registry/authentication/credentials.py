"""Credentials in `Authorization` headers (RFC 7617, RFC 6750). A wrong header is never treated as absent."""

import base64
import binascii
import re
from dataclasses import dataclass, field

from simple_registry.oci.errors import Unauthorized

MAX_HEADER = 32 * 1024
"""Bytes of a header."""

_TOKEN68 = re.compile(r"[A-Za-z0-9._~+/-]+=*", re.ASCII)


class CredentialsRejected(Unauthorized):
    """code-11: the credentials that were sent do not suffice. A bare `Unauthorized` only asks for some."""


class WrongCredentials(CredentialsRejected):
    """code-11: the credentials prove no user. The message is the same whether the user exists or not."""

    message = "authentication failed: wrong user name or password, or a token in its place that is not valid"


class InvalidToken(CredentialsRejected):
    """code-11: a token is not valid, or no longer."""

    message = "authentication failed: the token is not valid; it may have been revoked"


class ExpiredToken(InvalidToken):
    """code-11: a token was valid once."""

    message = "authentication failed: the token has expired"


class InsufficientScope(CredentialsRejected):
    """code-11: a token is valid but narrower than what its user may do; a wider one would suffice."""

    message = "the token's scopes do not allow this"


class LoginRequired(InsufficientScope):
    """code-11: an anonymous token has the scope, but anonymous callers may not do this; a user's token may suffice."""

    message = Unauthorized.message


@dataclass(frozen=True, slots=True)
class BasicCredentials:
    """A name and a password, or a token in its place."""

    name: str
    password: str = field(repr=False)


NO_CREDENTIALS = BasicCredentials("", "")
"""What some clients send (`Basic Og==`) when they have none."""


@dataclass(frozen=True, slots=True)
class BearerCredentials:
    """A token."""

    token: str = field(repr=False)


Credentials = BasicCredentials | BearerCredentials


def parse_authorization(header: str) -> Credentials:
    """Return the credentials of an `Authorization` header.

    Raises: Unauthorized.
    """
    scheme, _, value = header.strip(" \t").partition(" ")
    value = value.strip(" \t")
    if len(header) > MAX_HEADER:
        raise WrongCredentials(note="an Authorization header of unusual length")
    match scheme.lower():
        case "basic":
            return _parse_basic(value)
        case "bearer" if _TOKEN68.fullmatch(value):
            return BearerCredentials(value)
        case "bearer":
            raise InvalidToken(note="a malformed bearer token")
        case _:
            raise WrongCredentials(note="an authorization scheme other than Basic and Bearer")


def _parse_basic(value: str) -> BasicCredentials:
    try:
        name, colon, password = base64.b64decode(value, validate=True).decode("utf-8").partition(":")
    except (binascii.Error, ValueError) as error:
        raise WrongCredentials(note="unreadable Basic credentials") from error
    credentials = BasicCredentials(name, password)
    if not colon or (not name and credentials != NO_CREDENTIALS):
        raise WrongCredentials(note="Basic credentials without a name or a colon")
    return credentials
