"""The Docker token protocol: a short-lived token for credentials, or for none where anonymous users may call.

`GET` as docker, podman and containerd ask; `POST` with a form as OAuth 2 clients do (`password` and `refresh_token`
grants). A token is a limit: it carries the scopes that were asked for, and the policy decides when it is used. What
will be asked of it (which tag, which method) is not known here, so nothing is taken out that a narrow role might need.
"""

import secrets
from collections.abc import Iterable
from dataclasses import dataclass

from simple_registry.access.caller import Caller, Source
from simple_registry.access.limits import narrowed, parse_requested_scope
from simple_registry.access.signed import SignedClaims, TokenKind, TokenSigner
from simple_registry.clock import Clock
from simple_registry.http.authentication import Authenticator
from simple_registry.http.authorization import BasicCredentials, ExpiredToken
from simple_registry.http.bodies import read_bounded
from simple_registry.http.call import Call, NoTarget
from simple_registry.http.events import Event, EventName
from simple_registry.http.handlers.replies import json_response
from simple_registry.http.messages import Query, Response
from simple_registry.oci.errors import RegistryError

LARGEST_FORM = 64 * 1024
MOST_SCOPES = 100
REFRESH_LIFE = 30 * 24 * 3600
"""Seconds for which a refresh token is good, unless the credential behind it goes first."""


class GrantUnsupported(RegistryError):
    """code-13: a token request that this registry cannot answer."""

    code = "UNSUPPORTED"
    message = "unsupported token request"
    status = 400


@dataclass(frozen=True, slots=True)
class TokenService:
    """What gives out tokens: `life` is how long an access token is good, in seconds."""

    authenticator: Authenticator
    signer: TokenSigner
    clock: Clock
    life: int


async def get_token(call: Call[NoTarget]) -> Response:
    """token: give a token to whom the `Authorization` header proves, or to anonymous callers where there are some."""
    query = call.request.query()
    return _reply(call, call.caller, _scopes(query.all("scope")), refreshable=query.find("offline_token") == "true")


async def post_token(call: Call[NoTarget]) -> Response:
    """token: give a token for a form with a password or a refresh token (RFC 6749, sections 4.3 and 6)."""
    form = Query((await read_bounded(call.body, LARGEST_FORM)).decode("ascii", "replace"))
    authenticator, scopes = call.registry.token_service.authenticator, _scopes(form.all("scope"))
    match form.find("grant_type"):
        case "password":
            credentials = BasicCredentials(form.find("username") or "", form.find("password") or "")
            caller = await authenticator.log_in(credentials, call.request.client)
            return _reply(call, caller, scopes, refreshable=form.find("access_type") == "offline")
        case "refresh_token":
            caller = await authenticator.refresh(form.find("refresh_token") or "")
            return _reply(call, caller, scopes, refreshable=False)  # the one that was sent lives on
        case _:
            raise GrantUnsupported(grantTypes=["password", "refresh_token"])


def _scopes(texts: Iterable[str]) -> tuple[str, ...]:
    words = [word for text in texts for word in text.split(" ") if word]
    if len(words) > MOST_SCOPES:
        raise GrantUnsupported(reason=f"more than {MOST_SCOPES} scopes")
    return tuple(dict.fromkeys(scope for scope in map(parse_requested_scope, words) if scope is not None))


def _reply(call: Call[NoTarget], caller: Caller, scopes: tuple[str, ...], *, refreshable: bool) -> Response:
    if caller.expired:
        raise ExpiredToken(note="an expired credential cannot be exchanged")
    if caller.derived:  # what it was made for is the one limit that its proof does not know of
        scopes = tuple(left for scope in scopes if (left := narrowed(scope, caller.limits[-1])) is not None)
    service = call.registry.token_service
    now = int(service.clock.now())
    life = service.life if caller.expires is None else min(service.life, int(caller.expires) - now)
    if life <= 0:
        raise ExpiredToken(note="it ends within this second")
    token = service.signer.sign(_claims(caller, now, life, scopes), TokenKind.ACCESS)
    # Without `issued_at`, clients take their own clock for the time of issue; with it, they compare it with ours.
    document: dict[str, object] = {
        "token": token,
        "access_token": token,
        "token_type": "Bearer",
        "expires_in": life,
        "scope": " ".join(scopes),
    }
    events: tuple[Event, ...] = ()
    if refreshable and not caller.derived and caller.proof.source is not Source.ANONYMOUS:
        longest = REFRESH_LIFE if caller.expires is None else int(caller.expires) - now
        claims = _claims(caller, now, longest, ())
        document["refresh_token"] = service.signer.sign(claims, TokenKind.REFRESH)
        events = (Event(EventName.REFRESH_CREATE, token=claims.token_id, owner=claims.subject),)
    return json_response(document, cache="no-store", events=events)


def _claims(caller: Caller, now: int, life: int, scopes: tuple[str, ...]) -> SignedClaims:
    return SignedClaims(
        subject=caller.identity.name,
        proof=caller.proof,
        issued=now,
        expires=now + life,
        token_id=secrets.token_hex(8),
        scopes=scopes,
    )
