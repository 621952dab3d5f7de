"""A value that follows files: they are polled, and loaded once they stay unchanged; the value is replaced in one step.

    changed ──► unchanged at the next poll ──► loaded, still unchanged ──► the new value is in force
                                          └──► it cannot be loaded or used ──► the old value stays; `stale`

So no set of files is loaded while it is being written. The parent polls, and keeps the value that loaded last. Each
worker starts with a copy of it, whatever the files are by then, and polls for itself.
"""

import logging
from collections.abc import Callable
from enum import Enum, auto
from typing import Generic, TypeVar

from simple_registry.config.values import ConfigError

INTERVAL = 0.3
"""Seconds between two polls: with two of them and the time to load, a change is in force within one second."""

POLLS_TO_RETRY = 30
"""Polls after which unchanged files that did not load are tried again, because the fault may have been temporary, and
after which files that change at each poll are reported."""

_ATTEMPTS = 5

Value = TypeVar("Value")

logger = logging.getLogger("simple_registry")


class Poll(Enum):
    """The result of a poll."""

    UNCHANGED = auto()
    LOADED = auto()
    """There is a new value."""
    REFUSED = auto()
    """The old value stays; `stale` is the reason."""


class Followed(Generic[Value]):
    """A value that is loaded from files. Polling blocks on the disk: not for the event loop."""

    def __init__(
        self,
        load: Callable[[Value | None], Value],
        signature: Callable[[], object],
        before: Value | None = None,
        *,
        unfinished: Callable[[], str | None] = lambda: None,
    ) -> None:
        """Load now; `load` receives the value in force, and `signature` returns a value that differs when the files do.

        Nothing is loaded while `unfinished` returns a reason; an empty text means that it is not known yet.

        Raises: ConfigError.
        """
        self._load = load
        self._signature = signature
        self.unfinished = unfinished
        self.value, self._tried = self._begin(before)
        self._seen = self._tried
        self._waited = 0
        self.stale: str | None = None
        """Why the value is older than the files; `None` when it is not."""

    def _begin(self, before: Value | None) -> tuple[Value, object]:
        reason = self.unfinished()
        if reason is not None:
            raise ConfigError(reason)
        for _ in range(_ATTEMPTS):
            seen = self._signature()
            value = self._load(before)
            if self._signature() == seen:
                return value, seen
        raise ConfigError("the files change while they are read; try again once they are written")

    def poll(self) -> Poll:
        """Poll once, and load files that changed."""
        try:
            return self._poll()
        except ConfigError as error:
            return self._refuse(str(error))
        except Exception:
            logger.exception("files that changed cannot be loaded")
            return self._refuse("an unexpected failure; see the log")

    def _poll(self) -> Poll:
        unfinished = self.unfinished()
        before, self._seen = self._seen, self._signature()
        behind = self._seen != self._tried or self.stale is not None
        self._waited = self._waited + 1 if behind else 0
        overdue = self._waited >= POLLS_TO_RETRY
        if self._seen != before:
            return self._refuse("the files change all the time") if overdue else Poll.UNCHANGED
        if self._seen == self._tried and not overdue:
            return Poll.UNCHANGED
        if unfinished is not None:
            if unfinished not in ("", self.stale):
                return self._refuse(unfinished)
            self._waited = 0  # the files are unchanged: only files that change all the time are overdue
            return Poll.UNCHANGED
        return self._reload()

    def _reload(self) -> Poll:
        """Load, and keep the result unless the files changed meanwhile."""
        self._tried = self._seen
        value = self._load(self.value)
        if self._signature() != self._seen:
            self._tried = None
            return Poll.UNCHANGED
        self.value, self.stale, self._waited = value, None, 0
        return Poll.LOADED

    def _refuse(self, reason: str) -> Poll:
        self.stale, self._waited = reason, 0
        return Poll.REFUSED
