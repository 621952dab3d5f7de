"""Stores whose rows are in a database that registries share, and whose content is in an object server.

    OBJECT_SERVER=<port> SHARED_ROWS=<database> python -m support.object_store.backend serve -datadir …

runs a registry over them: what its data directory holds besides (signing keys, logins) is its own.
"""

import os
import sys
from pathlib import Path

from simple_registry.backends import local
from simple_registry.cli.main import main
from simple_registry.clock import Clock
from simple_registry.storage.sqlite.all_rows import rows_of
from simple_registry.storage.sqlite.engine.database import Database
from simple_registry.storage.stores import Stores
from support.object_store.client import Objects
from support.object_store.stores import ObjectContentStore, ObjectUploadStore


def open_stores(database: str, objects: Objects, clock: Clock, *, read_only: bool = False) -> Stores:
    """Open the stores, in one process, on its event loop."""
    rows = Database(database, read_only=read_only)
    return Stores(rows_of(rows, clock), ObjectContentStore(objects), ObjectUploadStore(objects), database=rows)


def _open_stores(data_dir: Path, clock: Clock, *, read_only: bool) -> Stores:
    objects = Objects(int(os.environ["OBJECT_SERVER"]))
    return open_stores(os.environ["SHARED_ROWS"], objects, clock, read_only=read_only)


if __name__ == "__main__":
    local.open_stores = _open_stores
    sys.exit(main())
