"""The web pages as `dispatch` sees them: which requests are for one, their callers, and the pages of errors."""

import asyncio
from contextlib import suppress
from dataclasses import replace

from simple_registry.access.caller import Caller
from simple_registry.authentication.authenticator import Authenticator
from simple_registry.faults import StorageFault
from simple_registry.http.call import Registry
from simple_registry.http.messages import Request, Response
from simple_registry.http.routes import Matched, find_endpoint
from simple_registry.metrics.requests import counted
from simple_registry.oci.errors import RegistryError
from simple_registry.ui.address import address_of
from simple_registry.ui.cookies import find_session
from simple_registry.ui.errors import error_page
from simple_registry.ui.links import HOME
from simple_registry.ui.page_routes import PAGE
from simple_registry.ui.render import load_templates
from simple_registry.ui.routes import UI_ROUTES

_PREFIX = "/ui"


class Site:
    """The web pages of a registry."""

    def __init__(self, registry: Registry, authenticator: Authenticator) -> None:
        self._registry = registry
        self._authenticator = authenticator
        self._prepared = False

    def wants(self, request: Request) -> bool:
        """Return whether a request is for a page. At `/` only browsers get one: they ask for HTML by its name."""
        path = request.path
        if path == HOME:
            return "text/html" in request.headers.get("accept", "")
        return path.startswith(_PREFIX) and path[len(_PREFIX) : len(_PREFIX) + 1] in {"", "/"}

    async def prepare(self) -> None:
        """Load all templates in a thread: compiling them takes a good part of a second, once."""
        if not self._prepared:
            await asyncio.to_thread(load_templates)
            self._prepared = True

    def resolve(self, method: str, path: str) -> Matched:
        """Return the endpoint of a page.

        Raises: as `routes.resolve`.
        """
        return replace(find_endpoint(UI_ROUTES, method, path), counted=counted(PAGE, method))

    async def authenticate(self, request: Request) -> Caller:
        """Return the caller whose web session the request belongs to, or an anonymous one.

        Raises: Unauthorized.
        """
        session = find_session(request, address_of(request, self._registry.origins))
        if session is None:
            return await self._authenticator.authenticate(None, request.client)
        return await self._registry.web_sessions.resume(session)

    async def error_page(
        self, request: Request, response: Response, error: RegistryError | None, caller: Caller | None
    ) -> Response:
        """Return the page for a failed request; without a known caller it is authenticated here."""
        if caller is None:
            with suppress(RegistryError, StorageFault):
                caller = await self.authenticate(request)
        return error_page(request, self._registry, response, error, caller)
