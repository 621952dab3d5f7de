"""Issued tokens: the caller's own, and for administrators the tokens of all users."""

from simple_registry.access.caller import Source
from simple_registry.http.call import Call
from simple_registry.http.events import Event, EventName
from simple_registry.http.handlers.issued_tokens import (
    TokenRequest,
    create_as_asked,
    has_every_permission,
    owner_to_revoke,
    require_creator,
    require_unlimited,
)
from simple_registry.http.messages import Response
from simple_registry.http.targets import IssuedTokenTarget, NoTarget
from simple_registry.operations.issued_tokens import TokenUnknown
from simple_registry.ui.forms import read_form
from simple_registry.ui.links import change_of, page_url
from simple_registry.ui.render import page, redirect

PAGE_SIZE = 50
LIVES = ("1d", "7d", "30d", "90d", "365d", "never")
"""What the form offers; the third is chosen."""

DONE = frozenset({"revoked"})
"""What the page can report."""


async def show_tokens(call: Call[NoTarget]) -> Response:
    """page: the tokens of the caller, or with `all` the tokens of all users, and the form for a new one."""
    require_unlimited(call)
    query = call.request.query()
    administrator = has_every_permission(call)
    everyone = administrator and query.find("all") is not None
    owner = None if everyone else call.identity.name
    last = query.find("after")
    found = await call.registry.tokens.page(owner, last=last, limit=PAGE_SIZE)
    fields = {"all": "yes" if everyone else None}
    return page(
        call,
        "tokens.html",
        rows=found.rows,
        everyone=everyone,
        administrator=administrator,
        creates=call.caller.proof.source is Source.PASSWORD,
        lives=LIVES,
        done=change_of(query, DONE),
        first=page_url("tokens", **fields) if last else None,
        following=page_url("tokens", **fields, after=found.rows[-1].token_id) if found.more else None,
    )


async def create_token(call: Call[NoTarget]) -> Response:
    """page: create a token of the caller, and show its secret, which no other page does."""
    require_creator(call)
    form = await read_form(call)
    life, scopes = form.find("expires") or "", (form.find("scopes") or "").split()
    asked = TokenRequest(
        description=(form.find("description") or "").strip(),
        expiresIn=None if life == "never" else life,
        scopes=scopes or None,
    )
    row, secret = await create_as_asked(call, asked)
    event = Event(EventName.TOKEN_CREATE, token=row.token_id, owner=row.owner)
    return page(call, "token_created.html", status=201, events=(event,), row=row, secret=secret)


async def show_revoking(call: Call[IssuedTokenTarget]) -> Response:
    """page: what revoking a token would do."""
    owner = owner_to_revoke(call)
    row = await call.registry.tokens.get(call.target.token_id)
    if row is None or owner not in (None, row.owner):
        raise TokenUnknown(token=call.target.token_id[:64])
    return page(call, "token_revoke.html", row=row)


async def revoke_token(call: Call[IssuedTokenTarget]) -> Response:
    """page: revoke a token."""
    await read_form(call)
    row = await call.registry.tokens.revoke(call.target.token_id, owner_to_revoke(call))
    event = Event(EventName.TOKEN_REVOKE, token=row.token_id, owner=row.owner)
    everyone = None if row.owner == call.identity.name else "yes"
    return redirect(page_url("tokens", all=everyone, done="revoked"), events=(event,))
