"""Migrations of the database: numbered SQL files, each applied once, in order.

`user_version` holds the number of the last file applied, `application_id` identifies a database of the registry. Both
are written in the transaction of the file, so a crash leaves one version or the next. Before the first file is applied
to a database that is in use, a copy of it is made (`snapshot`).
"""

import logging
import os
import re
from collections.abc import Callable
from importlib import resources

import apsw

from simple_registry.faults import ADVICE, DatabaseLost, DataDirectoryRefused
from simple_registry.storage.sqlite.engine.connections import fault, open_connection, open_lock
from simple_registry.storage.sqlite.engine.copies import sync
from simple_registry.storage.sqlite.engine.recovery import mark_log_suspect
from simple_registry.storage.sqlite.engine.reserve import keep_room, truncate_log
from simple_registry.storage.sqlite.engine.snapshot import take_snapshot

APPLICATION_ID = 0x53524547
"""The letters SREG."""

_log = logging.getLogger("simple_registry")

_FILE = re.compile(r"([0-9]{4})_[a-z0-9_]+\.sql", re.ASCII)


def migrations() -> list[str]:
    """Return the SQL of each migration; the first brings an empty database to version 1."""
    folder = resources.files("simple_registry.storage.sqlite.engine").joinpath("migrations")
    numbered = sorted((match[1], entry) for entry in folder.iterdir() if (match := _FILE.fullmatch(entry.name)))
    if [int(number) for number, _ in numbered] != list(range(1, len(numbered) + 1)):
        raise RuntimeError("the migrations are not numbered 0001, 0002, ... without a gap")
    return [entry.read_text("utf-8") for _, entry in numbered]


def migrate(
    path: str,
    *,
    traces: Callable[[], str | None] = lambda: None,
    log_reserve: int = 0,
    upgrading: Callable[[], None] = lambda: None,
) -> None:
    """Create the database at `path`, or bring it up to date. Called by one process, before it forks workers.

    `traces` returns evidence that the registry was in use before. With such evidence a database that is missing or
    empty is reported as lost, and no new one is created. `upgrading` is called before the migration of a database that
    is in use, which can take minutes.

    Raises: DataDirectoryRefused for a database that is lost, damaged, newer, or of another program; StorageFault.
    """
    connection = None
    try:
        if not _size(path):
            _require_unused(path, traces)
        # SQLite would create it readable by other users, and would follow a symbolic link.
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600))
        connection = open_connection(path, create=True)
        if _version(connection, path) == 0:
            _require_unused(path, traces)
        if log_reserve:
            keep_room(connection)
        _migrate(connection, path, upgrading)
        _truncate_log(connection, path, log_reserve)
        _require_complete(connection, path)
    except (apsw.NotADBError, apsw.CorruptError) as error:
        raise DatabaseLost(path, f"it is not a sound database ({error})") from error
    except (apsw.Error, OSError) as error:
        raise fault(f"open the database {path}", error, connection) from error
    finally:
        if connection is not None:
            connection.close()


def require_current(path: str) -> None:
    """Require a database at `path` that is complete and has the schema of this program.

    Writes nothing: the disk may be read-only.

    Raises: DataDirectoryRefused, StorageFault.
    """
    connection = None
    try:
        if not _size(path):
            raise DatabaseLost(path, "it is missing or empty")
        connection = open_connection(path, query_only=True)
        version = _version(connection, path)
        _require_complete(connection, path)
    except (apsw.NotADBError, apsw.CorruptError) as error:
        raise DatabaseLost(path, f"it is not a sound database ({error})") from error
    except apsw.Error as error:
        raise fault(f"open the database {path}", error, connection) from error
    finally:
        if connection is not None:
            connection.close()
    if version == 0:
        raise DatabaseLost(path, "it holds nothing")
    if version != len(migrations()):
        raise DataDirectoryRefused(
            path, f"its schema is {version}, this version's {len(migrations())}; start the server of this version first"
        )


def damage_of(path: str) -> str | None:
    """Return what is wrong with the database at `path`, of whatever schema; `None` if every page of it is sound.

    Neither the database nor its log is changed.

    Raises: StorageFault when it cannot be read.
    """
    if not _size(path):
        return "it is missing or empty"
    connection = None
    try:
        connection = open_connection(path, query_only=True)
        if _size(f"{path}-wal"):  # evidence, which closing would move into the database
            connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
        if _version(connection, path) == 0:
            return "it holds nothing"
        _require_complete(connection, path)
        found = [str(line) for (line,) in connection.execute("PRAGMA integrity_check(1)").fetchall()]
    except DatabaseLost as lost:
        return lost.reason
    except (apsw.NotADBError, apsw.CorruptError) as error:
        return f"it is not a sound database ({error})"
    except apsw.Error as error:
        raise fault(f"open the database {path}", error, connection) from error
    finally:
        if connection is not None:
            connection.close()
    return None if found == ["ok"] else f"it is damaged ({found[0]})"


def _require_unused(path: str, traces: Callable[[], str | None]) -> None:
    """Refuse to create a database where there is evidence of an earlier one."""
    found = traces()
    log = f"{path}-wal"
    if found is None and not _size(path) and _size(log):
        found = f"its log {log}"
    if found is not None:
        raise DataDirectoryRefused(
            path,
            f"it is missing or empty, although {found} shows that the registry was in use; {ADVICE}, "
            "or start with another data directory",
        )


def _require_complete(connection: apsw.Connection, path: str) -> None:
    """Refuse a truncated database: SQLite would notice only when it reads a missing page."""
    if _size(f"{path}-wal"):  # pages in the log need not be in the file yet
        return
    size = _number(connection, "PRAGMA page_count") * _number(connection, "PRAGMA page_size")
    if _size(path) < size:
        raise DatabaseLost(path, f"it has {_size(path)} bytes of {size}")


def _size(path: str) -> int:
    try:
        return os.stat(path).st_size
    except FileNotFoundError:
        return 0


def _truncate_log(connection: apsw.Connection, path: str, log_reserve: int) -> None:
    try:
        truncate_log(connection, path, log_reserve)
    except apsw.IOError:  # perhaps a failed sync: the first worker that commits must restart the log
        lock = open_lock(path)
        mark_log_suspect(lock)
        os.close(lock)


def _migrate(connection: apsw.Connection, path: str, upgrading: Callable[[], None]) -> None:
    steps = migrations()
    version = _version(connection, path)
    if version > len(steps):
        raise DataDirectoryRefused(
            path, f"a newer version wrote it (schema {version}, this one knows {len(steps)}); use that version"
        )
    connection.execute("PRAGMA journal_mode = WAL")
    if 0 < version < len(steps):
        _log.warning(
            "upgrading the database from schema %d to %d; this can take minutes, and the registry serves after it",
            version,
            len(steps),
        )
        upgrading()
        take_snapshot(connection, path, version + 1)
    for number, sql in enumerate(steps[version:], start=version + 1):
        connection.execute(
            f"BEGIN IMMEDIATE; {sql}; PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {number}; COMMIT"
        )
    sync(os.path.dirname(path))  # its name; SQLite does so for its other files


def _version(connection: apsw.Connection, path: str) -> int:
    """Return the schema version, 0 for an empty database."""
    application_id = _number(connection, "PRAGMA application_id")
    if application_id == APPLICATION_ID:
        return _number(connection, "PRAGMA user_version")
    if application_id != 0 or _number(connection, "SELECT count(*) FROM sqlite_schema") != 0:
        raise DataDirectoryRefused(path, "it is a database of another program; choose another data directory")
    return 0


def _number(connection: apsw.Connection, sql: str) -> int:
    return int(connection.execute(sql).fetchall()[0][0] or 0)
