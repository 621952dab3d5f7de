"""Commits: several changes in one transaction, while no other process writes.

    lock file ──► BEGIN ─► change, change, change ─► COMMIT ──► unlock

Processes queue on the `flock` of a lock file beside the database, because SQLite waits by sleeping, which can starve a
process.
"""

import errno
import fcntl
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass

import apsw

from simple_registry.faults import StorageFault
from simple_registry.storage.sqlite.engine.connections import fault, open_connection, open_lock
from simple_registry.storage.sqlite.engine.recovery import (
    is_log_suspect,
    mark_log_suspect,
    overwrite_failed_commit,
    restart_log,
    roll_back,
)
from simple_registry.storage.sqlite.engine.reserve import keep_room, reserve_log, truncate_log

ACTION = "write rows"

MAX_ATTEMPTS = 5
"""Attempts at a commit whose sync is interrupted by signals."""

CHECKPOINT_PAGES = 1000
"""Pages in the log from which each commit tries a checkpoint, as SQLite would by itself."""


@dataclass(frozen=True, slots=True)
class Change:
    """A change of rows.

    One that is not `durable` is visible to all processes at once and survives their end; a power cut may undo it unless
    a durable change followed.
    """

    apply: Callable[[apsw.Connection], object]
    durable: bool = True


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result of a change, or the error that prevented it."""

    result: object = None
    error: Exception | None = None


class Commits:
    """Writes to one database, from one thread."""

    def __init__(self, path: str, log_reserve: int = 0) -> None:
        """Open the database at `path` and the lock file beside it, and reserve `log_reserve` bytes for its log.

        Raises: StorageFault.
        """
        self._path = path
        self._log_reserve = log_reserve
        self._reserved = log_reserve == 0
        self._synced = True
        """Whether a commit returns only after a sync, as on every new connection."""
        self._log_suspect = False
        self._log_pages = 0
        try:
            self._lock = open_lock(path)
        except OSError as error:
            raise fault(ACTION, error) from error
        try:
            self._connection = open_connection(path)
            self._connection.set_wal_hook(self._record_log_size)
            if log_reserve:
                keep_room(self._connection)
        except apsw.Error as error:
            os.close(self._lock)
            raise fault(ACTION, error) from error

    def close(self) -> None:
        """Close both; a reserved log is truncated."""
        if self._log_reserve:
            with suppress(StorageFault), self._locked():
                try:
                    truncate_log(self._connection, self._path, self._log_reserve)
                except apsw.IOError:
                    mark_log_suspect(self._lock)
        self._connection.close()
        os.close(self._lock)

    def commit(self, changes: Sequence[Change]) -> list[Outcome]:
        """Commit changes together. One that fails is undone without effect on the others.

        If the commit itself fails, that is the outcome of all. Never raises.
        """
        try:
            with self._locked():
                outcomes = self._transaction(changes)
                self._checkpoint()
                # Before this commit the log may not have existed, or the disk may have been full.
                self._reserved = self._reserved or reserve_log(self._path, self._log_reserve)
                return outcomes
        except Exception as error:  # noqa: BLE001 (passed to the callers)
            return [Outcome(error=error)] * len(changes)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Hold the lock file."""
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX)
        except OSError as error:
            raise StorageFault(ACTION, error) from error
        try:
            yield
        finally:
            fcntl.flock(self._lock, fcntl.LOCK_UN)

    def _transaction(self, changes: Sequence[Change]) -> list[Outcome]:
        """Return the outcome of each change, once all are committed.

        Raises: StorageFault; then nothing was changed.
        """
        connection = self._connection
        attempt = 0
        while True:
            attempt += 1
            try:
                # Before BEGIN: a commit to a suspect log could be lost, and no checkpoint runs in a transaction.
                self._require_sound_log()
                self._set_synchronous(any(change.durable for change in changes))
                connection.execute("BEGIN IMMEDIATE")
                outcomes = [self._alone(*changes)] if len(changes) == 1 else [self._apply(each) for each in changes]
                if connection.in_transaction:
                    connection.execute("COMMIT")
            except (apsw.Error, OSError) as error:
                failure = fault(ACTION, error, connection)
                # SQLite reports a sync that a signal interrupted as an I/O error. Nothing was lost: all is repeated.
                # `system_errno` is read before the rollback, which overwrites it.
                interrupted = isinstance(error, apsw.IOError) and connection.system_errno == errno.EINTR
                roll_back(connection)
                if not interrupted or attempt == MAX_ATTEMPTS:
                    # Any other I/O error may have been the sync of the log, whose frames survive the rollback.
                    self._suspect_log_after(error)
                    raise failure from error
            else:
                return outcomes

    def _record_log_size(self, _connection: apsw.Connection, _database: str, pages: int) -> int:
        """Record the log's size after a commit. With this hook SQLite makes no checkpoints by itself."""
        self._log_pages = pages
        return apsw.SQLITE_OK

    def _checkpoint(self) -> None:
        """Move a long log into the database, as far as readers permit.

        SQLite's own checkpoint would hide a failed sync of the log, which may be the first sync of commits that were
        not durable. A failure here does not undo the commit just made.
        """
        if self._log_pages < CHECKPOINT_PAGES:
            return
        try:
            self._connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)
        except apsw.Error as error:
            self._suspect_log_after(error)

    def _require_sound_log(self) -> None:
        """Restart a suspect log.

        Raises: apsw.Error, OSError, StorageFault when that fails.
        """
        if self._log_suspect or is_log_suspect(self._lock):
            self._log_suspect = True
            self._synced = True  # `restart_log` sets synchronous=FULL
            restart_log(self._connection, self._lock)
            self._log_suspect = False

    def _suspect_log_after(self, error: Exception) -> None:
        """Mark the log as suspect after a failure that may have been one of its syncs, and restart it if possible."""
        if not isinstance(error, apsw.IOError):
            return
        self._log_suspect = True
        mark_log_suspect(self._lock)  # before the restart: a crash in between must leave the mark
        try:
            self._require_sound_log()
        except (apsw.Error, OSError, StorageFault):
            roll_back(self._connection)
            overwrite_failed_commit(self._connection)

    def _set_synchronous(self, full: bool) -> None:  # noqa: FBT001 (the setting itself)
        """Set whether the next commit syncs the log; frames keep their order either way."""
        if full is not self._synced:
            self._connection.execute(f"PRAGMA synchronous = {'FULL' if full else 'NORMAL'}")
            self._synced = full

    def _alone(self, change: Change) -> Outcome:
        """Apply the only change of a transaction, which ends if it fails.

        Raises: apsw.Error when SQLite rolled back by itself.
        """
        connection = self._connection
        try:
            return Outcome(result=change.apply(connection))
        except Exception as error:
            if not connection.in_transaction:
                raise
            outcome = _failed(error, connection)
            connection.execute("ROLLBACK")
            return outcome

    def _apply(self, change: Change) -> Outcome:
        """Apply one change of several.

        Raises: apsw.Error when SQLite rolled back the whole transaction, as it does on a full disk.
        """
        connection = self._connection
        connection.execute("SAVEPOINT change")
        try:
            outcome = Outcome(result=change.apply(connection))
        except Exception as error:
            if not connection.in_transaction:
                raise
            outcome = _failed(error, connection)
            connection.execute("ROLLBACK TO change")
        connection.execute("RELEASE change")
        return outcome


def _failed(error: Exception, connection: apsw.Connection) -> Outcome:
    return Outcome(error=fault(ACTION, error, connection) if isinstance(error, apsw.Error) else error)
