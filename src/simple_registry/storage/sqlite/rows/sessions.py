"""Open upload sessions, and the requests that hold them.

A request holds a session by locking one byte of `uploads.lock`, beside the database. A column of the row would not do:
unlike a lock, it would survive a crash of the process.
"""

import math
import os
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace

import apsw

from simple_registry.faults import SessionBusy
from simple_registry.oci.digests import parse_digest
from simple_registry.oci.names import RepositoryName
from simple_registry.storage.records import Received, SessionRow
from simple_registry.storage.sqlite.defects import well_formed
from simple_registry.storage.sqlite.engine.database import Database, Row, Value
from simple_registry.storage.sqlite.engine.name_locks import name_lock

_COLUMNS = """
session, repository, identity, algorithm, received, received_digest, received_state,
touched, started, client, generation
"""
_VALUES = "?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?"
_SHARE = "SELECT count(*) FROM upload_sessions WHERE identity = ? AND client = ?"
_COUNT = "SELECT count(*) FROM upload_sessions"
_ADD = f"INSERT INTO upload_sessions ({_COLUMNS}) SELECT {_VALUES} WHERE ({_COUNT}) < ? AND ({_SHARE}) < ?"
_FIND = f"SELECT {_COLUMNS} FROM upload_sessions WHERE session = ?"
_CLAIM = f"UPDATE upload_sessions SET generation = generation + 1 WHERE session = ? RETURNING {_COLUMNS}"
_UPDATE = f"UPDATE upload_sessions SET ({_COLUMNS}) = ({_VALUES}) WHERE session = ? AND generation = ?"
_REMOVE = "DELETE FROM upload_sessions WHERE session = ?"
_PAGE = f"""
SELECT {_COLUMNS} FROM upload_sessions
WHERE session > ? AND (received_digest IS NULL OR {well_formed("received_digest")})
ORDER BY session LIMIT ?
"""
_EMPTY = f"""
SELECT {_COLUMNS} FROM upload_sessions
WHERE identity = ? AND client = ? AND (touched, session) > (?, ?) AND received = 0
ORDER BY touched, session LIMIT ?
"""


class SqliteSessionRows:
    """The open upload sessions."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @asynccontextmanager
    async def hold(self, session: str) -> AsyncIterator[SessionRow | None]:
        """Hold a session, and return its present row."""
        with name_lock(f"{os.path.dirname(self._database.path)}/uploads.lock", session) as ours:
            if not ours:
                raise SessionBusy(session)
            yield await self.find_session(session)

    async def add_session(self, row: SessionRow, *, limit: int, share: int) -> bool:
        """Add a new session, unless `limit` are open, or `share` of the same identity and client."""
        bindings = (*_values(row), limit, row.identity, row.client, share)
        return await self._database.execute(_ADD, *bindings, durable=False) > 0

    async def find_session(self, session: str) -> SessionRow | None:
        """Return the session."""
        row = self._database.row(_FIND, session)
        return None if row is None else _session(row)

    async def claim_session(self, session: str) -> SessionRow | None:
        """Begin the next generation of a session, and return its row."""

        def claim(connection: apsw.Connection) -> SessionRow | None:
            rows = connection.execute(_CLAIM, (session,)).fetchall()
            return _session(rows[0]) if rows else None

        return await self._database.write(claim, durable=False)

    async def update_session(self, row: SessionRow) -> SessionRow | None:
        """Replace the session's row by `row` in its next generation, if it has the generation that `row` has."""
        updated = replace(row, generation=row.generation + 1)
        changed = await self._database.execute(_UPDATE, *_values(updated), row.session, row.generation)
        return updated if changed else None

    async def remove_session(self, session: str) -> bool:
        """Remove the session. Return whether it existed."""
        return await self._database.execute(_REMOVE, session) > 0

    async def count_sessions(self) -> int:
        """Return the number of open sessions."""
        return int(self._database.rows(_COUNT)[0][0] or 0)

    async def page_sessions(self, after: str, limit: int) -> Sequence[SessionRow]:
        """Return open sessions, ordered by id, after `after`. Rows with a malformed digest are omitted."""
        return [_session(row) for row in self._database.rows(_PAGE, after, limit)]

    async def page_empty(
        self, identity: str, client: str, after: SessionRow | None, limit: int
    ) -> Sequence[SessionRow]:
        """Return empty sessions, the longest untouched first, after `after`."""
        touched, session = (-math.inf, "") if after is None else (after.touched, after.session)
        return [_session(row) for row in self._database.rows(_EMPTY, identity, client, touched, session, limit)]


def _values(row: SessionRow) -> tuple[Value, ...]:
    received = row.received
    return (
        row.session,
        row.repository,
        row.identity,
        row.algorithm,
        received.size,
        None if received.digest is None else str(received.digest),
        received.state,
        row.touched,
        row.started,
        row.client,
        row.generation,
    )


def _session(row: Row) -> SessionRow:
    session, repository, identity, algorithm, size, digest, state, touched, started, client, generation = row
    return SessionRow(
        session=str(session),
        repository=RepositoryName(str(repository)),
        identity=str(identity),
        algorithm=str(algorithm),
        received=Received(int(size or 0), None if digest is None else parse_digest(str(digest)), str(state)),
        touched=float(touched or 0),
        started=float(started or 0),
        client=str(client),
        generation=int(generation or 0),
    )
