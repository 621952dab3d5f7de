"""The composition root: the only module that names adapters, and the one place where layers are put together."""

import asyncio
import contextlib
import logging
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Protocol

from simple_registry.access.passwords import verify_password
from simple_registry.access.policy import AdministratorPolicy
from simple_registry.clock import Clock, SystemClock
from simple_registry.config.settings import AllowMissing, Settings
from simple_registry.faults import StorageFault
from simple_registry.http.authentication import Authenticator, PasswordVerifier
from simple_registry.http.call import Registry
from simple_registry.http.dispatch import Dispatcher
from simple_registry.http.rsgi import HTTPProtocol, RsgiApplication, Scope
from simple_registry.operations.blobs import Blobs
from simple_registry.operations.garbage import Garbage
from simple_registry.operations.manifests import Manifests, Required
from simple_registry.operations.referrers import Referrers
from simple_registry.operations.repositories import Repositories
from simple_registry.operations.tags import Tags
from simple_registry.operations.uploads import Uploads
from simple_registry.storage.filesystem.content_store import FilesystemContentStore
from simple_registry.storage.filesystem.data_directory import DataDirectory
from simple_registry.storage.filesystem.disk import Disk
from simple_registry.storage.filesystem.layout import Layout
from simple_registry.storage.filesystem.threads import Threads
from simple_registry.storage.filesystem.upload_store import FilesystemUploadStore
from simple_registry.storage.protocols import ContentStore, MetadataStore, UploadStore
from simple_registry.storage.sqlite.metadata_store import SqliteMetadataStore
from simple_registry.storage.sqlite.migrate import migrate

logger = logging.getLogger("simple_registry")

PASSWORD_THREADS = 2
"""Threads that hash passwords: more would take the cores away from requests that are already authenticated."""

MAINTENANCE_WORKER = 0
"""The worker that collects garbage; one is enough, and several would be safe."""

_REQUIRED = {
    AllowMissing.NONE: Required(),
    AllowMissing.INDEXES: Required(children=False),
    AllowMissing.ALL: Required(blobs=False, children=False),
}


@dataclass(frozen=True, slots=True)
class Stores:
    """Where everything is kept."""

    metadata: MetadataStore
    content: ContentStore
    uploads: UploadStore


class Application(Protocol):
    """What a worker serves."""

    async def start(self) -> None:
        """Begin background work; called once, on the worker's event loop."""
        ...

    async def stop(self) -> None:
        """Finish writes under way and let go of the stores."""
        ...

    async def __rsgi__(self, scope: Scope, protocol: HTTPProtocol) -> None:
        """Answer one request."""
        ...


class RegistryApplication:
    """A registry over some stores."""

    def __init__(self, settings: Settings, stores: Stores, clock: Clock, *, maintain: bool) -> None:
        """Put the layers together; with `maintain`, `start` also begins to collect garbage."""
        self._settings = settings
        self._stores = stores
        self._maintain = maintain
        self._maintenance: asyncio.Task[None] | None = None
        self._executor = ThreadPoolExecutor(PASSWORD_THREADS, thread_name_prefix="passwords")
        limits = settings.limits
        uploads = Uploads(stores.metadata, stores.uploads, stores.content, clock=clock, session_limit=limits.sessions)
        self.garbage = Garbage(
            stores.metadata,
            stores.content,
            uploads,
            clock=clock,
            grace=settings.garbage_collection.grace,
            session_life=limits.session_life,
        )
        registry = Registry(
            blobs=Blobs(stores.metadata, stores.content),
            uploads=uploads,
            manifests=Manifests(stores.metadata, stores.content, _REQUIRED[settings.allow_missing]),
            tags=Tags(stores.metadata),
            referrers=Referrers(stores.metadata),
            repositories=Repositories(stores.metadata),
            manifest_size=limits.manifest_size,
            tags_per_push=limits.tags_per_push,
            check=stores.metadata.check,
        )
        administrator = settings.administrator
        hashes = {} if administrator is None else {administrator.name: administrator.password_hash.reveal()}
        verifier = PasswordVerifier(hashes, verify=verify_password, executor=self._executor, clock=clock)
        policy = AdministratorPolicy(administrator.name if administrator else "")
        self._rsgi = RsgiApplication(
            Dispatcher(registry, Authenticator(verifier), policy),
            clock=clock,
            body_timeout=limits.body_timeout,
            drain_size=limits.drain_size,
            drain_timeout=limits.drain_timeout,
        )

    async def start(self) -> None:
        """Begin to collect garbage, in the one worker that does."""
        if self._maintain:
            self._maintenance = asyncio.create_task(self._collect_garbage())

    async def stop(self) -> None:
        """Finish writes under way and let go of the stores."""
        if self._maintenance is not None:
            self._maintenance.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._maintenance
        self._executor.shutdown(wait=False, cancel_futures=True)
        await self._stores.metadata.close()

    async def __rsgi__(self, scope: Scope, protocol: HTTPProtocol) -> None:
        """Answer one request."""
        await self._rsgi.__rsgi__(scope, protocol)

    async def _collect_garbage(self) -> None:
        while True:
            await asyncio.sleep(self._settings.garbage_collection.interval)
            try:
                collected = await self.garbage.collect()
            except StorageFault:
                logger.exception("garbage collection failed; the next round tries again")
            else:
                fields = {"sessions": collected.sessions, "contents": collected.contents}
                level = logging.INFO if any(fields.values()) else logging.DEBUG
                logger.log(level, "garbage collected", extra={"fields": fields})


def prepare(settings: Settings) -> DataDirectory:
    """Claim the data directory and bring its database up to date, before workers are forked.

    The claim lasts while the returned value, or any forked worker, lives.

    Raises: StorageFault, in one line that says what to do.
    """
    directory = DataDirectory.claim(settings.data_dir)
    migrate(directory.layout.database)
    return directory


def build(settings: Settings, worker: int) -> Application:
    """Return the registry that a worker serves from its prepared data directory."""
    clock = SystemClock()
    layout = Layout(settings.data_dir)
    disk, threads = Disk(), Threads()
    stores = Stores(
        metadata=SqliteMetadataStore(layout.database, clock=clock),
        content=FilesystemContentStore(layout, disk, threads),
        uploads=FilesystemUploadStore(layout, disk, threads),
    )
    return RegistryApplication(settings, stores, clock, maintain=worker == MAINTENANCE_WORKER)
