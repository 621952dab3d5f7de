"""What `dispatch` needs of the web pages: their endpoints, who asks for one, and errors as pages.

The cookie of a web session counts for a page, and an `Authorization` header for everything else. Which of the two it
is depends on the path alone.
"""

from typing import Protocol

from simple_registry.access.caller import Caller
from simple_registry.http.messages import Request, Response
from simple_registry.http.routes import Matched
from simple_registry.oci.errors import RegistryError


class Pages(Protocol):
    """The web pages."""

    def wants(self, request: Request) -> bool:
        """Return whether a request is for a page."""

    async def prepare(self) -> None:
        """Load what pages are made of, before the first one."""

    def resolve(self, method: str, path: str) -> Matched:
        """Return the endpoint of a page.

        Raises: as `routes.resolve`.
        """

    async def authenticate(self, request: Request) -> Caller:
        """Return the caller that the cookie of a request proves.

        Raises: Unauthorized.
        """

    async def error_page(
        self, request: Request, response: Response, error: RegistryError | None, caller: Caller | None
    ) -> Response:
        """Return the response to a request for a page that failed, as a page."""
