"""The Docker token protocol: a short-lived token for credentials, or for none where anonymous users may call.

`GET` as docker, podman and containerd ask; `POST` with a form as OAuth 2 clients do (`password` and `refresh_token`
grants). A token carries the scopes that were asked for and that the policy gives the caller at that moment; it can do
no more than they say, and no more than the caller may when it is used.
"""

import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from simple_registry.access.caller import Caller, Source
from simple_registry.access.limits import ACTIONS, RequestedScope, parse_requested_scope
from simple_registry.access.permission import CATALOG_SCOPE, OF_REGISTRY, Permission, Resource
from simple_registry.access.signed import SignedClaims, TokenKind, TokenSigner
from simple_registry.clock import Clock
from simple_registry.http.authentication import Authenticator
from simple_registry.http.authorization import BasicCredentials, InvalidToken
from simple_registry.http.bodies import read_bounded
from simple_registry.http.call import Call, NoTarget
from simple_registry.http.handlers.replies import json_response
from simple_registry.http.messages import Query, Response
from simple_registry.oci.errors import RegistryError, Unauthorized

LARGEST_FORM = 64 * 1024
MOST_SCOPES = 100
REFRESH_LIFE = 30 * 24 * 3600
"""Seconds for which a refresh token is good, unless the credential behind it goes first."""

_VERBS = {"pull": ("GET",), "push": ("POST", "PUT"), "delete": ("DELETE",)}
_RESOURCES = (Resource.BLOBS, Resource.MANIFESTS, Resource.TAGS, Resource.REFERRERS)


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
    form = Query((await read_bounded(call.request.body, LARGEST_FORM)).decode("ascii", "replace"))
    service = call.registry.token_service
    match form.find("grant_type"):
        case "password":
            credentials = BasicCredentials(form.find("username") or "", form.find("password") or "")
            caller = await service.authenticator.log_in(credentials, call.request.client)
        case "refresh_token":
            caller = await service.authenticator.refresh(form.find("refresh_token") or "")
        case _:
            raise GrantUnsupported(grantTypes=["password", "refresh_token"])
    refreshable = form.find("access_type") == "offline" or form.find("grant_type") == "refresh_token"
    return _reply(call, caller, _scopes(form.all("scope")), refreshable=refreshable)


def _scopes(texts: Iterable[str]) -> Sequence[RequestedScope]:
    words = [word for text in texts for word in text.split(" ") if word]
    if len(words) > MOST_SCOPES:
        raise GrantUnsupported(reason=f"more than {MOST_SCOPES} scopes")
    return [scope for scope in map(parse_requested_scope, words) if scope is not None]


def _reply(call: Call[NoTarget], caller: Caller, asked: Sequence[RequestedScope], *, refreshable: bool) -> Response:
    if caller.expired:
        raise InvalidToken(note="an expired credential cannot be exchanged")
    service = call.registry.token_service
    now = int(service.clock.now())
    granted = tuple(scope.text(actions) for scope in asked if (actions := _granted(call, caller, scope)))
    life = service.life if caller.expires is None else min(service.life, int(caller.expires) - now)
    if life <= 0:
        raise Unauthorized(note="the credential ends within this second")
    token = service.signer.sign(_claims(caller, now, life, granted), TokenKind.ACCESS)
    document: dict[str, object] = {
        "token": token,
        "access_token": token,
        "token_type": "Bearer",
        "expires_in": life,
        "issued_at": datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "scope": " ".join(granted),
    }
    if refreshable and not caller.derived and caller.proof.source is not Source.ANONYMOUS:
        longest = REFRESH_LIFE if caller.expires is None else int(caller.expires) - now
        document["refresh_token"] = service.signer.sign(_claims(caller, now, longest, ()), TokenKind.REFRESH)
    return json_response(document, cache="no-store")


def _claims(caller: Caller, now: int, life: int, scopes: tuple[str, ...]) -> SignedClaims:
    return SignedClaims(
        subject=caller.identity.name,
        proof=caller.proof,
        issued=now,
        expires=now + life,
        token_id=secrets.token_hex(8),
        scopes=scopes,
    )


def _granted(call: Call[NoTarget], caller: Caller, scope: RequestedScope) -> Sequence[str]:
    """Return the actions of a scope that the caller has at least in part."""
    if scope.kind == "registry":
        resource = next((each for each in OF_REGISTRY if each == scope.name), None)
        allowed = resource is not None and call.may(caller, Permission("GET", resource, CATALOG_SCOPE))
        return ["*"] if allowed else []
    actions = ACTIONS if "*" in scope.actions else [action for action in ACTIONS if action in scope.actions]
    return [
        action
        for action in actions
        if any(
            call.may(caller, Permission(verb, resource, scope.name))
            for verb in _VERBS[action]
            for resource in _RESOURCES
        )
    ]
