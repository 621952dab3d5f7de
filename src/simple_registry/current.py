"""The request that is being handled, for whoever writes a log line and was not told: the server keeps requests apart.

The id is ours alone, `<random part of the worker>-<count>`. One that a client sends is not taken over: it could be that
of another request, and lines of the log would tell a wrong story.
"""

from contextvars import ContextVar

REQUEST: ContextVar[str | None] = ContextVar("request", default=None)
"""The id of the request of this task, or of the one that started it."""
