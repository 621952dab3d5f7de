"""The rows of issued tokens, and of web sessions that ended."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from simple_registry.storage.records import TokenRow


class TokenRows(Protocol):
    """Issued tokens. A revoked token has no row; an expired one keeps it for a while."""

    async def find_token(self, secret_hash: bytes) -> TokenRow | None:
        """Return the token whose secret has this hash."""

    async def find_token_by_id(self, token_id: str) -> TokenRow | None:
        """Return the token with this id."""

    async def page_tokens(self, owner: str | None, after: str | None, limit: int) -> Sequence[TokenRow]:
        """Return tokens of this owner, or of all, ordered by id, after `after`."""

    async def add_token(self, row: TokenRow, *, limit: int) -> bool:
        """Add a token. Returns `False`, and changes nothing, if its owner already has `limit` tokens."""

    async def remove_token(self, token_id: str) -> bool:
        """Remove a token. Return whether it existed."""

    async def touch_token(self, token_id: str, when: float) -> None:
        """Record a use of a token, if the token exists and has no later one. A power cut may undo this."""

    async def remove_expired_tokens(self, before: float) -> int:
        """Remove the tokens that expired before this time. Return their number."""

    async def token_owners(self) -> Mapping[str, float | None]:
        """Return the owners of tokens, each with the time of the mark that all its tokens have, or `None`."""

    async def mark_owner(self, owner: str, unknown_since: float | None) -> None:
        """Mark all tokens of an owner as those of an unknown user since a time; `None` removes the marks."""

    async def remove_tokens_of(self, owner: str) -> Sequence[TokenRow]:
        """Remove the tokens of an owner. Return them."""


class EndedWebSessionRows(Protocol):
    """Web sessions that ended before they expired; the others have no row."""

    async def has_ended(self, session_id: str) -> bool:
        """Return whether a web session ended."""

    async def end_web_session(self, session_id: str, expires: float) -> None:
        """Record that a web session, which would expire at this time, ended."""

    async def forget_web_sessions(self, before: float) -> int:
        """Remove the rows of web sessions that would have expired before this time. Return their number."""
