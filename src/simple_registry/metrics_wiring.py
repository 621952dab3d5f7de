"""Wiring of metrics: the one place that knows both the metric families and the parts that count."""

from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from math import ceil

from simple_registry import __version__
from simple_registry.access.caller import Identity
from simple_registry.access.policy import BindingPolicy
from simple_registry.access.quotas import Per, Quota
from simple_registry.access.rules import AccessRules
from simple_registry.bounded_cache import CacheCounts
from simple_registry.config.live_access import LiveAccess
from simple_registry.http.dispatch import Dispatcher
from simple_registry.http.quotas import account_of_all
from simple_registry.http.routes import ROUTES
from simple_registry.metrics import families
from simple_registry.metrics.layout import Layout
from simple_registry.metrics.measures import Measures
from simple_registry.operator_warnings import About, OperatorWarnings
from simple_registry.server.audit_file import AuditFile
from simple_registry.services import Services, Trust
from simple_registry.storage.protocols.usage import UsageRows
from simple_registry.storage.quotas import Measure
from simple_registry.storage.records import Origin
from simple_registry.storage.stores import Stores
from simple_registry.ui.page_routes import PAGE, PAGE_METHODS

LAYOUT = Layout(
    [
        *((endpoint.name, method) for route in ROUTES for method, endpoint in route.endpoints.items()),
        *((PAGE, method) for method in PAGE_METHODS),
    ]
)


class Decisions:
    """Hits and misses of the decision caches of all policies so far; each reload makes a new policy."""

    def __init__(self, policy: Callable[[], BindingPolicy]) -> None:
        self._policy = policy
        self._seen = policy()
        self._before = (0, 0)

    @property
    def hits(self) -> int:
        """Number of decisions found in a cache."""
        return self._counts()[0]

    @property
    def misses(self) -> int:
        """Number of decisions not found."""
        return self._counts()[1]

    def _counts(self) -> tuple[int, int]:
        hits, misses = self._seen.remembered
        hits, misses = self._before[0] + hits, self._before[1] + misses
        current = self._policy()
        if current is not self._seen:
            # Later counts of the old policy, by requests that still use it, are lost.
            self._seen, self._before = current, (hits, misses)
        return hits, misses


class NearLimits:
    """Counts, for each quota, the repositories or users that use the share from which on it warns."""

    def __init__(self, usage: UsageRows, rules: Callable[[], AccessRules]) -> None:
        self._usage = usage
        self._rules = rules

    async def count(self) -> Mapping[tuple[str, ...], float]:
        """Return the numbers by quota."""
        return {(quota.name,): await self._count(quota) for quota in self._rules().quotas}

    async def _count(self, quota: Quota) -> int:
        bounds = {Measure(word): ceil(limit * quota.warn_at) for word, limit in quota.limits.items()}
        match quota.per:
            case Per.REPOSITORY:
                return sum(quota.reaches(name) for name in await self._usage.repositories_above(bounds))
            case Per.ALL:
                used = await self._usage.amounts(account_of_all(quota))
                return int(any(used[measure] >= bound for measure, bound in bounds.items()))
            case Per.USER:
                known = [self._identity(name) for name in await self._usage.identities_above(bounds)]
                return sum(quota.limits_identity(identity) for identity in known)

    def _identity(self, name: str) -> Identity:
        """Return an identity; groups that only tokens of an issuer state are not known here."""
        return self._rules().identity(name) or Identity(name)


def _by_word(values: Mapping[str, float]) -> Mapping[tuple[str, ...], float]:
    return {(word,): value for word, value in values.items()}


def measure_services(measures: Measures, services: Services, dispatcher: Dispatcher) -> None:
    """Export rejected credentials, caches, keys of issuers, open uploads, and the state of the stores."""
    measures.watch(families.LOGIN_FAILURES, lambda: dispatcher.failed_passwords, "password")
    measures.watch(families.LOGIN_FAILURES, lambda: dispatcher.failed_tokens, "token")
    _measure_cache(measures, "logins", services.authentication.authenticator.recent)
    _measure_cache(measures, "manifests", services.registry.manifests.cache)
    _measure_issuers(measures, services.trust)
    _measure_stores(measures, services.stores)
    measures.query(families.QUOTAS_NEAR, NearLimits(services.stores.rows.usage, services.trust.rules).count)
    _measure_read_only(measures, services.registry.read_only.find)
    _measure_warnings(measures, services.warnings)
    measures.ask(families.INFO, lambda: {(__version__,): 1})


def _measure_cache(measures: Measures, name: str, cache: CacheCounts) -> None:
    measures.watch(families.CACHE_HITS, lambda: cache.hits, name)
    measures.watch(families.CACHE_MISSES, lambda: cache.misses, name)


def _measure_issuers(measures: Measures, trust: Trust) -> None:
    """Export which issuers' keys cannot be fetched, as this process sees it."""

    def stale() -> Mapping[tuple[str, ...], float]:
        trusted = trust.rules().issuers
        names = trust.external.stale(trusted)
        return {(issuer.name,): float(issuer.name in names) for issuer in trusted}

    measures.ask(families.ISSUER_KEYS_STALE, stale)


def _measure_stores(measures: Measures, stores: Stores) -> None:
    database, disk_space = stores.database, stores.disk_space

    async def collected() -> Mapping[tuple[str, ...], float]:
        last = await stores.rows.collections.last_collections()
        return {(): next((row.ended for row in last if row.origin is Origin.SCHEDULE), 0.0)}

    async def open_uploads() -> Mapping[tuple[str, ...], float]:
        return {(): await stores.rows.sessions.count_sessions()}

    async def held() -> Mapping[tuple[str, ...], float]:
        total = await stores.rows.usage.total_usage()
        usage = total.usage
        counts = {"tags": usage.tags, "manifests": usage.manifests, "blobs": usage.blobs}
        return _by_word({"repositories": total.repositories, **counts})

    async def held_bytes() -> Mapping[tuple[str, ...], float]:
        total = await stores.rows.usage.total_usage()
        usage = total.usage
        held = {"counted": usage.bytes, "unneeded": usage.unneeded_bytes, "deleted": usage.deleted_bytes}
        return _by_word({**held, "shared": total.shared_bytes})

    async def stored_bytes() -> Mapping[tuple[str, ...], float]:
        total = await stores.rows.usage.total_usage()
        return _by_word({"held": total.content_bytes, "condemned": total.condemned_bytes})

    measures.query(families.COLLECTION_TIME, collected)
    measures.query(families.UPLOADS_OPEN, open_uploads)
    measures.query(families.HELD, held)
    measures.query(families.HELD_BYTES, held_bytes)
    measures.query(families.STORED_BYTES, stored_bytes)
    if database is not None:
        measures.watch_commits(lambda: database.commit_sizes)
        _measure_cache(measures, "rows", database)
    if disk_space is not None:
        measures.ask(families.DISK_FREE, lambda: {(): disk_space().free})
        measures.ask(families.DISK_SIZE, lambda: {(): disk_space().size})


def _measure_read_only(measures: Measures, find: Callable[[], Awaitable[object | None]]) -> None:
    """Export whether the read-only mode is on."""

    async def is_on() -> Mapping[tuple[str, ...], float]:
        return {(): float(await find() is not None)}

    measures.query(families.READ_ONLY, is_on)


def _measure_warnings(measures: Measures, warnings: OperatorWarnings) -> None:
    """Export since when there is each warning."""

    def since() -> Mapping[tuple[str, ...], float]:
        found = {about: warned.since for about, warned in warnings.current().items()}
        return {(about,): found.get(about, 0.0) for about in About}

    measures.ask(families.WARNINGS, since)


def measure_access(measures: Measures, access: LiveAccess) -> None:
    """Export reloads of the access rules, and how often decisions came from the cache."""
    measures.watch(families.ACCESS_RELOADS, lambda: access.reloads, "done")
    measures.watch(families.ACCESS_RELOADS, lambda: access.failures, "failed")
    measures.watch(families.ACCESS_STALE, lambda: access.stale is not None)
    _measure_cache(measures, "decisions", Decisions(lambda: access.rules.policy))


def measure_audit(measures: Measures, audit: AuditFile) -> None:
    """Export the number of lines in the audit log, and of lines lost."""
    measures.watch(families.AUDIT_LINES, lambda: audit.lines)
    measures.watch(families.AUDIT_FAILURES, lambda: audit.failures)


def measure_collection(measures: Measures, collected: Mapping[str, int]) -> None:
    """Export what garbage collection removed."""
    for what in collected:
        measures.watch(families.COLLECTED, partial(collected.__getitem__, what), what)


def measure_scrub(
    measures: Measures, counts: Mapping[str, int], read: Callable[[], int], overdue: Callable[[], float]
) -> None:
    """Export the contents and bytes that were read in the background, and how late that is."""
    for result in counts:
        measures.watch(families.SCRUBBED, partial(counts.__getitem__, result), result)
    measures.watch(families.SCRUBBED_BYTES, read)
    measures.watch(families.SCRUB_OVERDUE, overdue)


def measure_retention(measures: Measures, removed: Callable[[], int]) -> None:
    """Export the number of tags that retention removed."""
    measures.watch(families.RETIRED, removed)


def measure_certificate(measures: Measures, ends: Callable[[], float]) -> None:
    """Export the end of the certificate."""
    measures.ask(families.CERTIFICATE_EXPIRY, lambda: {(): ends()})
