"""Commits: several changes in one transaction, each in a savepoint, while no other process writes.

    lock file ──► BEGIN ─► change, change, change ─► COMMIT ──► unlock

Processes queue on the `flock` of a lock file beside the database, because SQLite's own waiting sleeps and lets one
process starve the others.
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
from simple_registry.storage.sqlite.engine.recovery import begin_doubt, bury, in_doubt, roll_back, settle
from simple_registry.storage.sqlite.engine.reserve import fold, keep_log, reserve_log

ACTION = "write rows"

ATTEMPTS = 5
"""How often a commit that signals interrupt is tried."""

LOG_PAGES = 1000
"""Pages in the log from which on each commit tries to move them into the database, as SQLite would by itself."""


@dataclass(frozen=True, slots=True)
class Change:
    """What to do to the rows.

    A change that need not be `durable` by itself is seen by all at once, and survives the end of any process; only a
    power cut takes it back, unless a durable change follows.
    """

    apply: Callable[[apsw.Connection], object]
    durable: bool = True


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a change returned, or what kept it from happening."""

    result: object = None
    error: Exception | None = None


class Commits:
    """Writes to one database, from one thread."""

    def __init__(self, path: str, log_reserve: int = 0) -> None:
        """Open the database at `path` and the lock file beside it, with room for `log_reserve` bytes of its log.

        Raises: StorageFault.
        """
        self._path = path
        self._log_reserve = log_reserve
        self._reserved = log_reserve == 0
        self._synced = True
        """Whether the connection waits for the disk at each commit, as every new one does."""
        self._doubtful = False
        self._log_pages = 0
        try:
            self._lock = open_lock(path)
        except OSError as error:
            raise fault(ACTION, error) from error
        try:
            self._connection = open_connection(path)
            self._connection.set_wal_hook(self._note_log)
            if log_reserve:
                keep_log(self._connection)
        except apsw.Error as error:
            os.close(self._lock)
            raise fault(ACTION, error) from error

    def close(self) -> None:
        """Let go of both; a log that stays is emptied."""
        if self._log_reserve:
            with suppress(StorageFault), self._turn():
                try:
                    fold(self._connection, self._path, self._log_reserve)
                except apsw.IOError:
                    begin_doubt(self._lock)
        self._connection.close()
        os.close(self._lock)

    def commit(self, changes: Sequence[Change]) -> list[Outcome]:
        """Make the changes durable together; one that fails is undone and leaves the others be.

        A failure of the commit itself is the outcome of all of them. Never raises.
        """
        try:
            with self._turn():
                outcomes = self._transaction(changes)
                self._shorten_log()
                # Room that was not there at the start may be there now; asked until it is.
                self._reserved = self._reserved or reserve_log(self._path, self._log_reserve)
                return outcomes
        except Exception as error:  # noqa: BLE001 (it goes to those who wait for the changes)
            return [Outcome(error=error)] * len(changes)

    @contextmanager
    def _turn(self) -> Iterator[None]:
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
        """Return what became of each change, once all are durable.

        SQLite takes a sync that a signal interrupted for a failure; it is none, so all is done again.

        Raises: StorageFault, when none of them happened.
        """
        connection = self._connection
        attempt = 0
        while True:
            attempt += 1
            try:
                self._resolve_doubt()
                self._wait_for_the_disk(any(change.durable for change in changes))
                connection.execute("BEGIN IMMEDIATE")
                outcomes = [self._apply(change) for change in changes]
                connection.execute("COMMIT")
            except (apsw.Error, OSError) as error:
                failure = fault(ACTION, error, connection)
                interrupted = isinstance(error, apsw.IOError) and connection.system_errno == errno.EINTR
                roll_back(connection)
                if not interrupted or attempt == ATTEMPTS:
                    self._doubt_after(error)
                    raise failure from error
            else:
                return outcomes

    def _note_log(self, _connection: apsw.Connection, _database: str, pages: int) -> int:
        """Take from SQLite how long the log is after a commit; with this, it moves nothing by itself."""
        self._log_pages = pages
        return apsw.SQLITE_OK

    def _shorten_log(self) -> None:
        """Move what the log holds into the database, once that is much, as far as readers let us.

        SQLite would do it as well, but say nothing of a sync of the log that fails meanwhile, although that sync is the
        first one for commits that did not wait for it. The commit just made is what it was: nothing is undone.
        """
        if self._log_pages < LOG_PAGES:
            return
        try:
            self._connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)
        except apsw.Error as error:
            self._doubt_after(error)

    def _resolve_doubt(self) -> None:
        """See that the log may be relied on.

        Raises: apsw.Error, OSError, StorageFault when it may not.
        """
        if self._doubtful or in_doubt(self._lock):
            self._doubtful = True
            self._synced = True  # as settling leaves it
            settle(self._connection, self._lock)
            self._doubtful = False

    def _doubt_after(self, error: Exception) -> None:
        """Doubt the log after a failure that may have been one of its syncs, and settle that, if the disk lets us."""
        if not isinstance(error, apsw.IOError):
            return
        self._doubtful = True
        begin_doubt(self._lock)
        try:
            self._resolve_doubt()
        except (apsw.Error, OSError, StorageFault):
            roll_back(self._connection)
            bury(self._connection)

    def _wait_for_the_disk(self, wait: bool) -> None:  # noqa: FBT001 (the one thing that it is about)
        """Say whether the next commit is to be durable when it returns; the log stays in order either way."""
        if wait is not self._synced:
            self._connection.execute(f"PRAGMA synchronous = {'FULL' if wait else 'NORMAL'}")
            self._synced = wait

    def _apply(self, change: Change) -> Outcome:
        """Try one change.

        Raises: apsw.Error when SQLite gave up the whole transaction, as it does on a full disk.
        """
        connection = self._connection
        connection.execute("SAVEPOINT change")
        try:
            outcome = Outcome(result=change.apply(connection))
        except Exception as error:
            if not connection.in_transaction:
                raise
            outcome = Outcome(error=fault(ACTION, error, connection) if isinstance(error, apsw.Error) else error)
            connection.execute("ROLLBACK TO change")
        connection.execute("RELEASE change")
        return outcome
