"""The rows of upload sessions, and the requests that hold them."""

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from simple_registry.storage.records import SessionRow


class SessionRows(Protocol):
    """Open upload sessions, and the requests that hold them."""

    def hold(self, session: str) -> AbstractAsyncContextManager[SessionRow | None]:
        """Hold a session, and return its present row; `None` if it has none, in which case it is held too.

        One request in all processes holds it, until the block or the process ends.

        Raises (on entering): SessionBusy, at once, when another request holds it.
        """

    async def add_session(self, row: SessionRow, *, limit: int, share: int) -> bool:
        """Add a new session without bytes. A power cut may undo this until the session is updated.

        Returns `False`, and changes nothing, if `limit` sessions are open, or `share` of this identity and client.
        """

    async def find_session(self, session: str) -> SessionRow | None:
        """Return the session."""

    async def claim_session(self, session: str) -> SessionRow | None:
        """Begin the next generation of a session for a newer request. Return its row, or `None` if it has ended.

        From then on no older request can update the row. A power cut may undo the claim: it ends both requests.
        """

    async def update_session(self, row: SessionRow) -> SessionRow | None:
        """Replace the session's row by `row` in its next generation. Return the new row.

        Returns `None`, and changes nothing, if the session has ended or has another generation than `row`.
        """

    async def remove_session(self, session: str) -> bool:
        """Remove the session. Return whether it existed."""

    async def count_sessions(self) -> int:
        """Return the number of open sessions."""

    async def page_sessions(self, after: str, limit: int) -> Sequence[SessionRow]:
        """Return open sessions, ordered by id, after `after`."""

    async def page_empty(
        self, identity: str, client: str, after: SessionRow | None, limit: int
    ) -> Sequence[SessionRow]:
        """Return empty sessions of an identity and a client, the longest untouched first, after `after`."""
