"""The composition root: the only module that names adapters, and the one place where layers are put together."""

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol

from simple_registry.access.passwords import verify_password
from simple_registry.access.rules import AccessRules
from simple_registry.access.signed_tokens import GivenKey, SigningKeys, TokenSigner
from simple_registry.access.token_secrets import new_token, token_hash
from simple_registry.authentication.authenticator import Authenticator, ExternalVerifier
from simple_registry.authentication.external_tokens import ExternalTokens
from simple_registry.authentication.issuer_keys import IssuerKeys, KeyRefresh
from simple_registry.authentication.login_memory import KnownLogin, LoginMemory
from simple_registry.authentication.login_throttle import KNOWN_DAYS, LoginThrottle
from simple_registry.authentication.password_verifier import PasswordVerifier
from simple_registry.authentication.token_service import REFRESH_LIFE, TokenService
from simple_registry.clock import Clock, SystemClock
from simple_registry.config.configured import Configured
from simple_registry.config.live_access import CurrentAccess, LiveAccess
from simple_registry.config.load import Loaded
from simple_registry.config.settings import AllowMissing, Settings
from simple_registry.faults import StorageReadOnly
from simple_registry.http import access_log
from simple_registry.http.application import HttpApplication
from simple_registry.http.audit import Audit, Write, rules_line
from simple_registry.http.call import Registry
from simple_registry.http.challenges import Challenger
from simple_registry.http.dispatch import Dispatcher
from simple_registry.http.origins import Origins
from simple_registry.http.proxy_signs import ProxySigns
from simple_registry.measuring import (
    LAYOUT,
    measure_access,
    measure_audit,
    measure_cache,
    measure_certificate,
    measure_collection,
    measure_database,
    measure_issuers,
    measure_logins,
    measure_store,
)
from simple_registry.metrics.measures import Measures
from simple_registry.metrics.processes import Processes
from simple_registry.operations.ageing import Ageing
from simple_registry.operations.blobs import Blobs
from simple_registry.operations.garbage import Garbage
from simple_registry.operations.manifests import Manifests, Required
from simple_registry.operations.referrers import Referrers
from simple_registry.operations.repositories import Repositories
from simple_registry.operations.tags import Tags
from simple_registry.operations.tokens import Tokens
from simple_registry.operations.uploads import Uploads
from simple_registry.periodic import repeat
from simple_registry.server.audit_file import AuditFile
from simple_registry.server.logging import FieldLines
from simple_registry.storage.filesystem.content_store import FilesystemContentStore
from simple_registry.storage.filesystem.data_directory import DataDirectory
from simple_registry.storage.filesystem.disk import Disk
from simple_registry.storage.filesystem.key_file import KeyFile
from simple_registry.storage.filesystem.layout import Layout
from simple_registry.storage.filesystem.login_file import LoginFile
from simple_registry.storage.filesystem.threads import Threads
from simple_registry.storage.filesystem.upload_store import FilesystemUploadStore
from simple_registry.storage.protocols import ContentStore, Rows, UploadStore
from simple_registry.storage.sqlite.all_rows import rows_of
from simple_registry.storage.sqlite.engine.database import Database
from simple_registry.storage.sqlite.engine.migrate import migrate, require_current
from simple_registry.storage.sqlite.engine.reserve import LOG_RESERVE
from simple_registry.upstream.client import HttpsFetcher
from simple_registry.wire.exchange import Client
from simple_registry.wire.heads import RequestHead

logger = logging.getLogger("simple_registry")

PASSWORD_THREADS = 2
"""Threads that hash passwords: more would take the cores away from requests that are already authenticated."""

MAINTENANCE_WORKER = 0
"""The worker that does maintenance; one is enough, and several would be safe."""

KEY_LIFE = 30 * 24 * 3600
"""Seconds for which a signing key signs before the next one takes over."""

KEY_KEPT = REFRESH_LIFE + 24 * 3600
"""Seconds for which it verifies after that: as long as anything that it signed is good for something."""

_REQUIRED = {
    AllowMissing.NONE: Required(),
    AllowMissing.INDEXES: Required(children=False),
    AllowMissing.ALL: Required(blobs=False, children=False),
}


@dataclass(frozen=True, slots=True)
class Stores:
    """Where everything is kept."""

    rows: Rows
    content: ContentStore
    uploads: UploadStore


class Background(Protocol):
    """Work beside requests."""

    async def run(self) -> None:
        """Work until cancelled."""
        ...


class Application(Protocol):
    """What a worker serves."""

    async def start(self) -> None:
        """Begin background work; called once, on the worker's event loop."""
        ...

    async def stop(self) -> None:
        """Finish writes under way and let go of the stores."""
        ...

    def metrics(self) -> bytes:
        """Return the metrics of all workers."""
        ...

    def follow_certificate(self, ends: Callable[[], float]) -> None:
        """Show in the metrics when the certificate `ends`, Unix time."""
        ...

    @property
    def http(self) -> HttpApplication:
        """What requests are handed to."""
        ...

    def find_client(self, peer: str, head: RequestHead | None) -> Client:
        """Return the client behind a peer, from the head of a request where there is one."""
        ...

    def trusts(self, peer: str) -> bool:
        """Return whether a peer is a proxy that may say whom it speaks for."""
        ...


@dataclass(frozen=True, slots=True)
class Trust:
    """What decides who may do what: the rules in force at each moment, and the keys of our and of foreign tokens."""

    access: CurrentAccess
    signing_keys: SigningKeys
    external: ExternalVerifier


class RegistryApplication:
    """A registry over some stores."""

    def __init__(
        self,
        settings: Settings,
        stores: Stores,
        trust: Trust,
        clock: Clock,
        *,
        log: access_log.Write = access_log.write_record,
        measures: Measures | None = None,
        audit: Write | None = None,
        logins: LoginMemory | None = None,
        keep_login: Callable[[KnownLogin], None] | None = None,
    ) -> None:
        """Put the layers together.

        Without `measures` and `logins`, this process measures and remembers for itself alone; `keep_login` writes a
        login to where the next start finds it, and waits for the disk.
        """
        self._measures = measures = measures or Measures(Processes(LAYOUT, 1))
        self._stores = stores
        self._access = trust.access
        self._external = trust.external
        self._tasks: list[asyncio.Task[None]] = []
        self._executor = ThreadPoolExecutor(PASSWORD_THREADS, thread_name_prefix="passwords")
        self._write_login = keep_login
        self._tokens = Tokens(stores.rows.tokens, clock, new_secret=new_token, hash_secret=token_hash)
        self.background: list[Background] = [measures]
        """What `start` starts; filled before."""
        limits = settings.limits
        rows = stores.rows
        uploads = Uploads(
            rows.sessions,
            rows.blobs,
            rows.contents,
            stores.uploads,
            stores.content,
            clock=clock,
            session_limit=limits.sessions,
            session_share=limits.sessions_per_identity,
        )
        self.garbage = Garbage(
            rows.garbage,
            rows.tokens,
            stores.content,
            uploads,
            ageing=Ageing(clock),
            grace=settings.garbage_collection.grace,
            session_life=limits.session_life,
            is_user=lambda name: self._rules().identity(name) is not None,
            known=lambda name: self._rules().knows(name),
        )
        signer = TokenSigner(trust.signing_keys)
        memory = logins or LoginMemory()
        throttle = LoginThrottle(memory, clock, self._keep_login)
        self._passwords = PasswordVerifier(
            verify=verify_password,
            executor=self._executor,
            threads=PASSWORD_THREADS,
            clock=clock,
            memory=memory,
            throttle=throttle,
        )
        authenticator = Authenticator(
            self._rules,
            passwords=self._passwords,
            tokens=self._tokens,
            signer=signer,
            external=trust.external,
            clock=clock,
        )
        manifests = Manifests(rows, stores.content, _REQUIRED[settings.allow_missing])
        registry = Registry(
            blobs=Blobs(rows.blobs, stores.content),
            uploads=uploads,
            manifests=manifests,
            tags=Tags(rows.tags, rows.repositories),
            referrers=Referrers(rows.manifests),
            repositories=Repositories(rows.repositories),
            tokens=self._tokens,
            token_service=TokenService(authenticator, signer, clock, life=settings.web.token_timeout),
            manifest_size=limits.manifest_size,
            tags_per_push=limits.tags_per_push,
            readiness=self._readiness,
            metrics=measures.text,
        )
        origins = Origins(settings.web.external_url, settings.web.trusted_proxies)
        challenger = Challenger(settings.web.challenge, origins)
        proxies = ProxySigns(origins, memory, throttle)
        dispatcher = Dispatcher(registry, authenticator, challenger, proxies, rules=self._rules, clock=clock)
        self.find_client = origins.find_client
        self.trusts = origins.trusts
        self.http = HttpApplication(
            dispatcher,
            clock=clock,
            observe=measures.requests.observe,
            log=log,
            audit=Audit(audit) if audit is not None else None,
        )
        measure_cache(measures, "logins", authenticator.recent)
        measure_cache(measures, "manifests", manifests.cache)
        measure_logins(measures, dispatcher)
        measure_issuers(measures, lambda: self._rules().issuers, trust.external)
        measure_store(measures, rows.sessions.count_sessions, settings.data_dir)

    def _rules(self) -> AccessRules:
        return self._access.rules

    def _keep_login(self, login: KnownLogin) -> None:
        """Write a login to where the next start finds it, in a thread."""
        if self._write_login is not None:
            with suppress(RuntimeError):  # everything ends, the threads first
                self._executor.submit(self._write_login, login)

    def _readiness(self) -> Mapping[str, object]:
        self._stores.rows.check()
        self._stores.content.check()
        return {
            "configuration": "current" if self._access.status.ok else "stale",
            "staleIssuers": self._external.stale(self._rules().issuers),
            "storage": self._stores.uploads.condition(),
        }

    async def start(self) -> None:
        """Start the background work of this worker."""
        self._tasks = [asyncio.create_task(work.run()) for work in self.background]

    async def stop(self) -> None:
        """Finish writes under way and let go of the stores."""
        self._measures.look()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._external.close()
        await self._tokens.settle()
        self._passwords.close()
        self._executor.shutdown(wait=False, cancel_futures=True)
        await self._stores.rows.close()

    def metrics(self) -> bytes:
        """Return the metrics of all workers."""
        return self._measures.text()

    def follow_certificate(self, ends: Callable[[], float]) -> None:
        """Show in the metrics when the certificate `ends`, Unix time."""
        measure_certificate(self._measures, ends)


class Maintenance:
    """What one worker does for all from time to time: collect garbage, renew the signing key."""

    def __init__(self, garbage: Garbage, keys: KeyFile | None, clock: Clock, *, interval: float) -> None:
        """Do a round every `interval` seconds; `keys` are ours to renew, unless the operator gave one."""
        self._garbage = garbage
        self._keys = keys
        self._clock = clock
        self._interval = interval
        self.collected = Counter({"sessions": 0, "contents": 0, "tokens": 0})
        """What was removed so far."""

    async def run(self) -> None:
        """Do rounds until cancelled; a round that fails is repeated by the next."""
        await repeat(self._round, self._interval, "maintenance")

    async def _round(self) -> None:
        try:
            await self._maintain()
        except StorageReadOnly as fault:
            logger.warning("maintenance waits, the storage is read-only: %s", fault)

    async def _maintain(self) -> None:
        collected = await self._garbage.collect()
        fields = {"sessions": collected.sessions, "contents": collected.contents, "tokens": collected.tokens}
        self.collected.update(fields)
        level = logging.INFO if any(fields.values()) else logging.DEBUG
        logger.log(level, "garbage collected", extra={"fields": fields})
        now = self._clock.now()
        if self._keys is not None and self._keys.current().created < now - KEY_LIFE:
            await asyncio.to_thread(self._keys.rotate, now, KEY_KEPT)
            logger.info("the signing key was renewed")


def prepare(settings: Settings) -> DataDirectory:
    """Claim the data directory and bring its database up to date, before workers are forked.

    The claim lasts while the returned value, or any forked worker, lives.

    Raises: StorageFault, in one line that says what to do.
    """
    directory = DataDirectory.claim(settings.data_dir)
    database = directory.layout.database
    if directory.read_only:
        require_current(database)
        logger.warning("the data directory is read-only: pulls are served, nothing can be pushed or deleted")
    else:
        migrate(database, traces=directory.traces, log_reserve=LOG_RESERVE)
    if settings.web.token_secret is None:
        KeyFile(directory.layout.signing_keys, SystemClock()).prepare()
    return directory


def remembered_logins(settings: Settings) -> LoginMemory:
    """Return what all workers are to remember of logins, with those of before from the prepared data directory."""
    return LoginMemory(KnownLogin(*login) for login in _login_file(settings).load())


def _login_file(settings: Settings) -> LoginFile:
    return LoginFile(Layout(settings.data_dir).logins, Disk(), SystemClock(), keep_days=KNOWN_DAYS)


def build(
    configured: Configured, worker: int, processes: Processes | None = None, logins: LoginMemory | None = None
) -> Application:
    """Return the registry that a worker serves from its prepared data directory.

    It is measured as one of `processes`, and shares what it remembers of `logins` with them.
    """
    settings, clock = configured.settings, SystemClock()
    layout = Layout(settings.data_dir)
    disk, threads = Disk(), Threads()
    database = Database(layout.database, log_reserve=LOG_RESERVE)
    stores = Stores(
        rows=rows_of(database, clock),
        content=FilesystemContentStore(layout, disk, threads),
        uploads=FilesystemUploadStore(layout, disk, threads),
    )
    secret = settings.web.token_secret
    key_file = KeyFile(layout.signing_keys, clock) if secret is None else None
    access = LiveAccess(configured.documents)
    issuer_keys = IssuerKeys(HttpsFetcher(), clock)
    trust = Trust(
        access=access,
        signing_keys=key_file or GivenKey(secret.reveal().encode() if secret else b""),
        external=ExternalTokens(issuer_keys, clock),
    )
    measures = Measures(processes or Processes(LAYOUT, 1))
    measure_access(measures, access)
    measure_database(measures, database)
    log = FieldLines(access_log.logger.name, access_log.MESSAGE)
    audit_file = None if settings.audit is None else AuditFile(settings.audit)
    if audit_file is not None:
        measure_audit(measures, audit_file)
    login_file = _login_file(settings)
    application = RegistryApplication(
        settings,
        stores,
        trust,
        clock,
        log=log,
        measures=measures,
        audit=audit_file.write if audit_file else None,
        logins=logins,
        keep_login=lambda login: login_file.add(login.user, login.network, login.day),
    )
    application.background += [access, KeyRefresh(issuer_keys, lambda: access.rules.issuers)]
    if worker == MAINTENANCE_WORKER:
        interval = settings.garbage_collection.interval
        maintenance = Maintenance(application.garbage, key_file, clock, interval=interval)
        measure_collection(measures, maintenance.collected)
        application.background.append(maintenance)
    return application


def audit_rules(settings: Settings, documents: Loaded) -> None:
    """Write to the audit stream, if there is one, which rules are in force from now on; never raises."""
    if settings.audit is not None:
        stream = AuditFile(settings.audit)
        stream.write(rules_line(documents.digest, documents.rules))
        stream.close()
