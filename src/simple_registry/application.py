"""The registry that a worker serves: its services behind HTTP, and the work beside requests.

settings, documents ──► stores (backend) + trust ──► services ──► HTTP
                                                         └─────► background work: rules, keys, metrics, maintenance
"""

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from typing import Protocol

from simple_registry.access.signed_tokens import GivenKey, SigningKeys
from simple_registry.authentication.external_tokens import ExternalTokens
from simple_registry.authentication.issuer_keys import IssuerKeys, KeyRefresh
from simple_registry.authentication.login_memory import KnownLogin, LoginMemory
from simple_registry.authentication.login_throttle import KNOWN_DAYS
from simple_registry.backends import local
from simple_registry.clock import Clock, SystemClock
from simple_registry.config.live_access import LiveAccess
from simple_registry.config.load import Configured
from simple_registry.config.settings import Settings
from simple_registry.http import access_log
from simple_registry.http.application import HttpApplication
from simple_registry.http.audit import Audit, Write
from simple_registry.http.challenges import Challenger
from simple_registry.http.dispatch import Dispatcher
from simple_registry.http.proxy_signs import ProxySigns
from simple_registry.maintenance import Maintenance, RenewableKeys
from simple_registry.metrics.measures import Measures
from simple_registry.metrics.processes import Processes
from simple_registry.metrics_wiring import (
    measure_access,
    measure_audit,
    measure_certificate,
    measure_collection,
    measure_retention,
    measure_scrub,
    measure_services,
)
from simple_registry.operator_warnings import About
from simple_registry.server.audit_file import AuditFile
from simple_registry.server.logging import FieldLines
from simple_registry.services import Logins, Services, Trust, build_scrub, build_services
from simple_registry.times import format_moment
from simple_registry.ui.site import Site
from simple_registry.upstream.client import HttpsFetcher

MAINTENANCE_WORKER = 0
"""The worker that does maintenance. One is enough; several would be safe."""


class Background(Protocol):
    """Work beside requests."""

    async def run(self) -> None:
        """Work until cancelled."""


class Application:
    """A registry; what `server.worker` serves."""

    def __init__(
        self,
        services: Services,
        settings: Settings,
        clock: Clock,
        *,
        measures: Measures,
        background: Sequence[Background] = (),
        log: access_log.Write = access_log.write_record,
        audit: Write | None = None,
    ) -> None:
        self.services = services
        self.background: Sequence[Background] = (measures, services.warnings, *background)
        self._measures = measures
        self._tasks: list[asyncio.Task[None]] = []
        origins = services.registry.origins
        dispatcher = Dispatcher(
            services.registry,
            services.authentication.authenticator,
            Challenger(settings.web.challenge, origins),
            ProxySigns(origins, services.authentication.logins, services.authentication.throttle),
            rules=services.trust.rules,
            clock=clock,
            pages=Site(services.registry, services.authentication.authenticator) if settings.web.ui else None,
        )
        self.find_client = origins.find_client
        self.trusts = origins.trusts
        self.metrics = measures.text
        self.http = HttpApplication(
            dispatcher,
            clock=clock,
            observe=measures.requests.observe,
            log=log,
            audit=Audit(audit) if audit is not None else None,
        )
        measure_services(measures, services, dispatcher)

    async def start(self) -> None:
        """Start the background work of this worker."""
        self._tasks = [asyncio.create_task(work.run()) for work in self.background]

    async def stop(self) -> None:
        """End the background work, finish the writes under way and close the stores."""
        self._measures.copy()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.services.close()

    def follow_certificate(self, ends: Callable[[], float], warning: Callable[[], str | None]) -> None:
        """Export the end of the certificate, which `ends` returns as Unix time, and the `warning` about it, if any."""
        measure_certificate(self._measures, ends)
        self.services.warnings.watch(About.CERTIFICATE, warning)


def build(configured: Configured, worker: int, processes: Processes, logins: LoginMemory) -> Application:
    """Build the registry of one worker over its claimed data directory.

    It is measured as one of `processes`, and shares what it knows of `logins` with them.
    """
    settings, clock = configured.settings, SystemClock()
    access, issuer_keys = LiveAccess(configured.documents), IssuerKeys(HttpsFetcher(), clock)
    signing_keys, renewable_keys = _signing_keys(settings, clock)
    login_file = local.open_login_file(settings.data_dir, clock, keep_days=KNOWN_DAYS)
    measures = Measures(processes)
    services = build_services(
        settings,
        local.open_stores(settings.data_dir, clock, read_only=settings.read_only),
        Trust(access, signing_keys, ExternalTokens(issuer_keys, clock)),
        clock,
        logins=Logins(logins, write=lambda login: login_file.add(login.user, login.network, login.day)),
        metrics=measures.text,
    )
    measure_access(measures, access)
    services.warnings.watch(About.RELOAD, partial(_reload_warning, processes))
    services.warnings.logs = worker == MAINTENANCE_WORKER
    background: list[Background] = [
        access,
        services.registry.pulls,
        KeyRefresh(issuer_keys, lambda: access.rules.issuers),
    ]
    if worker == MAINTENANCE_WORKER:
        interval = settings.garbage_collection.interval
        snapshots = local.open_snapshots(
            settings.data_dir, clock, keep=settings.storage.snapshots, interval=settings.storage.snapshot_interval
        )
        maintenance = Maintenance(
            services.garbage,
            services.retention,
            renewable_keys,
            services.registry.read_only,
            clock,
            pruning=services.pruning,
            snapshots=snapshots,
            interval=interval,
        )
        measure_collection(measures, maintenance.collected)
        measure_retention(measures, lambda: services.retention.removed)
        background.append(maintenance)
        if settings.scrub.period:
            scrub = build_scrub(settings, services, partial(local.inspection_for_command, settings.data_dir), clock)
            measure_scrub(measures, scrub.counts, lambda: scrub.progress.bytes_read, lambda: scrub.overdue)
            background.append(scrub)
    audit_file = None if settings.audit is None else AuditFile(settings.audit)
    if audit_file is not None:
        measure_audit(measures, audit_file)
    return Application(
        services,
        settings,
        clock,
        measures=measures,
        background=background,
        log=FieldLines(access_log.logger.name, access_log.MESSAGE),
        audit=audit_file.write if audit_file else None,
    )


def _reload_warning(processes: Processes) -> str | None:
    """Return the warning while the last reload failed."""
    since = processes.failing_since
    return f"reloads have failed since {format_moment(since)}, and older settings are in use" if since else None


def load_logins(settings: Settings) -> LoginMemory:
    """Return the memory of logins that all workers share, with those that the data directory keeps."""
    file = local.open_login_file(settings.data_dir, SystemClock(), keep_days=KNOWN_DAYS)
    return LoginMemory(KnownLogin(*login) for login in file.load())


def _signing_keys(settings: Settings, clock: Clock) -> tuple[SigningKeys, RenewableKeys | None]:
    """Return the keys that sign, and the same again where they are ours to renew."""
    secret = settings.web.token_secret
    if secret is not None:
        return GivenKey(secret.reveal().encode()), None
    file = local.open_key_file(settings.data_dir, clock)
    return file, file
