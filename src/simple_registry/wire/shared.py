"""The interface of the server to its connections and their parts."""

import asyncio
import math
from collections.abc import Callable
from typing import Any, Protocol

from simple_registry.wire.budget import Budget
from simple_registry.wire.exchange import Application, FindClient
from simple_registry.wire.limits import WireLimits

KIB = 1024
NEVER = math.inf
"""No deadline."""
FIRST_REQUEST_TIME = 1.0
"""Seconds for the first request of a new connection, or for a handshake, also during a stop."""


class Shared(Protocol):
    """State and services shared by the connections of a worker."""

    loop: asyncio.AbstractEventLoop
    application: Application
    limits: WireLimits
    budget: Budget
    find_client: FindClient
    stopping: bool
    open_files: int

    def run(self, call: Callable[..., Any], *args: object) -> "asyncio.Future[Any]":
        """Run a call in a thread."""

    def may_open(self) -> bool:
        """Return whether the limit of descriptors allows another one."""

    def on_closed(self, each: Any, *, handling: bool = False) -> None:
        """Handle the end of a connection or preamble; `handling`: the handler of a request is still running.

        Such a connection reports its end a second time, when the handler has returned.
        """
