"""Removal of bytes, and its pause while a backup is made.

    collector   holds the lock alone, for a few removals, or removes nothing
    backup      shares it with other backups, for as long as it copies

So the content of the rows that a backup copied is there until it has copied that too. The lock is a byte of the
writers' lock file; it ends with its process.
"""

import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

from simple_registry.storage.sqlite.engine.name_locks import name_lock

RETRY_INTERVAL = 0.02
"""Seconds between two attempts of a backup; the collector is done within milliseconds, or seconds on a slow disk."""

_NAME = "removals"


def removing(path: str) -> AbstractContextManager[bool]:
    """Hold the right to remove bytes of the database at `path` for the block. Yield whether there is one.

    Raises (on entering): StorageFault.
    """
    return name_lock(f"{path}.lock", _NAME)


@contextmanager
def without_removals(path: str) -> Iterator[None]:
    """Keep the collector of the database at `path` from removing bytes for the block.

    Raises (on entering): StorageFault.
    """
    ours = False
    while not ours:
        with name_lock(f"{path}.lock", _NAME, shared=True) as ours:
            if ours:
                yield
        if not ours:
            time.sleep(RETRY_INTERVAL)
