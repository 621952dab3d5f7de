"""How unheld content is found, and the lock under which it goes; the rest stands in the contracts."""

import asyncio
import threading

from simple_registry.storage.records import ContentRemoved
from simple_registry.storage.sqlite.all_rows import rows_of
from simple_registry.storage.sqlite.engine.database import Database
from storage.support import OTHER, REPOSITORY, blob_of, run, yes

BLOB = blob_of(b"blob")


def test_no_push_in_any_process_finds_content_that_is_about_to_go(path, store, clock):
    """A push that comes while content is being removed asks for it afterwards, and learns that it is gone."""
    removing, go_on = threading.Event(), threading.Event()
    files = {BLOB.digest}

    def remove():
        removing.set()
        go_on.wait()
        files.discard(BLOB.digest)

    async def scenario():
        other = rows_of(Database(path), clock)
        await store.blobs.add_blob(REPOSITORY, BLOB, present=yes)
        await store.blobs.remove_blob(REPOSITORY, BLOB.digest)
        forgetting = asyncio.create_task(store.garbage.forget(BLOB.digest, before=clock.time + 1, remove=remove))
        await asyncio.to_thread(removing.wait)
        pushing = asyncio.create_task(other.blobs.add_blob(OTHER, BLOB, present=lambda _known: BLOB.digest in files))
        await asyncio.sleep(0.05)
        assert not pushing.done()
        go_on.set()
        assert await forgetting
        assert await pushing == ContentRemoved()
        await other.close()

    run(scenario())
    assert not run(store.contents.known(BLOB.digest))
