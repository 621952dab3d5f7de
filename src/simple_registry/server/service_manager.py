"""Reports to systemd, or another service manager, by sd_notify(3); without one, nothing is sent.

EXTEND_TIMEOUT_USEC=… with STATUS=…    the database is upgraded: the start may take longer
READY=1                                the registry serves; also at the end of a reload, successful or not
RELOADING=1 with MONOTONIC_USEC=…      a reload began, at that time of the monotonic clock
STOPPING=1                             the registry stops
STATUS=…                               a line for `systemctl status`, such as why a reload failed
"""

import socket
import time
from collections.abc import MutableMapping
from contextlib import suppress

MAX_WAIT = 1.0
"""Seconds to wait for a manager that does not read."""

MAX_UPGRADE = 3600
"""Seconds that an upgrade of the database may take; managers wait 90 seconds for a start by default."""


class ServiceManager:
    """The manager that started this process."""

    def __init__(self, environment: MutableMapping[str, str]) -> None:
        """Remove its address from `environment`, so that child processes do not inherit it."""
        address = environment.pop("NOTIFY_SOCKET", "")
        # A leading `@` means the zero byte of an abstract socket. Other forms, such as vsock, are not supported.
        self._address = "\0" + address[1:] if address.startswith("@") else address if address.startswith("/") else ""

    def upgrading(self) -> None:
        """Report that the database is upgraded before the registry serves."""
        # A start that is ended for its length would begin the migration again each time.
        self._send(f"EXTEND_TIMEOUT_USEC={MAX_UPGRADE * 1_000_000}", "STATUS=upgrading the database")

    def ready(self, status: str) -> None:
        """Report that the registry serves, after a start or a reload."""
        self._send("READY=1", f"STATUS={' '.join(status.split())}")

    def reloading(self) -> None:
        """Report that a reload begins."""
        self._send("RELOADING=1", f"MONOTONIC_USEC={time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000}")

    def stopping(self) -> None:
        """Report that the registry stops."""
        self._send("STOPPING=1", "STATUS=finishing requests in flight")

    def _send(self, *lines: str) -> None:
        if not self._address:
            return
        with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
            sender.settimeout(MAX_WAIT)
            sender.sendto("\n".join(lines).encode(errors="replace"), self._address)
