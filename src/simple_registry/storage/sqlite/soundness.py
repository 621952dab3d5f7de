"""Whether a database is one at all: the question before anything opens, creates or brings up to date."""

import os

import apsw

from simple_registry.storage.sqlite.connections import open_connection


def trouble(path: str) -> str | None:
    """Return why the database at `path` is none, in words; `None` when it has tables that can be read.

    A database that is damaged further in is found by `SqliteInventory.check_database`.
    """
    try:
        size = os.stat(path).st_size  # noqa: PTH116 (paths are plain strings here)
    except FileNotFoundError:
        return "it is missing"
    except OSError as error:
        return f"it cannot be looked at ({error.strerror})"
    if size == 0:
        return "it is empty"
    try:
        connection = open_connection(path, query_only=True)
        try:
            tables = connection.execute("SELECT count(*) FROM sqlite_schema").fetchall()[0][0]
        finally:
            connection.close()
    except (apsw.NotADBError, apsw.CorruptError) as error:
        return f"it is not a sound database ({error})"
    return None if tables else "it has no tables"
