"""A copy of the database before a migration, for a return to the previous version. The program never removes it."""

import apsw

from simple_registry.faults import DataDirectoryRefused, StorageFull
from simple_registry.storage.sqlite.engine.copies import copy_database


def take_snapshot(connection: apsw.Connection, path: str, number: int) -> None:
    """Copy the database at `path` to `<path>.before-<number>`, durably. Replaces an earlier copy.

    Raises: DataDirectoryRefused when there is no room for it; StorageFault.
    """
    target = f"{path}.before-{number}"
    try:
        copy_database(connection, target)
    except StorageFull as full:
        reason = (
            f"there is no room for the copy that an upgrade needs ({target}); free some, or use the previous version"
        )
        raise DataDirectoryRefused(path, reason) from full
