"""The order in which a request is answered; the only code that knows it.

    route ──► identity ──► decision ──► handler ──► response
      └────────── every refusal ──────────┴──► problem

A handler runs only for a call that the policy allowed. Refusals and absence become problems here, and nowhere else.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass

from simple_registry.access.identity import ANONYMOUS, Identity
from simple_registry.access.permission import Permission
from simple_registry.access.policy import Allowed, Policy
from simple_registry.content import ContentInterrupted
from simple_registry.faults import StorageFault, StorageFull
from simple_registry.http.authentication import Authenticator
from simple_registry.http.call import Registry
from simple_registry.http.messages import Request, Response
from simple_registry.http.problems import failure_response, problem_response
from simple_registry.http.routes import Entry, resolve
from simple_registry.oci.errors import Denied, RegistryError, SizeInvalid, StorageExhausted, Unauthorized, Unavailable

logger = logging.getLogger("simple_registry")


@dataclass(slots=True)
class Outcome:
    """The response to a request, who asked, and what the log should know besides."""

    response: Response
    identity: Identity = ANONYMOUS
    note: str | None = None


class Dispatcher:
    """Answers requests."""

    def __init__(self, registry: Registry, authenticator: Authenticator, policy: Policy) -> None:
        """Answer with these operations, to whom `authenticator` knows, what `policy` allows."""
        self._registry = registry
        self._authenticator = authenticator
        self._policy = policy

    async def dispatch(self, request: Request) -> Outcome:
        """Answer a request; never raises but for cancellation."""
        outcome = Outcome(_NO_RESPONSE)
        try:
            outcome.response = await self._answer(request, outcome)
        except RegistryError as error:
            outcome.response, outcome.note = problem_response(request, error), error.note
        except ContentInterrupted as error:
            outcome.response = problem_response(
                request, SizeInvalid(received=error.received, announced=error.announced)
            )
        except StorageFull as fault:
            logger.error("storage is full: %s", fault)  # noqa: TRY400 (the cause is the disk, not a line of code)
            outcome.response, outcome.note = problem_response(request, StorageExhausted()), str(fault)
        except StorageFault as fault:
            logger.exception("request %s met a storage fault", request.id)
            outcome.response, outcome.note = problem_response(request, Unavailable()), str(fault)
        except Exception as error:
            logger.exception("request %s failed", request.id)
            outcome.response, outcome.note = failure_response(request), type(error).__name__
        return outcome

    async def _answer(self, request: Request, outcome: Outcome) -> Response:
        matched = resolve(request.method, request.path)
        if matched.needs is not Entry.PUBLIC:
            outcome.identity = await self._authenticator.authenticate(request.headers.get("authorization"))
        if matched.permission is not None:
            self._require(outcome.identity, matched.permission)
        return await matched.answer(request, outcome.identity, self._registry, self._decide(outcome.identity))

    def _require(self, identity: Identity, permission: Permission) -> None:
        decision = self._policy.decide(identity, permission)
        if isinstance(decision, Allowed):
            return
        if identity == ANONYMOUS:
            raise Unauthorized(note=decision.reason)
        verb, resource, scope = permission
        raise Denied(note=decision.reason, verb=verb, resource=resource, scope=scope)

    def _decide(self, identity: Identity) -> Callable[[Permission], object]:
        return lambda permission: self._policy.decide(identity, permission)


_NO_RESPONSE = Response(500)
