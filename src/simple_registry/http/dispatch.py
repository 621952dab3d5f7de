"""The order in which a request is answered; the only code that knows it.

    route ──► identity ──► decision ──► handler ──► response
      └────────── every refusal ──────────┴──► error document

A handler runs only for a call that the policy allowed, and acts on a body only if that is still so when the body has
arrived (see `authorization`). Refusals and absence become error documents here, and nowhere else.
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
from simple_registry.faults import InReadOnlyMode, StorageFault, StorageFull, StorageReadOnly
from simple_registry.http.authorization import Authorization
from simple_registry.http.call import Call, Registry
from simple_registry.http.challenges import Challenger
from simple_registry.http.cross_site import refuse_cross_site
from simple_registry.http.error_responses import error_response, failure_response, refusal_response
from simple_registry.http.messages import Request, Response
from simple_registry.http.pages import Pages
from simple_registry.http.proxy_signs import ProxySigns
from simple_registry.http.routes import Matched, Need, resolve
from simple_registry.metrics.requests import NO_ENDPOINT
from simple_registry.oci.errors import (
    ReadOnlyForNow,
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
    """The response to a request, its caller, and what else the logs need."""

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
        return self.matched.endpoint.name if self.matched else NO_ENDPOINT

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
        pages: Pages | None = None,
    ) -> None:
        """Answer by the `rules` of each moment, with web pages where there are `pages`."""
        self._pages = pages
        self._clock = clock
        self._registry = registry
        self._authenticator = authenticator
        self._challenger = challenger
        self._proxies = proxies
        self._rules = rules
        self.failed_passwords = 0
        """Requests with a wrong password, or of an unknown user."""
        self.failed_tokens = 0
        """Requests with a token that is not valid."""

    async def dispatch(self, request: Request, outcome: Outcome) -> None:
        """Answer a request in its `outcome`; never raises but for cancellation, which leaves the response as it was."""
        # Until there is an answer the note is that of a client that left; it comes back if the request is cancelled.
        note, outcome.note = outcome.note, None
        pages = self._pages if self._pages is not None and self._pages.wants(request) else None
        await self._dispatch(request, outcome, pages, note)
        failed = outcome.response.status >= HTTPStatus.BAD_REQUEST
        if pages is not None and failed and not outcome.response.page:
            await self._show_error(request, outcome, pages)

    async def _show_error(self, request: Request, outcome: Outcome, pages: Pages) -> None:
        """Replace the document of an error by a page; if that fails, the document is the answer."""
        try:
            outcome.response = await pages.error_page(request, outcome.response, outcome.error, outcome.caller)
        except Exception:
            logger.exception("request %s failed, and so did the page that says so", request.id)

    async def _dispatch(self, request: Request, outcome: Outcome, pages: Pages | None, note: str | None) -> None:
        try:
            outcome.response = await self._answer(request, outcome, pages)
        except RegistryError as error:
            outcome.response, outcome.note, outcome.error = error_response(request, error), error.note, error
        except BodyMalformed as error:
            outcome.response = refusal_response(request, HTTPStatus.BAD_REQUEST, error.reason)
            outcome.note = f"malformed body: {error.reason}"
        except ContentInterrupted as error:
            refusal = SizeInvalid(received=error.received, announced=error.announced)
            outcome.response, outcome.note = error_response(request, refusal), "the body broke off"
        except BodyTooSlow as error:
            outcome.response = error_response(request, RequestTimeout(seconds=int(error.seconds)))
        except StorageFull as fault:
            logger.error("storage is full: %s", fault)  # noqa: TRY400 (the cause is the disk, not a line of code)
            outcome.response, outcome.note = error_response(request, StorageExhausted()), str(fault)
        except StorageReadOnly as fault:
            outcome.response, outcome.note = error_response(request, _not_writable(fault)), str(fault)
        except StorageFault as fault:
            logger.exception("request %s met a storage fault", request.id)
            outcome.response, outcome.note = error_response(request, Unavailable()), str(fault)
        except Exception as error:
            logger.exception("request %s failed", request.id)
            outcome.response, outcome.note = failure_response(request), type(error).__name__
        except BaseException:
            outcome.note = note
            raise

    async def _answer(self, request: Request, outcome: Outcome, pages: Pages | None) -> Response:
        if pages is None:
            matched = resolve(request.method, request.path)
        else:
            await pages.prepare()
            matched = pages.resolve(request.method, request.path)
        outcome.matched = matched
        refuse_cross_site(request)
        try:
            authorization = await self._decide(request, matched, pages)
            outcome.caller, outcome.identity = authorization.caller, authorization.caller.identity.name
            outcome.binding = _require(matched, authorization)
            if matched.changes:
                await self._registry.read_only.require_off()
            outcome.allowed = True
            return await matched.endpoint.handle(Call(request, matched.target, self._registry, authorization))
        except Unauthorized as error:
            challenge = self._challenger.challenge(
                request, error, matched.permission, anonymous=self._rules().anonymous is not None
            )
            outcome.note, outcome.error = error.note, error
            self._count_failure(error)
            self._proxies.observe(request)
            return error_response(request, error, challenge)

    def _count_failure(self, error: Unauthorized) -> None:
        """Count a 401 to credentials that were sent: in the header, or in the form of a token request."""
        if isinstance(error, InvalidToken):
            self.failed_tokens += 1
        elif isinstance(error, WrongCredentials):
            self.failed_passwords += 1

    async def _decide(self, request: Request, matched: Matched, pages: Pages | None) -> Authorization:
        """Return the authorization of a request as it begins, without any permission yet."""
        caller, rules = await self._identify(request, matched, pages)
        if caller.expired and not matched.endpoint.continues:
            raise ExpiredToken(note="an expired token")
        again = partial(self._identify, request, matched, pages)
        return Authorization(caller, rules, again=again, current=self._rules, clock=self._clock)

    async def _identify(self, request: Request, matched: Matched, pages: Pages | None) -> tuple[Caller, AccessRules]:
        """Return the caller of a request, and the rules under which it was authenticated.

        Raises: Unauthorized, TooManyRequests.
        """
        while True:
            rules = self._rules()
            caller = await self._caller(request, matched, pages, rules)
            if rules is self._rules():  # otherwise a reload came while a password waited for its turn
                return caller, rules

    async def _caller(self, request: Request, matched: Matched, pages: Pages | None, rules: AccessRules) -> Caller:
        if matched.endpoint.needs is Need.NOTHING:
            return NO_CALLER
        if pages is not None:
            return await pages.authenticate(request)
        login, now = request.login, self._clock.monotonic()
        if login is not None and (known := login.find(request.headers, rules, now)) is not None:
            return known
        caller = await self._authenticator.authenticate(request.headers.get("authorization"), request.client)
        if login is not None:
            login.keep(request.headers, rules, caller, now)
        return caller


def _not_writable(fault: StorageReadOnly) -> RegistryError:
    """Return the error of a change that the mode forbids, or that a disk prevents, which is logged as well."""
    if isinstance(fault, InReadOnlyMode):
        return ReadOnlyForNow(fault.reason)
    logger.error("storage is read-only: %s", fault)
    return StorageNotWritable()


def _require(matched: Matched, authorization: Authorization) -> str | None:
    """Require what an endpoint needs; return the binding that gives it, where one has to.

    Raises: Unauthorized, Denied.
    """
    needs = matched.endpoint.needs
    if needs in {Need.LOGIN, Need.EVERYTHING} and authorization.caller.sent_nothing:
        raise Unauthorized
    if needs is Need.EVERYTHING:
        authorization.require_everything()
    return None if matched.permission is None else authorization.require(matched.permission)


NO_CALLER = Caller(Identity("-"), Proof(Source.ANONYMOUS))
"""The caller of endpoints that need none; no binding can name it."""
