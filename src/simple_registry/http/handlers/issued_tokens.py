"""Issued tokens over HTTP: the caller's own, and those of all users for callers with every permission.

A token is created with a password, and has no more rights than its user. No token creates tokens, nor does anything
derived from one: a stolen token could outlive its expiry and its revocation. A token that is limited to scopes may only
revoke itself here.
"""

import asyncio
from collections.abc import Sequence

import msgspec

from simple_registry.access.caller import Source
from simple_registry.access.limits import GrantInvalid, parse_client_limit
from simple_registry.http.bodies import read_json
from simple_registry.http.call import Call
from simple_registry.http.events import Event, EventName
from simple_registry.http.messages import Headers, Response
from simple_registry.http.pagination import parse_page_request
from simple_registry.http.targets import IssuedTokenTarget, NoTarget, Target
from simple_registry.http.urls import next_page_link
from simple_registry.oci.errors import Denied, Unauthorized
from simple_registry.operations.issued_tokens import TokenRequestInvalid, TokenRow, check_scopes, token_document
from simple_registry.times import TimeInvalid, parse_duration, parse_moment

ALL_OWNERS = "*"
"""The `owner` that means all users, even if one has this name."""


class TokenRequest(msgspec.Struct, forbid_unknown_fields=True):
    """A token to create; at most one of `expiresIn` (seconds, or text such as `30d`) and `expiresAt`."""

    description: str = ""
    expiresIn: int | str | None = None  # noqa: N815 (the name on the wire)
    expiresAt: str | None = None  # noqa: N815 (the name on the wire)
    scopes: list[str] | None = None


async def list_tokens(call: Call[NoTarget]) -> Response:
    """tokens: list the caller's own tokens, or with `owner` those of another user or of all (`*`)."""
    require_unlimited(call)
    query = call.request.query()
    wanted = parse_page_request(query)
    asked = query.find("owner")
    if asked is not None and (asked == ALL_OWNERS or asked != call.identity.name) and not has_every_permission(call):
        raise Denied(owner=asked[:200])
    owner = None if asked == ALL_OWNERS else asked or call.identity.name
    page = await call.registry.tokens.page(owner, last=wanted.last, limit=wanted.limit)
    link: Headers = []
    if page.more:
        fields = {"owner": asked or call.identity.name, "n": str(wanted.limit), "last": page.rows[-1].token_id}
        link = [("link", next_page_link(call.request.path, fields))]
    return _reply(200, {"tokens": [token_document(row) for row in page.rows]}, link)


async def create_token(call: Call[NoTarget]) -> Response:
    """tokens: create a token of the caller; its secret is in this answer only."""
    require_creator(call)
    asked = await read_json(call.request, call.body, TokenRequest, TokenRequestInvalid)
    row, secret = await create_as_asked(call, asked)
    event = Event(EventName.TOKEN_CREATE, token=row.token_id, owner=row.owner)
    return _reply(201, {**token_document(row), "secret": secret}, events=(event,))


async def create_as_asked(call: Call[Target], asked: TokenRequest) -> tuple[TokenRow, str]:
    """Return a new token of a caller that may create one, and its secret.

    Raises: TokenRequestInvalid, TooManyTokens.
    """
    tokens = call.registry.tokens
    return await tokens.create(
        call.identity.name,
        asked.description,
        expires=_expires(asked, tokens.now()),
        scopes=await _scopes(asked),
        fingerprint=call.caller.proof.reference,
    )


async def revoke_token(call: Call[IssuedTokenTarget]) -> Response:
    """tokens: revoke a token of the caller, any token with every permission, or the token that is the credentials."""
    row = await call.registry.tokens.revoke(call.target.token_id, owner_to_revoke(call))
    event = Event(EventName.TOKEN_REVOKE, token=row.token_id, owner=row.owner)
    return Response(204, [("cache-control", "no-store")], events=(event,))


def owner_to_revoke(call: Call[IssuedTokenTarget]) -> str | None:
    """Return whose tokens the caller may revoke; `None` for those of all.

    Raises: Unauthorized, Denied.
    """
    caller = call.caller
    itself = (caller.proof.source, caller.proof.reference) == (Source.ISSUED_TOKEN, call.target.token_id)
    if caller.derived or not itself:
        require_unlimited(call)
    return None if has_every_permission(call) else call.identity.name


def require_creator(call: Call[Target]) -> None:
    """Require a caller that may create tokens.

    Raises: Unauthorized, Denied.
    """
    require_unlimited(call)
    if call.caller.proof.source is not Source.PASSWORD:
        raise Denied(reason="tokens are created with a password, not with another token")


def require_unlimited(call: Call[Target]) -> None:
    """Require an authenticated caller, whose credentials are not limited to scopes.

    Raises: Unauthorized, Denied.
    """
    if call.caller.proof.source is Source.ANONYMOUS:
        raise Unauthorized(note="anonymous callers have no tokens")
    if call.caller.limits:
        raise Denied(reason="a token that is limited to scopes manages no tokens")


def has_every_permission(call: Call[Target]) -> bool:
    """Return whether one binding gives the caller every permission, and its credentials have no limits."""
    return not call.caller.limits and call.policy.allows_everything(call.identity)


def _expires(asked: TokenRequest, now: float) -> float | None:
    if asked.expiresIn is not None and asked.expiresAt is not None:
        raise TokenRequestInvalid(reason="give expiresIn or expiresAt, not both")
    try:
        if asked.expiresIn is not None:
            return now + parse_duration(str(asked.expiresIn))
        return None if asked.expiresAt is None else parse_moment(asked.expiresAt)
    except TimeInvalid as error:
        raise TokenRequestInvalid(expires=str(error)) from None


async def _scopes(asked: TokenRequest) -> Sequence[str] | None:
    check_scopes(asked.scopes or ())
    try:
        await asyncio.to_thread(parse_client_limit, asked.scopes or ())
    except GrantInvalid as error:
        raise TokenRequestInvalid(scopes=str(error)) from None
    return asked.scopes


def _reply(
    status: int, document: dict[str, object], headers: Headers | None = None, events: Sequence[Event] = ()
) -> Response:
    fixed: Headers = [("content-type", "application/json"), ("cache-control", "no-store")]
    return Response(status, fixed + (headers or []), msgspec.json.encode(document), events)
