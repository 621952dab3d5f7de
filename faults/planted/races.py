"""Bugs that appear when many clients and workers meet; `faults.planted.bugs` names them."""

import asyncio
from contextlib import nullcontext
from dataclasses import replace
from itertools import count

from simple_registry.operations.blobs import Blobs
from simple_registry.operations.uploads import Uploads
from simple_registry.storage.filesystem.disk import Disk
from simple_registry.storage.records import BlobRemoved
from simple_registry.storage.sqlite.engine import name_locks
from simple_registry.storage.sqlite.engine.commits import Commits
from simple_registry.storage.sqlite.engine.database import Database
from simple_registry.storage.sqlite.rows.blobs import SqliteBlobRows
from simple_registry.storage.sqlite.rows.manifests import SqliteManifestRows


def stale_cache() -> None:
    """A worker believes what it read until it writes something itself."""
    write = Database.write

    def cached(self, question, read, *_weigh):
        if question not in self._answers:
            self._answers[question] = read()
        return self._answers[question]

    async def write_and_forget(self, apply, **how):
        try:
            return await write(self, apply, **how)
        finally:
            self._answers = {}

    Database.cached = cached
    Database.write = write_and_forget


def lost_tag_update() -> None:
    """One tag of twenty stays where it was, although its push was acknowledged."""
    put, pushes = SqliteManifestRows.put_manifest, count(1)

    async def put_without_tags(self, repository, manifest, *, tags, **how):
        return await put(self, repository, manifest, tags=tags if next(pushes) % 20 else (), **how)

    SqliteManifestRows.put_manifest = put_without_tags


def deletion_of_nothing() -> None:
    """Two clients that delete the same blob both get success."""
    remove = SqliteBlobRows.remove_blob

    async def remove_or_not(self, repository, digest, **how):
        await remove(self, repository, digest, **how)
        return BlobRemoved()

    SqliteBlobRows.remove_blob = remove_or_not


def mount_of_anything() -> None:
    """A mount asks whether the content is there, not whether its source holds it."""
    mount = Blobs.mount

    async def mount_from_anywhere(self, repository, digest, *, actor, **_how):
        return await mount(self, repository, digest, source=None, visible=lambda _: True, actor=actor)

    Blobs.mount = mount_from_anywhere


def undone_deletion() -> None:
    """A push adds its blob once more after others could see it, and delete it."""
    complete = Uploads._complete

    async def complete_twice(self, row, expected, actor, allowances):
        blob = await complete(self, row, expected, actor, allowances)
        await asyncio.sleep(0.01)
        removals = await self._contents._rows.removals()
        await self._blobs.add_blob(row.repository, blob, removals=removals, actor=actor)
        return blob

    Uploads._complete = complete_twice


def short_listing() -> None:
    """The last entry of a list is left out."""
    page = SqliteManifestRows.page_referrers

    async def page_but_one(self, *which, **how):
        rows, more = await page(self, *which, **how)
        return rows[:-1], more and len(rows) > 1

    SqliteManifestRows.page_referrers = page_but_one


def no_session_lock() -> None:
    """Two requests write to one upload at once."""
    name_locks._lock = lambda *_: True
    Disk.try_lock = lambda *_: True
    Disk.lock = lambda *_: None


def resume_trusts_client() -> None:
    """A chunk is taken for the next one, wherever its client says that it begins."""
    extend = Uploads._extend
    Uploads._extend = lambda self, row, chunk, **how: extend(self, row, replace(chunk, start=None), **how)


def sleeping_writers() -> None:
    """Processes do not queue for the database; each sleeps and tries again, as SQLite does by itself."""
    Commits._locked = lambda _self: nullcontext()


RACES = (
    stale_cache,
    lost_tag_update,
    deletion_of_nothing,
    mount_of_anything,
    undone_deletion,
    short_listing,
    no_session_lock,
    resume_trusts_client,
    sleeping_writers,
)
