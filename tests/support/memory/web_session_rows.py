"""Ended web sessions in memory."""


class MemoryEndedWebSessionRows:
    """The web sessions that ended before they expired, each with that time."""

    def __init__(self) -> None:
        """Start empty."""
        self._ended: dict[str, float] = {}

    async def has_ended(self, session_id: str) -> bool:
        """Return whether a web session ended."""
        return session_id in self._ended

    async def end_web_session(self, session_id: str, expires: float) -> None:
        """Record that a web session, which would expire at this time, ended."""
        self._ended.setdefault(session_id, expires)

    async def forget_web_sessions(self, before: float) -> int:
        """Remove the rows of web sessions that would have expired before this time. Return their number."""
        expired = [session_id for session_id, expires in self._ended.items() if expires < before]
        for session_id in expired:
            del self._ended[session_id]
        return len(expired)
