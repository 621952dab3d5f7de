"""The services of a registry: its operations and its authentication, built from stores, trust, a clock and settings.

Nothing here does I/O or starts anything; `application` does both.
"""

import platform
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

from simple_registry import __version__
from simple_registry.access.passwords import verify_password
from simple_registry.access.rules import AccessRules
from simple_registry.access.signed_tokens import SigningKeys, TokenSigner
from simple_registry.access.token_secrets import new_token, token_hash
from simple_registry.authentication.authenticator import Authenticator
from simple_registry.authentication.external_tokens import ExternalTokens
from simple_registry.authentication.login_memory import KnownLogin, LoginMemory
from simple_registry.authentication.login_throttle import LoginThrottle
from simple_registry.authentication.password_verifier import PasswordVerifier, Verify
from simple_registry.authentication.token_service import TokenService
from simple_registry.authentication.web_sessions import WebSessions
from simple_registry.bounded_cache import BoundedCache
from simple_registry.clock import Clock
from simple_registry.config.live_access import CurrentAccess
from simple_registry.config.settings import AllowMissing, DeleteReferenced, Settings
from simple_registry.http.call import Condition, Registry
from simple_registry.http.origins import Origins
from simple_registry.operations.blobs import Blobs
from simple_registry.operations.collection import Collection, Pace
from simple_registry.operations.collector import Collector, Schedule
from simple_registry.operations.contents import Contents
from simple_registry.operations.cutoffs import Cutoffs
from simple_registry.operations.explanations import Explanations
from simple_registry.operations.garbage import Garbage, Untagged
from simple_registry.operations.history import History, Pruning
from simple_registry.operations.issued_tokens import Tokens
from simple_registry.operations.manifests import Manifests, Required
from simple_registry.operations.pulls import Pulls
from simple_registry.operations.quotas import Quotas
from simple_registry.operations.read_only import ReadOnly
from simple_registry.operations.referrers import Referrers
from simple_registry.operations.renewals import Renewals
from simple_registry.operations.repositories import Repositories
from simple_registry.operations.retention import Policies, TagRetention
from simple_registry.operations.scrub import OpenInspection, Scrub
from simple_registry.operations.tag_lists import TagLists
from simple_registry.operations.tags import Tags
from simple_registry.operations.undo import Undo
from simple_registry.operations.uploads import Uploads, new_session_id
from simple_registry.operations.usage import RepositoryUsages
from simple_registry.operator_warnings import About, FreeSpace, OperatorWarnings
from simple_registry.storage.records import Origin
from simple_registry.storage.stores import Stores
from simple_registry.times import Window, format_moment

PASSWORD_THREADS = 2
"""Threads that hash passwords: more would take the cores away from requests that are already authenticated."""

SEEN_BY_PAGES = 8 * 1024 * 1024
"""Bytes that each process keeps of what lists show of manifests."""

MAX_EXPLAINED = 200
"""Manifests that a page looks at to explain why content is kept; commands look at more."""

REQUIRED = {
    AllowMissing.NONE: Required(),
    AllowMissing.INDEXES: Required(children=False),
    AllowMissing.ALL: Required(blobs=False, children=False),
}
"""The parts of a manifest that must be there, by setting."""


@dataclass(frozen=True, slots=True)
class Trust:
    """What decides who may do what: the rules in force, our signing keys, and the tokens of other issuers."""

    access: CurrentAccess
    signing_keys: SigningKeys
    external: ExternalTokens

    def rules(self) -> AccessRules:
        """Return the rules in force."""
        return self.access.rules


@dataclass(frozen=True, slots=True)
class Logins:
    """What all workers keep of logins, and where a login is written for the next start (which waits for the disk)."""

    memory: LoginMemory
    write: Callable[[KnownLogin], None] | None = None


@dataclass(frozen=True, slots=True)
class Authentication:
    """The parts that prove callers."""

    authenticator: Authenticator
    signer: TokenSigner
    passwords: PasswordVerifier
    threads: ThreadPoolExecutor
    throttle: LoginThrottle
    logins: LoginMemory

    def close(self) -> None:
        """Verify no more passwords."""
        self.passwords.close()
        self.threads.shutdown(wait=False, cancel_futures=True)


@dataclass(frozen=True, slots=True)
class Services:
    """The operations of a registry, and its authentication."""

    stores: Stores
    trust: Trust
    authentication: Authentication
    registry: Registry
    garbage: Garbage
    retention: TagRetention
    pruning: Pruning
    warnings: OperatorWarnings

    async def close(self) -> None:
        """Finish the writes under way and close the stores."""
        await self.trust.external.close()
        await self.registry.tokens.finish_touches()
        await self.registry.pulls.write()
        self.authentication.close()
        await self.stores.rows.close()


def build_services(
    settings: Settings,
    stores: Stores,
    trust: Trust,
    clock: Clock,
    *,
    logins: Logins,
    metrics: Callable[[], Awaitable[bytes]],
    new_session: Callable[[], str] = new_session_id,
    verify: Verify = verify_password,
) -> Services:
    """Build the services over some stores; `metrics` returns the text for Prometheus."""
    rows, limits, tokens = stores.rows, settings.limits, build_tokens(stores, clock)
    contents, renewals = build_contents(stores), Renewals(clock, settings.garbage_collection.grace)
    authentication = _build_authentication(trust, tokens, logins, clock, verify)
    retention, warnings = build_retention(stores, clock, trust.rules), _build_warnings(stores, trust, clock)
    uploads = build_uploads(stores, clock, limits.sessions, limits.sessions_per_identity, new_session)
    registry = Registry(
        contents=contents,
        blobs=Blobs(rows.blobs, contents, renewals, keep_parts=_keeps_parts(settings)),
        uploads=uploads,
        manifests=_build_manifests(settings, stores, contents, renewals, clock),
        tags=Tags(rows.tags, rows.repositories),
        tag_lists=TagLists(rows.tag_times),
        referrers=Referrers(rows.manifests),
        repositories=Repositories(rows.repositories),
        usages=RepositoryUsages(rows.usage),
        pulls=Pulls(rows.tag_times, clock),
        history=build_history(stores, clock),
        undo=build_undo(stores),
        collector=build_collector(settings, stores, clock, Origin.REQUEST),
        retention=retention,
        explanations=Explanations(rows.keepers, rows.usage, MAX_EXPLAINED),
        read_only=ReadOnly(rows.mode, clock, by_setting=settings.read_only),
        tokens=tokens,
        token_service=TokenService(
            authentication.authenticator, authentication.signer, clock, life=settings.web.token_timeout
        ),
        web_sessions=WebSessions(authentication.authenticator, authentication.signer, rows.web_sessions, clock),
        seen_by_pages=BoundedCache(SEEN_BY_PAGES),
        origins=Origins(settings.web.external_url, settings.web.trusted_proxies),
        rules=trust.rules,
        manifest_size=limits.manifest_size,
        tags_per_push=limits.tags_per_push,
        readiness=partial(_readiness, stores, trust, warnings),
        condition=partial(_condition, stores, trust, warnings),
        metrics=metrics,
    )
    garbage, pruning = _build_garbage(settings, stores, uploads, trust, clock), _build_pruning(settings, stores, clock)
    return Services(stores, trust, authentication, registry, garbage, retention, pruning, warnings)


def _keeps_parts(settings: Settings) -> bool:
    return settings.delete_referenced is DeleteReferenced.REFUSE


def _build_manifests(
    settings: Settings, stores: Stores, contents: Contents, renewals: Renewals, clock: Clock
) -> Manifests:
    return Manifests(
        stores.rows.manifests,
        stores.rows.tags,
        contents,
        renewals,
        REQUIRED[settings.allow_missing],
        quotas=Quotas(stores.rows.usage, clock),
        keep_parts=_keeps_parts(settings),
    )


def _build_garbage(settings: Settings, stores: Stores, uploads: Uploads, trust: Trust, clock: Clock) -> Garbage:
    """Build the collector of the server."""
    collecting, rows = settings.garbage_collection, stores.rows
    return Garbage(
        rows.garbage,
        rows.collections,
        rows.tokens,
        build_collection(settings, stores, _in_window(collecting.window, clock), min_free=collecting.min_free),
        uploads,
        web_sessions=rows.web_sessions,
        clock=clock,
        grace=collecting.grace,
        untagged=untagged_of(settings) if collecting.delete_untagged else None,
        session_life=settings.limits.session_life,
        is_user=lambda name: trust.rules().identity(name) is not None,
        known=lambda name: trust.rules().knows(name),
    )


def _build_pruning(settings: Settings, stores: Stores, clock: Clock) -> Pruning:
    return Pruning(
        stores.rows.journal,
        Cutoffs(clock),
        keep=settings.journal.keep,
        size=settings.journal.max_events,
        grace=settings.garbage_collection.grace,
    )


def _build_authentication(trust: Trust, tokens: Tokens, logins: Logins, clock: Clock, verify: Verify) -> Authentication:
    threads = ThreadPoolExecutor(PASSWORD_THREADS, thread_name_prefix="passwords")
    throttle = LoginThrottle(logins.memory, clock, partial(_write_login, threads, logins.write))
    passwords = PasswordVerifier(
        verify=verify,
        executor=threads,
        threads=PASSWORD_THREADS,
        clock=clock,
        memory=logins.memory,
        throttle=throttle,
    )
    signer = TokenSigner(trust.signing_keys)
    authenticator = Authenticator(
        trust.rules, passwords=passwords, tokens=tokens, signer=signer, external=trust.external, clock=clock
    )
    return Authentication(authenticator, signer, passwords, threads, throttle, logins.memory)


def build_tokens(stores: Stores, clock: Clock) -> Tokens:
    """Build the operations on issued tokens."""
    return Tokens(stores.rows.tokens, clock, new_secret=new_token, hash_secret=token_hash)


def build_retention(stores: Stores, clock: Clock, rules: Callable[[], AccessRules]) -> TagRetention:
    """Build the retention of tags by the rules of each moment. No exception of a TagProtection holds for it."""

    def policies() -> Policies:
        current = rules()
        return Policies(current.retentions, lambda repository: current.protected_tags(repository, None))

    return TagRetention(stores.rows.tag_times, stores.rows.repositories, Cutoffs(clock), policies)


def build_history(stores: Stores, clock: Clock) -> History:
    """Build the operations that read the journal."""
    return History(stores.rows.journal, stores.rows.manifests, clock)


def build_undo(stores: Stores) -> Undo:
    """Build the operations that undo."""
    return Undo(stores.rows.undo, stores.rows.journal, stores.rows.tags)


def build_contents(stores: Stores) -> Contents:
    """Build the operations on content by digest."""
    return Contents(stores.rows.contents, stores.rows.garbage, stores.content)


def build_collection(
    settings: Settings,
    stores: Stores,
    allowed: Callable[[], bool],
    longest_pause: float = float("inf"),
    *,
    min_free: int = 0,
) -> Collection:
    """Build a collection at the pace of the settings, which goes on while it is `allowed`.

    It ends graces early while less than `min_free` is free.
    """
    collecting, space = settings.garbage_collection, stores.disk_space
    return Collection(
        stores.rows.garbage,
        stores.rows.reviews,
        build_contents(stores),
        pace=Pace(collecting.rate_files, collecting.rate_bytes, allowed, longest_pause),
        lacks_space=lambda: space is not None and min_free > 0 and space().free < min_free,
    )


def _in_window(window: Window | None, clock: Clock) -> Callable[[], bool]:
    return lambda: window is None or window.contains(clock.now())


def build_collector(settings: Settings, stores: Stores, clock: Clock, origin: Origin) -> Collector:
    """Build the collections on demand: without regard to the time of the day and to free space."""
    collecting = settings.garbage_collection
    return Collector(
        stores.rows.garbage,
        stores.rows.collections,
        partial(build_collection, settings, stores),
        Schedule(
            collecting.interval,
            collecting.window,
            collecting.grace,
            collecting.delete_untagged,
            untagged_of(settings),
        ),
        clock,
        origin=origin,
    )


def untagged_of(settings: Settings) -> Untagged:
    """Return which manifests without a tag may be collected."""
    collecting = settings.garbage_collection
    return Untagged(
        collecting.untagged_older_than,
        lambda repository: any(pattern.matches(repository) for pattern in collecting.keep_untagged),
    )


def build_uploads(
    stores: Stores, clock: Clock, limit: int, share: int, new_session: Callable[[], str] = new_session_id
) -> Uploads:
    """Build the operations on upload sessions, with at most `limit` open at once, and `share` of one identity."""
    return Uploads(
        stores.rows.sessions,
        stores.rows.blobs,
        build_contents(stores),
        stores.uploads,
        Quotas(stores.rows.usage, clock),
        clock=clock,
        session_limit=limit,
        session_share=share,
        new_session=new_session,
    )


def build_scrub(settings: Settings, services: Services, open_inspection: OpenInspection, clock: Clock) -> Scrub:
    """Build the background reader of all content."""
    return Scrub(
        open_inspection,
        services.registry.read_only,
        clock,
        period=settings.scrub.period,
        rate=settings.scrub.rate,
    )


def _build_warnings(stores: Stores, trust: Trust, clock: Clock) -> OperatorWarnings:
    """Build the warnings about what every worker sees by itself."""
    warnings, stale = OperatorWarnings(clock), "the access rules are older than the documents, which do not load: "
    warnings.watch(About.RULES, lambda: trust.access.stale and stale + trust.access.stale)
    if stores.disk_space is not None:
        warnings.watch(About.SPACE, FreeSpace(stores.disk_space))
    return warnings


def _readiness(stores: Stores, trust: Trust, warnings: OperatorWarnings) -> Mapping[str, object]:
    """Return the state of each part. Raises: StorageFault when the stores do not answer."""
    stores.rows.check()
    stores.content.check()
    return {
        "configuration": "current" if trust.access.stale is None else "stale",
        "staleIssuers": trust.external.stale(trust.rules().issuers),
        "storage": stores.uploads.condition(),
        "warnings": [
            {"about": about, "since": format_moment(warned.since)} for about, warned in warnings.current().items()
        ],
    }


def _condition(stores: Stores, trust: Trust, warnings: OperatorWarnings) -> Condition:
    space = None if stores.disk_space is None else stores.disk_space()
    versions = {"Simple Registry": __version__, "Python": platform.python_version(), "System": platform.platform()}
    since = {warned.text: warned.since for warned in warnings.current().values()}
    return Condition(trust.access.stale, space, versions, since)


def _write_login(threads: Executor, write: Callable[[KnownLogin], None] | None, login: KnownLogin) -> None:
    if write is not None:
        with suppress(RuntimeError):  # a worker that ends shuts its threads down before its last login is known
            threads.submit(write, login)
