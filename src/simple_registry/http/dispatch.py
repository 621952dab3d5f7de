"""The order in which a request is answered; the only code that knows it.

    route ──► identity ──► decision ──► handler ──► response
      └────────── every refusal ──────────┴──► problem

A handler runs only for a call that the policy allowed, and acts on a body only if that is so when the body has arrived
(`standing`). Refusals and absence become problems here, and nowhere else.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus

from simple_registry.access.caller import Caller, Identity, Proof, Source
from simple_registry.access.rules import AccessRules
from simple_registry.authentication.authenticator import Authenticator
from simple_registry.authentication.credentials import ExpiredToken, InvalidToken, WrongCredentials
from simple_registry.clock import Clock
from simple_registry.content import ContentInterrupted
from simple_registry.faults import StorageFault, StorageFull, StorageReadOnly
from simple_registry.http.call import Registry
from simple_registry.http.challenges import Challenger
from simple_registry.http.cross_site import refuse_cross_site
from simple_registry.http.messages import Request, Response
from simple_registry.http.problems import failure_response, problem_response, refusal_response
from simple_registry.http.proxy_signs import ProxySigns
from simple_registry.http.routes import Entry, Matched, resolve
from simple_registry.http.standing import Standing
from simple_registry.metrics.requests import NO_ENDPOINT
from simple_registry.oci.errors import (
    RegistryError,
    RequestTimeout,
    SizeInvalid,
    StorageExhausted,
    StorageNotWritable,
    Unauthorized,
    Unavailable,
)
from simple_registry.wire.exchange import BodyMalformed, BodyTooSlow

logger = logging.getLogger("simple_registry")


@dataclass(slots=True)
class Outcome:
    """The response to a request, who asked, and what the log should know besides."""

    response: Response
    identity: str = "-"
    note: str | None = None
    matched: Matched | None = None
    caller: Caller | None = None
    allowed: bool = False
    """Whether its handler was called."""
    binding: str | None = None
    """The binding that allowed it, where one had to."""
    error: RegistryError | None = None

    @property
    def endpoint(self) -> str:
        """The name of the endpoint."""
        return self.matched.name if self.matched else NO_ENDPOINT

    @property
    def reason(self) -> str | None:
        """Why it was refused, or what failed."""
        stated = self.error.facts.get("reason") if self.error else None
        return self.note or (str(stated) if stated else None)


class Dispatcher:
    """Answers requests."""

    def __init__(
        self,
        registry: Registry,
        authenticator: Authenticator,
        challenger: Challenger,
        proxies: ProxySigns,
        *,
        rules: Callable[[], AccessRules],
        clock: Clock,
    ) -> None:
        """Answer with these operations, to whom `authenticator` knows, what the current `rules` allow."""
        self._clock = clock
        self._registry = registry
        self._authenticator = authenticator
        self._challenger = challenger
        self._proxies = proxies
        self._rules = rules
        self.failed_passwords = 0
        """Requests with a wrong password, or of an unknown user."""
        self.failed_tokens = 0
        """Requests with a token that is no good."""

    async def dispatch(self, request: Request, outcome: Outcome) -> None:
        """Answer a request in its `outcome`; never raises but for cancellation, which leaves the response as it was."""
        note, outcome.note = outcome.note, None
        try:
            outcome.response = await self._answer(request, outcome)
        except RegistryError as error:
            outcome.response, outcome.note, outcome.error = problem_response(request, error), error.note, error
        except BodyMalformed as error:
            outcome.response = refusal_response(request, HTTPStatus.BAD_REQUEST, error.reason)
            outcome.note = f"malformed body: {error.reason}"
        except ContentInterrupted as error:
            refusal = SizeInvalid(received=error.received, announced=error.announced)
            outcome.response, outcome.note = problem_response(request, refusal), "the body broke off"
        except BodyTooSlow as error:
            outcome.response = problem_response(request, RequestTimeout(seconds=int(error.seconds)))
        except StorageFull as fault:
            logger.error("storage is full: %s", fault)  # noqa: TRY400 (the cause is the disk, not a line of code)
            outcome.response, outcome.note = problem_response(request, StorageExhausted()), str(fault)
        except StorageReadOnly as fault:
            logger.error("storage is read-only: %s", fault)  # noqa: TRY400 (as above)
            outcome.response, outcome.note = problem_response(request, StorageNotWritable()), str(fault)
        except StorageFault as fault:
            logger.exception("request %s met a storage fault", request.id)
            outcome.response, outcome.note = problem_response(request, Unavailable()), str(fault)
        except Exception as error:
            logger.exception("request %s failed", request.id)
            outcome.response, outcome.note = failure_response(request), type(error).__name__
        except BaseException:
            outcome.note = note
            raise

    async def _answer(self, request: Request, outcome: Outcome) -> Response:
        matched = resolve(request.method, request.path)
        outcome.matched = matched
        refuse_cross_site(request)
        try:
            standing = await self._decide(request, matched)
            outcome.caller, outcome.identity = standing.caller, standing.caller.identity.name
            outcome.binding = _require(matched, standing)
            outcome.allowed = True
            return await matched.answer(request, self._registry, standing)
        except Unauthorized as error:
            challenge = self._challenger.challenge(
                request, error, matched.permission, anonymous=self._rules().anonymous is not None
            )
            outcome.note, outcome.error = error.note, error
            self._count_failure(error)
            self._proxies.look(request)
            return problem_response(request, error, challenge)

    def _count_failure(self, error: Unauthorized) -> None:
        """Count a 401 to credentials that were sent: in the header, or in the form of a token request."""
        if isinstance(error, InvalidToken):
            self.failed_tokens += 1
        elif isinstance(error, WrongCredentials):
            self.failed_passwords += 1

    async def _decide(self, request: Request, matched: Matched) -> Standing:
        """Return what a request stands on as it begins.

        Raises: as `_identify`.
        """
        caller, rules = await self._identify(request, matched)
        if caller.expired and not matched.continues:
            raise ExpiredToken(note="an expired token")
        again = partial(self._identify, request, matched)
        return Standing(caller, rules, again=again, current=self._rules, clock=self._clock)

    async def _identify(self, request: Request, matched: Matched) -> tuple[Caller, AccessRules]:
        """Return the caller of a request, and the rules under which it is that: those of one moment.

        Raises: Unauthorized, TooManyRequests.
        """
        while True:
            rules = self._rules()
            caller = await self._caller(request, matched, rules)
            if rules is self._rules():  # a password may have waited for its turn
                return caller, rules

    async def _caller(self, request: Request, matched: Matched, rules: AccessRules) -> Caller:
        if matched.needs is Entry.PUBLIC:
            return NOBODY
        login, now = request.login, self._clock.monotonic()
        if login is not None and (known := login.find(request.headers, rules, now)) is not None:
            return known
        caller = await self._authenticator.authenticate(request.headers.get("authorization"), request.client)
        if login is not None:
            login.keep(request.headers, rules, caller, now)
        return caller


def _require(matched: Matched, standing: Standing) -> str | None:
    """Insist on what an endpoint needs; return the binding that gives it, where one has to.

    Raises: Unauthorized, Denied.
    """
    if matched.needs is Entry.LOGIN and standing.caller.sent_nothing:
        raise Unauthorized
    return None if matched.permission is None else standing.require(matched.permission)


NOBODY = Caller(Identity("-"), Proof(Source.ANONYMOUS))
"""The caller of endpoints that need nobody; no binding can name it."""
