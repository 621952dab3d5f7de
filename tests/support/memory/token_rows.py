"""Issued tokens in memory."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from simple_registry.storage.records import TokenRow


class MemoryTokenRows:
    """The issued tokens, by id."""

    def __init__(self) -> None:
        """Start empty."""
        super().__init__()
        self._tokens: dict[str, TokenRow] = {}
        self._unknown_since: dict[str, float] = {}
        """Marks by id."""

    async def find_token(self, secret_hash: bytes) -> TokenRow | None:
        """Return the token whose secret has this hash."""
        return next((row for row in self._tokens.values() if row.secret_hash == secret_hash), None)

    async def find_token_by_id(self, token_id: str) -> TokenRow | None:
        """Return the token with this id."""
        return self._tokens.get(token_id)

    async def page_tokens(self, owner: str | None, after: str | None, limit: int) -> Sequence[TokenRow]:
        """Return tokens of this owner, or of all, ordered by id, after `after`."""
        ids = sorted(row.token_id for row in self._tokens.values() if owner in (None, row.owner))
        return [self._tokens[token_id] for token_id in ids if after is None or token_id > after][:limit]

    async def add_token(self, row: TokenRow, *, limit: int) -> bool:
        """Add a token. Returns `False`, and changes nothing, if its owner already has `limit` tokens."""
        if sum(kept.owner == row.owner for kept in self._tokens.values()) >= limit:
            return False
        self._tokens[row.token_id] = row
        return True

    async def remove_token(self, token_id: str) -> bool:
        """Remove a token. Return whether it existed."""
        return self._tokens.pop(token_id, None) is not None

    async def touch_token(self, token_id: str, when: float) -> None:
        """Record a use of a token, if the token exists and has no later one."""
        row = self._tokens.get(token_id)
        if row is not None and (row.last_used is None or row.last_used < when):
            self._tokens[token_id] = replace(row, last_used=when)

    async def remove_expired_tokens(self, before: float) -> int:
        """Remove the tokens that expired before this time. Return their number."""
        expired = [row.token_id for row in self._tokens.values() if row.expires is not None and row.expires < before]
        for token_id in expired:
            del self._tokens[token_id]
        return len(expired)

    async def token_owners(self) -> Mapping[str, float | None]:
        """Return the owners of tokens, each with the time of the mark that all its tokens have, or `None`."""
        found: dict[str, float | None] = {}
        for row in self._tokens.values():
            since, before = self._unknown_since.get(row.token_id), found.setdefault(row.owner, 0.0)
            found[row.owner] = None if since is None or before is None else max(since, before)
        return found

    async def mark_owner(self, owner: str, unknown_since: float | None) -> None:
        """Mark all tokens of an owner as those of an unknown user since a time; `None` removes the marks."""
        for token_id in self._ids_of(owner):
            self._unknown_since.pop(token_id, None)
            if unknown_since is not None:
                self._unknown_since[token_id] = unknown_since

    async def remove_tokens_of(self, owner: str) -> Sequence[TokenRow]:
        """Remove the tokens of an owner. Return them."""
        return [self._tokens.pop(token_id) for token_id in self._ids_of(owner)]

    def _ids_of(self, owner: str) -> list[str]:
        return [row.token_id for row in self._tokens.values() if row.owner == owner]
