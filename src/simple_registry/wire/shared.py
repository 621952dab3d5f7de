"""What the connections of a worker share, as each of their parts sees it."""

import asyncio
import math
from collections.abc import Callable
from typing import Any, Protocol

from simple_registry.wire.budget import Budget
from simple_registry.wire.exchange import Application, FindClient
from simple_registry.wire.limits import WireLimits

KIB = 1024
NEVER = math.inf
"""A deadline that does not come."""


class Shared(Protocol):
    """What the connections of a worker share."""

    loop: asyncio.AbstractEventLoop
    application: Application
    limits: WireLimits
    budget: Budget
    find_client: FindClient
    stopping: bool
    open_files: int

    def run(self, call: Callable[..., Any], *args: object) -> "asyncio.Future[Any]":
        """Make a call in a thread."""
        ...

    def may_open(self) -> bool:
        """Return whether another descriptor may be opened."""
        ...

    def closed_one(self, each: Any, *, handling: bool = False) -> None:
        """Take note that a connection, or what was to become one, closed; `handling` a request goes on without it.

        A connection that closed so is closed again when its handler has ended.
        """
        ...
