"""Open upload sessions."""

from collections.abc import Sequence

import apsw

from simple_registry.oci.digests import parse_digest
from simple_registry.oci.names import RepositoryName
from simple_registry.storage.protocols import SessionRow
from simple_registry.storage.sqlite.database import Database, Row, Value
from simple_registry.storage.sqlite.defects import well_formed

_COLUMNS = "session, repository, identity, algorithm, received, received_digest, touched, started"
_ADD = f"INSERT INTO upload_sessions ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)"  # noqa: S608 (our own words)
_FIND = f"SELECT {_COLUMNS} FROM upload_sessions WHERE session = ?"  # noqa: S608 (our own words)
_UPDATE = f"UPDATE upload_sessions SET ({_COLUMNS}) = (?, ?, ?, ?, ?, ?, ?, ?) WHERE session = ?"  # noqa: S608
_REMOVE = "DELETE FROM upload_sessions WHERE session = ?"
_COUNT = "SELECT count(*) FROM upload_sessions"
_EXPIRED = f"SELECT {_COLUMNS} FROM upload_sessions WHERE touched < ? ORDER BY touched, session LIMIT ?"  # noqa: S608
_PAGE = f"""
SELECT {_COLUMNS} FROM upload_sessions
WHERE session > ? AND (received_digest IS NULL OR {well_formed("received_digest")})
ORDER BY session LIMIT ?
"""  # noqa: S608 (our own words)


class SqliteSessionRows:
    """The open upload sessions."""

    _database: Database

    async def add_session(self, row: SessionRow) -> None:
        """Keep a new session."""

        def add(connection: apsw.Connection) -> None:
            connection.execute(_ADD, _values(row))

        await self._database.write(add, durable=False)

    def find_session(self, session: str) -> SessionRow | None:
        """Return the session."""
        row = self._database.row(_FIND, session)
        return None if row is None else _session(row)

    async def update_session(self, row: SessionRow) -> bool:
        """Replace the session's row. Returns `False` when the session is gone."""

        def update(connection: apsw.Connection) -> bool:
            connection.execute(_UPDATE, (*_values(row), row.session))
            return connection.changes() > 0

        return await self._database.write(update)

    async def remove_session(self, session: str) -> bool:
        """Remove the session. Returns whether it was there."""

        def remove(connection: apsw.Connection) -> bool:
            connection.execute(_REMOVE, (session,))
            return connection.changes() > 0

        return await self._database.write(remove)

    def count_sessions(self) -> int:
        """Return how many sessions are open."""
        return int(self._database.rows(_COUNT)[0][0] or 0)

    def page_expired(self, before: float, limit: int) -> Sequence[SessionRow]:
        """Return sessions last touched before this time."""
        return [_session(row) for row in self._database.rows(_EXPIRED, before, limit)]

    def page_sessions(self, after: str, limit: int) -> Sequence[SessionRow]:
        """Return open sessions in order of their ids, beginning after `after`, but for rows that hold no digest."""
        return [_session(row) for row in self._database.rows(_PAGE, after, limit)]


def _values(row: SessionRow) -> tuple[Value, ...]:
    digest = None if row.received_digest is None else str(row.received_digest)
    return (row.session, row.repository, row.identity, row.algorithm, row.received, digest, row.touched, row.started)


def _session(row: Row) -> SessionRow:
    session, repository, identity, algorithm, received, digest, touched, started = row
    return SessionRow(
        session=str(session),
        repository=RepositoryName(str(repository)),
        identity=str(identity),
        algorithm=str(algorithm),
        received=int(received or 0),
        received_digest=None if digest is None else parse_digest(str(digest)),
        touched=float(touched or 0),
        started=float(started or 0),
    )
