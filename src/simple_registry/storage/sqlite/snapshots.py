"""Rolling snapshots: copies of the database beside it, from which `recover` rebuilds a lost one.

Each is `snapshots/registry-20270131T120000Z.db`. What has such a name is complete and durable.
"""

import logging
import os
import re
import time
from collections.abc import Sequence
from contextlib import suppress

import apsw

from simple_registry.clock import Clock
from simple_registry.oci.digests import Digest
from simple_registry.storage.sqlite.engine.connections import fault, open_connection
from simple_registry.storage.sqlite.engine.copies import copy_at
from simple_registry.storage.sqlite.engine.name_locks import name_lock
from simple_registry.times import TimeInvalid, format_stamp, parse_stamp

MIN_FREE = 0.05
"""The share of the file system that stays free; a snapshot that would take of it is not made."""

PAUSE = 0.05
"""Seconds between two steps of a copy."""

_LOCK = "snapshots"
_RETRY_INTERVAL = 0.1
"""Seconds between two attempts to take a snapshot while another process takes one."""

_KNOWS = """
SELECT EXISTS (SELECT 1 FROM contents WHERE digest = ?1)
    OR EXISTS (SELECT 1 FROM journal WHERE ?1 IN (before, after))
"""
_NAME = re.compile(r"registry-([0-9]{8}T[0-9]{6}Z)\.db", re.ASCII)
_ACTION = "take a snapshot of the database"

_log = logging.getLogger("simple_registry")


class Snapshots:
    """The snapshots of one database. One process at a time takes them."""

    def __init__(self, path: str, directory: str, clock: Clock, *, keep: int, interval: float) -> None:
        """Keep the last `keep` snapshots of the database at `path` in `directory`, taken every `interval` seconds."""
        self._path = path
        self._directory = directory
        self._clock = clock
        self._keep = keep
        self._interval = interval

    def take_if_due(self) -> str | None:
        """Take a snapshot if the last one is old, and remove those above the number. Return its path, if taken.

        Waits for the disk. Raises: StorageFault.
        """
        try:
            with name_lock(f"{self._path}.lock", _LOCK) as ours:
                return self._take_if_due(self._clock.now()) if ours else None
        except (apsw.Error, OSError) as error:
            raise fault(_ACTION, error) from error

    def replace(self, digest: Digest) -> tuple[Sequence[str], Sequence[str]]:
        """Take a snapshot, and remove the earlier ones that know of this content.

        Return the paths of those removed, and of those left because there is no room for a new one.

        Waits for the disk. Raises: StorageFault.
        """
        try:
            replaced = self._replace_if_free(digest)
            while replaced is None:
                time.sleep(_RETRY_INTERVAL)
                replaced = self._replace_if_free(digest)
        except (apsw.Error, OSError) as error:
            raise fault(_ACTION, error) from error
        return replaced

    def _replace_if_free(self, digest: Digest) -> tuple[Sequence[str], Sequence[str]] | None:
        """Replace snapshots, or return `None` while another process takes one."""
        with name_lock(f"{self._path}.lock", _LOCK) as ours:
            return self._replace(digest, self._clock.now()) if ours else None

    def _replace(self, digest: Digest, now: float) -> tuple[Sequence[str], Sequence[str]]:
        found = [path for _when, path in self._all() if _knows(path, digest)]
        taken = self._take(now) if found and self._keep else None
        if self._keep and taken is None:
            return (), found
        removed = [path for path in found if path != taken]
        for path in removed:
            os.unlink(path)
        return removed, ()

    def _take_if_due(self, now: float) -> str | None:
        if self._keep == 0 or any(now - self._interval < when <= now for when, _path in self._all()):
            return None
        taken = self._take(now)
        if taken is not None:
            self._prune(now)
        return taken

    def _take(self, now: float) -> str | None:
        if not self._has_room():
            _log.warning("no snapshot of the database is taken: the disk is nearly full")
            return None
        with suppress(FileExistsError):
            os.mkdir(self._directory, 0o700)
        taken = f"{self._directory}/registry-{format_stamp(now)}.db"
        copy_at(self._path, taken, pause=PAUSE)
        return taken

    def _prune(self, now: float) -> None:
        # One from a future that a wrong clock saw counts as the oldest.
        ordered = sorted(self._all(), key=lambda found: found[0] if found[0] <= now else 0.0)
        surplus = [path for _when, path in ordered[: -self._keep]]
        unfinished = [f"{self._directory}/{name}" for name in os.listdir(self._directory) if name.endswith(".db.new")]
        for path in (*surplus, *unfinished):  # what a crash left has another time in its name
            with suppress(FileNotFoundError):
                os.unlink(path)

    def _all(self) -> Sequence[tuple[float, str]]:
        return snapshots_in(self._directory)

    def _has_room(self) -> bool:
        found = os.statvfs(os.path.dirname(self._path))
        free = found.f_bavail * found.f_frsize - os.stat(self._path).st_size
        return free >= found.f_blocks * found.f_frsize * MIN_FREE


def _knows(path: str, digest: Digest) -> bool:
    """Return whether a snapshot has rows of this content; in doubt, it does."""
    try:
        connection = open_connection(path, query_only=True)
        try:
            return bool(connection.execute(_KNOWS, (str(digest),)).fetchall()[0][0])
        finally:
            connection.close()
    except apsw.Error:
        return True


def snapshots_in(directory: str) -> Sequence[tuple[float, str]]:
    """Return the time and path of each snapshot in a directory, the oldest first; none when it is missing."""
    try:
        names = os.listdir(directory)
    except FileNotFoundError:
        return []
    found = []
    for name in names:
        if match := _NAME.fullmatch(name):
            with suppress(TimeInvalid):  # the 30th of February
                found.append((parse_stamp(match[1]), f"{directory}/{name}"))
    return sorted(found)
