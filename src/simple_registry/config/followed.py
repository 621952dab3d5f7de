"""A value that follows files: looked at periodically, loaded once they stay the same, exchanged in one step.

    changed ──► unchanged at the next look ──► loaded, unchanged still ──► the new value is in force
                                          └──► it does not load, or must not be taken ──► the old value stays; `stale`

So no set of files is loaded while it is written. The parent looks, and keeps what loaded last; each worker begins with
a copy of that, whatever the files are by then, and looks for itself from then on.
"""

import logging
from collections.abc import Callable
from enum import Enum, auto
from typing import Generic, TypeVar

from simple_registry.config.values import ConfigError

INTERVAL = 0.3
"""Seconds between two looks: with two of them and the time to load, a change is in force within one second."""

LOOKS_TO_RETRY = 30
"""Looks after which unchanged files that did not load are tried again, since the fault may have been temporary, and
after which files that change at each look are reported."""

_ATTEMPTS = 5

Value = TypeVar("Value")

logger = logging.getLogger("simple_registry")


class Look(Enum):
    """The result of a look."""

    NOTHING = auto()
    TAKEN = auto()
    """There is a new value."""
    REFUSED = auto()
    """The old value stays; `stale` is the reason."""


class Followed(Generic[Value]):
    """A value of files. Looking at them waits for the disk: not for an event loop."""

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

    def look(self) -> Look:
        """Look once, and take over what changed."""
        try:
            return self._look()
        except ConfigError as error:
            return self._refuse(str(error))
        except Exception:
            logger.exception("files that changed cannot be loaded")
            return self._refuse("an unexpected failure; see the log")

    def _look(self) -> Look:
        unfinished = self.unfinished()
        before, self._seen = self._seen, self._signature()
        behind = self._seen != self._tried or self.stale is not None
        self._waited = self._waited + 1 if behind else 0
        overdue = self._waited >= LOOKS_TO_RETRY
        if self._seen != before:
            return self._refuse("the files change all the time") if overdue else Look.NOTHING
        if self._seen == self._tried and not overdue:
            return Look.NOTHING
        if unfinished is not None:
            if unfinished not in ("", self.stale):
                return self._refuse(unfinished)
            self._waited = 0  # the files rest: only ones that change all the time are overdue
            return Look.NOTHING
        return self._take()

    def _take(self) -> Look:
        """Load, and keep the result unless the files changed meanwhile.

        Raises: ConfigError.
        """
        self._tried = self._seen
        value = self._load(self.value)
        if self._signature() != self._seen:
            self._tried = None
            return Look.NOTHING
        self.value, self.stale, self._waited = value, None, 0
        return Look.TAKEN

    def _refuse(self, reason: str) -> Look:
        self.stale, self._waited = reason, 0
        return Look.REFUSED
