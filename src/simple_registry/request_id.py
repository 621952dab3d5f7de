"""The id of the request being handled, so that log lines written anywhere can name it.

Ids are ours, `<random part of the worker>-<count>`. One from a client is not used: it could be the id of another
request, and the log would mislead.
"""

from contextvars import ContextVar

REQUEST_ID: ContextVar[str | None] = ContextVar("request_id", default=None)
"""The id for this task, its threads, and the tasks that it starts."""
