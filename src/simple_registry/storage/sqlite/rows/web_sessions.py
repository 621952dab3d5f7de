"""The rows of ended web sessions."""

from simple_registry.storage.sqlite.engine.database import Database

_FIND = "SELECT 1 FROM ended_web_sessions WHERE session_id = ?"
_ADD = "INSERT OR IGNORE INTO ended_web_sessions (session_id, expires) VALUES (?, ?)"
_REMOVE_EXPIRED = "DELETE FROM ended_web_sessions WHERE expires < ?"


class SqliteEndedWebSessionRows:
    """The web sessions that ended before they expired."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def has_ended(self, session_id: str) -> bool:
        """Return whether a web session ended."""
        return self._database.row(_FIND, session_id) is not None

    async def end_web_session(self, session_id: str, expires: float) -> None:
        """Record that a web session, which would expire at this time, ended."""
        await self._database.execute(_ADD, session_id, expires)

    async def forget_web_sessions(self, before: float) -> int:
        """Remove the rows of web sessions that would have expired before this time. Return their number."""
        return await self._database.execute(_REMOVE_EXPIRED, before)
