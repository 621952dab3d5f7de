"""The registry as an application of HTTP: an exchange becomes a `Request`, and its `Response` is sent and logged.

Input that never became a request is answered here too, so that every error has a document, an id, and a line in the
access log.
"""

import asyncio
import itertools
import secrets
from collections.abc import Callable, Sequence
from contextlib import suppress
from http import HTTPStatus

from simple_registry.authentication.recent_logins import ConnectionLogin
from simple_registry.clock import Clock
from simple_registry.faults import ContentGone, StorageFault
from simple_registry.http.access_log import Write, access_fields, write_record
from simple_registry.http.dispatch import Dispatcher, Outcome
from simple_registry.http.error_responses import error_response, refusal_response
from simple_registry.http.messages import NO_BODY, Request, Response
from simple_registry.metrics.requests import NO_ENDPOINT, OTHER, counted
from simple_registry.oci.errors import Unavailable
from simple_registry.request_id import REQUEST_ID
from simple_registry.wire.answers import SAFE_HEADERS
from simple_registry.wire.exchange import CannotSend, ClientGone, Exchange
from simple_registry.wire.heads import RequestRefused

EVERYWHERE = (("docker-distribution-api-version", "registry/2.0"), *SAFE_HEADERS)
"""Header lines of every answer but those for browsers."""

NO_SNIFFING = SAFE_HEADERS[:1]
"""The header line of those, which state a policy of their own: two would both apply."""

CLIENT_GONE = Response(499)
"""Logged when the client left before any of its answer was sent; the status is nginx's for this."""

Observe = Callable[[str, int, float, int, int], None]
"""Takes what `counted` calls the endpoint, status, seconds, and bytes received and sent of every request."""


class HttpApplication:
    """Answers exchanges."""

    def __init__(
        self,
        dispatcher: Dispatcher,
        *,
        clock: Clock,
        observe: Observe,
        log: Write = write_record,
        audit: Callable[[Request, Outcome], None] | None = None,
    ) -> None:
        self._dispatcher = dispatcher
        self._clock = clock
        self._observe = observe
        self._log = log
        self._audit = audit
        self._id_prefix = secrets.token_hex(6)
        self._ids = itertools.count(1)

    async def __call__(self, exchange: Exchange) -> None:
        """Answer one request."""
        started = self._clock.monotonic()
        head, login = exchange.head, exchange.cached
        if not isinstance(login, ConnectionLogin):
            exchange.cached = login = ConnectionLogin()
        request = Request(
            method=head.method,
            path=head.path,
            query_string=head.query,
            headers=head.headers,
            body=exchange.body,
            id=self._next_id(),
            client=exchange.client.address,
            account=exchange.client.account or exchange.client.address,
            peer=exchange.peer,
            host=head.host,
            secure=exchange.secure,
            login=login,
        )
        REQUEST_ID.set(request.id)
        outcome = Outcome(CLIENT_GONE, note="ended before it was answered")
        try:
            await self._dispatch(request, outcome)
            await self._send(exchange, request, outcome)
        except asyncio.CancelledError:
            # The process ends: whether a write under way takes effect is not known here.
            if self._audit is not None and outcome.response is CLIENT_GONE:
                self._audit(request, outcome)
            raise
        finally:
            seconds, response = self._clock.monotonic() - started, outcome.response
            sent = 0 if head.method == "HEAD" else response.size
            name = outcome.matched.counted if outcome.matched else counted(NO_ENDPOINT, head.method)
            self._observe(name, response.status, seconds, exchange.body.received, sent)
            self._log(access_fields(request, outcome, seconds=seconds))

    def refuse(self, peer: str, refused: RequestRefused) -> Response:
        """Return the answer to what never became a request."""
        request = Request(method="-", path="-", query_string="", headers={}, body=NO_BODY, id=self._next_id())
        response = refusal_response(request, refused.status, refused.reason)
        self._observe(counted(NO_ENDPOINT, OTHER), response.status, 0.0, 0, response.size)
        fields = {
            "method": "-",
            "path": "-",
            "status": response.status,
            "size": response.size,
            "client": peer,
            "request": request.id,
            "note": refused.reason,
        }
        self._log(fields)
        headers = [*response.headers, *EVERYWHERE, ("x-request-id", request.id)]
        return Response(response.status, headers, response.content)

    async def _dispatch(self, request: Request, outcome: Outcome) -> None:
        await self._dispatcher.dispatch(request, outcome)
        response = outcome.response
        # Most answers are reads that succeeded; asking the audit log about them would cost as much as counting.
        if self._audit is not None and (response.events or response.status > HTTPStatus.BAD_REQUEST):
            self._audit(request, outcome)

    async def _send(self, exchange: Exchange, request: Request, outcome: Outcome) -> None:
        further = (*(NO_SNIFFING if outcome.response.page else EVERYWHERE), ("x-request-id", request.id))
        try:
            try:
                await self._send_content(exchange, request, outcome, further)
            except (CannotSend, StorageFault) as cause:
                outcome.response, outcome.note = error_response(request, Unavailable()), str(cause)
                await exchange.send(outcome.response, *further)
        except ClientGone as cause:
            outcome.note = str(cause)
            if not cause.started:
                outcome.response = CLIENT_GONE

    async def _send_content(
        self, exchange: Exchange, request: Request, outcome: Outcome, further: Sequence[tuple[str, str]]
    ) -> None:
        """Send the answer. Content that is gone after it was opened, before any of it was sent, is looked for again."""
        with suppress(ContentGone):
            return await exchange.send(outcome.response, *further)
        # A push may have replaced it by now; otherwise the handler does not find it either, and this is a 404.
        await self._dispatch(request, outcome)
        with suppress(ContentGone):
            return await exchange.send(outcome.response, *further)
        # It is found, and still cannot be read. Clients would never push what a HEAD reports as there.
        if outcome.response.mark_damaged is not None:
            await outcome.response.mark_damaged()
        await self._dispatch(request, outcome)
        return await exchange.send(outcome.response, *further)

    def _next_id(self) -> str:
        return f"{self._id_prefix}-{next(self._ids):x}"
