"""The authorization of a request: decided when its head has arrived, and again before it acts on its body.

    head ──► decided ──► body ···· decided again ···· end ──► decided again ──► the change

A body may take hours. If its user, its token or its binding was removed meanwhile, what the request was allowed when it
began no longer counts. That its credentials have expired since is no reason to refuse it: they were valid when it
began, and an upload may take longer than a token lives.
"""

from collections.abc import AsyncIterator, Awaitable, Callable

from simple_registry.access.caller import Caller, Source
from simple_registry.access.limits import scope_text
from simple_registry.access.permission import Permission
from simple_registry.access.policy import Allowed, Policy, TooNarrow, decide
from simple_registry.access.rules import AccessRules
from simple_registry.authentication.credentials import InsufficientScope, LoginRequired
from simple_registry.clock import Clock
from simple_registry.oci.errors import Denied, Unauthorized
from simple_registry.wire.exchange import Body

DECISION_LIFE = 1.0
"""Seconds for which a decision holds while the rules stay the same: tokens are revoked without new rules."""

Decide = Callable[[], Awaitable[tuple[Caller, AccessRules]]]
"""Returns the caller of a request, and the rules under which it was authenticated just now."""


class Authorization:
    """The caller of a request, the rules by which it was decided, and the permissions that it has needed so far."""

    __slots__ = ("_clock", "_current", "_decide", "_decided", "_everything", "_permissions", "caller", "rules")

    def __init__(
        self, caller: Caller, rules: AccessRules, *, again: Decide, current: Callable[[], AccessRules], clock: Clock
    ) -> None:
        """Begin with the first decision; `again` makes the next one, `current` returns the rules in force."""
        self.caller = caller
        self.rules = rules
        self._decide = again
        self._current = current
        self._clock = clock
        self._decided = clock.monotonic()
        self._permissions: list[Permission] = []
        self._everything = False

    @property
    def policy(self) -> Policy:
        """The policy of these rules."""
        return self.rules.policy

    def require(self, permission: Permission) -> str:
        """Require a permission, now and at every later decision; return the binding that gives it.

        Raises: as `require_permission`.
        """
        binding = require_permission(self.policy, self.caller, permission)
        self._permissions.append(permission)
        return binding

    def require_everything(self) -> None:
        """Require every permission by one binding, without limits, now and at every later decision.

        Raises: Denied.
        """
        if self.caller.limits or not self.policy.allows_everything(self.caller.identity):
            raise Denied(reason="this needs one binding that gives every permission")
        self._everything = True

    async def confirm(self) -> None:
        """Decide again, unless the last decision is recent and the rules are the same.

        Raises: Unauthorized, Denied, TooManyRequests.
        """
        now = self._clock.monotonic()
        if self.rules is self._current() and now - self._decided < DECISION_LIFE:
            return
        caller, self.rules = await self._decide()
        if caller.identity.name != self.caller.identity.name:
            raise Unauthorized(note="the credentials have become those of another user")
        self.caller, self._decided = caller, now
        for permission in self._permissions:
            require_permission(self.policy, caller, permission)
        if self._everything:
            self.require_everything()


class ConfirmedBody:
    """The body of a request, of which each piece, and the end, arrives only while the request is authorised."""

    def __init__(self, body: Body, authorization: Authorization) -> None:
        self._body = body
        self._authorization = authorization

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Yield chunks.

        Raises: as the body, and as `Authorization.confirm`.
        """
        async for chunk in self._body:
            await self._authorization.confirm()
            yield chunk
        await self._authorization.confirm()

    @property
    def announced(self) -> int | None:
        """`Content-Length` in bytes, or `None` for a body in chunks."""
        return self._body.announced

    @property
    def received(self) -> int:
        """Bytes that have arrived."""
        return self._body.received

    def reserve(self, size: int) -> bool:
        """Count bytes that the handler keeps in memory until it ends; return whether there is room for them."""
        return self._body.reserve(size)


def require_permission(policy: Policy, caller: Caller, permission: Permission) -> str:
    """Require that the caller has a permission; return the binding that gives it.

    Raises: Unauthorized when other credentials could help, Denied when the policy refuses the caller.
    """
    decision = decide(policy, caller, permission)
    if isinstance(decision, Allowed):
        return decision.binding
    if isinstance(decision, TooNarrow):
        raise InsufficientScope(note="the token's scopes do not reach that far", scope=scope_text(permission))
    if caller.sent_nothing:
        raise Unauthorized(note=decision.reason)
    if caller.proof.source is Source.ANONYMOUS:
        # Always with an `error`: docker treats a bare 401 as transient, and keeps retrying.
        raise LoginRequired(note=decision.reason)
    verb, resource, scope = permission
    raise Denied(note=decision.reason, verb=verb, resource=resource, scope=scope)
