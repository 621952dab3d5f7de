"""A program that writes rows for a while, and prints their number: `writing.py <database> <name>`."""

import sys
import time

from simple_registry.clock import SystemClock
from simple_registry.oci.names import RepositoryName
from simple_registry.storage.sqlite.all_rows import rows_of
from simple_registry.storage.sqlite.engine.database import Database
from storage.support import blob_of, run
from support.actors import ACTOR

SECONDS = 2.5


async def write(path, name):
    store = rows_of(Database(path), SystemClock())
    print("ready", flush=True)
    sys.stdin.readline()
    end = time.monotonic() + SECONDS
    written, longest = 0, 0.0
    while (start := time.monotonic()) < end:
        await store.blobs.add_blob(RepositoryName(name), blob_of(f"{name} {written}".encode()), removals=0, actor=ACTOR)
        longest = max(longest, time.monotonic() - start)
        written += 1
    await store.close()
    print(written, longest)


if __name__ == "__main__":
    run(write(*sys.argv[1:]))
