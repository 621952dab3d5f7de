"""The composition root of commands that work on a data directory beside its server, whether that runs or not.

They do not claim the directory: SQLite and the writers' lock let several processes write. What they do is therefore
seen by a running server at its next look, which for tokens is the next request. They work as the user whose server made
the directory, and as no other.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from simple_registry.access.token_secrets import new_token, token_hash
from simple_registry.clock import SystemClock
from simple_registry.operations.fsck.findings import Mode
from simple_registry.operations.fsck.run import Fsck
from simple_registry.operations.manifests import Required
from simple_registry.operations.tokens import Tokens
from simple_registry.operations.uploads import Uploads
from simple_registry.storage.filesystem.content_store import FilesystemContentStore
from simple_registry.storage.filesystem.data_directory import DataDirectory
from simple_registry.storage.filesystem.disk import Disk
from simple_registry.storage.filesystem.inspection import FilesystemInspection
from simple_registry.storage.filesystem.threads import Threads
from simple_registry.storage.filesystem.upload_store import FilesystemUploadStore
from simple_registry.storage.protocols import Rows
from simple_registry.storage.sqlite.all_rows import rows_of
from simple_registry.storage.sqlite.engine.database import Database
from simple_registry.storage.sqlite.engine.migrate import require_current
from simple_registry.storage.sqlite.inspection import SqliteRowInspection

_PAGE = 1000

READERS = 2
"""Threads that read content: enough to keep a disk busy, few enough to leave the processor to the server."""


@asynccontextmanager
async def open_tokens(data_dir: Path) -> AsyncIterator[Tokens]:
    """Lend the operations on tokens of a data directory.

    Raises: StorageFault when the directory or its database is not one that this program can use.
    """
    layout = DataDirectory.find(data_dir)
    require_current(layout.database)
    clock = SystemClock()
    rows = rows_of(Database(layout.database), clock)
    try:
        yield Tokens(rows.tokens, clock, new_secret=new_token, hash_secret=token_hash)
    finally:
        await rows.close()


@asynccontextmanager
async def open_uploads(data_dir: Path) -> AsyncIterator[Uploads]:
    """Lend the operations on the upload sessions of a data directory; none is begun.

    Raises: StorageFault when the directory or its database is not one that this program can use.
    """
    layout = DataDirectory.find(data_dir)
    require_current(layout.database)
    clock, disk, threads = SystemClock(), Disk(), Threads()
    rows = rows_of(Database(layout.database), clock)
    files, content = FilesystemUploadStore(layout, disk, threads), FilesystemContentStore(layout, disk, threads)
    try:
        yield Uploads(
            rows.sessions,
            rows.blobs,
            rows.contents,
            files,
            content,
            clock=clock,
            session_limit=0,
            session_share=0,
        )
    finally:
        await rows.close()
        threads.close()


async def read_scopes(data_dir: Path) -> list[str]:
    """Return every repository of a data directory, and every tag as `repository:tag`; nothing is written.

    Raises: StorageFault when the directory or its database is not one that this program can use.
    """
    layout = DataDirectory.find(data_dir)
    require_current(layout.database)
    rows = rows_of(Database(layout.database), SystemClock())
    try:
        return [scope async for scope in _scopes(rows)]
    finally:
        await rows.close()


@asynccontextmanager
async def open_fsck(data_dir: Path, *, required: Required, mode: Mode) -> AsyncIterator[Fsck]:
    """Lend a check of a data directory.

    Raises: DatabaseLost, which is a finding of its own; StorageFault when the directory or its database is not one that
    this program can use, or repair.
    """
    layout = DataDirectory.find(data_dir)
    require_current(layout.database)
    clock, threads = SystemClock(), Threads(READERS)
    rows = SqliteRowInspection(layout.database, clock)
    try:
        files = FilesystemInspection(layout, Disk(), threads)
        yield Fsck(rows, files, clock=clock, required=required, mode=mode)
    finally:
        await rows.close()
        threads.close()


async def _scopes(rows: Rows) -> AsyncIterator[str]:
    after: str | None = None
    while repositories := await rows.repositories.page_repositories(after, _PAGE):
        after = repositories[-1]
        for repository in repositories:
            yield repository
            tag: str | None = None
            while tags := await rows.tags.page_tags(repository, tag, _PAGE):
                tag = tags[-1]
                for each in tags:
                    yield f"{repository}:{each}"
