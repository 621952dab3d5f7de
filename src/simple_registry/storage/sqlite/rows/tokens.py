"""The rows of issued tokens."""

import json
from collections.abc import Mapping, Sequence

import apsw

from simple_registry.storage.records import TokenRow
from simple_registry.storage.sqlite.engine.database import Database, Row, Value

_COLUMNS = "token_id, secret_hash, owner, description, created, expires, scopes, fingerprint, last_used"
_FIND = f"SELECT {_COLUMNS} FROM tokens WHERE secret_hash = ?"
_FIND_BY_ID = f"SELECT {_COLUMNS} FROM tokens WHERE token_id = ?"
_PAGE = f"SELECT {_COLUMNS} FROM tokens WHERE token_id > ? ORDER BY token_id LIMIT ?"
_PAGE_OF_OWNER = f"SELECT {_COLUMNS} FROM tokens WHERE owner = ? AND token_id > ? ORDER BY token_id LIMIT ?"
_COUNT_OF_OWNER = "SELECT count(*) FROM tokens WHERE owner = ?"
_ADD = f"INSERT INTO tokens ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
_REMOVE = "DELETE FROM tokens WHERE token_id = ?"
_TOUCH = "UPDATE tokens SET last_used = ?1 WHERE token_id = ?2 AND coalesce(last_used, ?1 - 1) < ?1"
_REMOVE_EXPIRED = "DELETE FROM tokens WHERE expires < ?"
_OWNERS = """
SELECT owner, CASE WHEN count(unknown_since) = count(*) THEN max(unknown_since) END FROM tokens GROUP BY owner
"""
_MARK_OWNER = "UPDATE tokens SET unknown_since = ? WHERE owner = ?"
_REMOVE_OF_OWNER = f"DELETE FROM tokens WHERE owner = ? RETURNING {_COLUMNS}"


class SqliteTokenRows:
    """The issued tokens."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def find_token(self, secret_hash: bytes) -> TokenRow | None:
        """Return the token whose secret has this hash."""
        row = self._database.row(_FIND, secret_hash.hex())
        return None if row is None else _token(row)

    async def find_token_by_id(self, token_id: str) -> TokenRow | None:
        """Return the token with this id."""
        row = self._database.row(_FIND_BY_ID, token_id)
        return None if row is None else _token(row)

    async def page_tokens(self, owner: str | None, after: str | None, limit: int) -> Sequence[TokenRow]:
        """Return tokens of this owner, or of all, ordered by id, after `after`."""
        if owner is None:
            rows = self._database.rows(_PAGE, after or "", limit)
        else:
            rows = self._database.rows(_PAGE_OF_OWNER, owner, after or "", limit)
        return [_token(row) for row in rows]

    async def add_token(self, row: TokenRow, *, limit: int) -> bool:
        """Add a token. Returns `False`, and changes nothing, if its owner already has `limit` tokens."""

        def add(connection: apsw.Connection) -> bool:
            (count,) = connection.execute(_COUNT_OF_OWNER, (row.owner,)).fetchall()[0]
            if int(count or 0) >= limit:
                return False
            connection.execute(_ADD, _values(row))
            return True

        return await self._database.write(add)

    async def remove_token(self, token_id: str) -> bool:
        """Remove a token. Return whether it existed."""
        return await self._database.execute(_REMOVE, token_id) > 0

    async def touch_token(self, token_id: str, when: float) -> None:
        """Record a use of a token, if the token exists and has no later one."""
        await self._database.execute(_TOUCH, when, token_id, durable=False)

    async def remove_expired_tokens(self, before: float) -> int:
        """Remove the tokens that expired before this time. Return their number."""
        return await self._database.execute(_REMOVE_EXPIRED, before)

    async def token_owners(self) -> Mapping[str, float | None]:
        """Return the owners of tokens, each with the time of the mark that all its tokens have, or `None`."""
        rows = self._database.rows(_OWNERS)
        return {str(owner): None if since is None else float(since) for owner, since in rows}

    async def mark_owner(self, owner: str, unknown_since: float | None) -> None:
        """Mark all tokens of an owner as those of an unknown user since a time; `None` removes the marks."""
        await self._database.execute(_MARK_OWNER, unknown_since, owner)

    async def remove_tokens_of(self, owner: str) -> Sequence[TokenRow]:
        """Remove the tokens of an owner. Return them."""

        def remove(connection: apsw.Connection) -> Sequence[TokenRow]:
            return [_token(row) for row in connection.execute(_REMOVE_OF_OWNER, (owner,)).fetchall()]

        return await self._database.write(remove)


def _values(row: TokenRow) -> tuple[Value, ...]:
    scopes = None if row.scopes is None else json.dumps(row.scopes, ensure_ascii=False)
    secret_hash = row.secret_hash.hex()
    about = (row.token_id, secret_hash, row.owner, row.description)
    return (*about, row.created, row.expires, scopes, row.fingerprint, row.last_used)


def _token(row: Row) -> TokenRow:
    token_id, secret_hash, owner, description, created, expires, scopes, fingerprint, last_used = row
    return TokenRow(
        token_id=str(token_id),
        secret_hash=bytes.fromhex(str(secret_hash)),
        owner=str(owner),
        description=str(description),
        created=float(created or 0),
        expires=None if expires is None else float(expires),
        scopes=None if scopes is None else tuple(str(scope) for scope in json.loads(str(scopes))),
        fingerprint=None if fingerprint is None else str(fingerprint),
        last_used=None if last_used is None else float(last_used),
    )
