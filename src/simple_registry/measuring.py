"""What is measured where: the one place that knows both the metrics and the parts of the application."""

import os
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Protocol

from simple_registry import __version__
from simple_registry.access.issuers import TrustedIssuer
from simple_registry.access.policy import BindingPolicy
from simple_registry.authentication.authenticator import ExternalVerifier
from simple_registry.config.live_access import LiveAccess
from simple_registry.http.dispatch import Dispatcher
from simple_registry.http.routes import ROUTES
from simple_registry.metrics import families
from simple_registry.metrics.layout import Layout
from simple_registry.metrics.measures import Measures

LAYOUT = Layout([(endpoint.name, method) for route in ROUTES for method, endpoint in route.endpoints.items()])


class Cache(Protocol):
    """Whatever counts how often it knew an answer."""

    @property
    def hits(self) -> int:
        """How often it did."""
        ...

    @property
    def misses(self) -> int:
        """How often it did not."""
        ...


class Writes(Cache, Protocol):
    """A database that remembers rows, and writes them in commits."""

    @property
    def commit_sizes(self) -> Sequence[int]:
        """How many commits there were of each number of changes, from none on."""
        ...


class Decisions:
    """The decisions that policies remember, over all policies that were in force: each reload makes a new one."""

    def __init__(self, policy: Callable[[], BindingPolicy]) -> None:
        """Count from the policy of this moment on."""
        self._policy = policy
        self._seen = policy()
        self._before = (0, 0)

    @property
    def hits(self) -> int:
        """How often a decision was remembered."""
        return self._counts()[0]

    @property
    def misses(self) -> int:
        """How often it was not."""
        return self._counts()[1]

    def _counts(self) -> tuple[int, int]:
        hits, misses = self._seen.remembered
        hits, misses = self._before[0] + hits, self._before[1] + misses
        current = self._policy()
        if current is not self._seen:
            # What the old one counts after this moment, for requests that still hold it, is not counted.
            self._seen, self._before = current, (hits, misses)
        return hits, misses


def measure_cache(measures: Measures, name: str, cache: Cache) -> None:
    """Tell how often a cache knew the answer."""
    measures.watch(families.CACHE_HITS, lambda: cache.hits, name)
    measures.watch(families.CACHE_MISSES, lambda: cache.misses, name)


def measure_logins(measures: Measures, dispatcher: Dispatcher) -> None:
    """Tell how many credentials proved nobody."""
    measures.watch(families.LOGIN_FAILURES, lambda: dispatcher.failed_passwords, "password")
    measures.watch(families.LOGIN_FAILURES, lambda: dispatcher.failed_tokens, "token")


def measure_access(measures: Measures, access: LiveAccess) -> None:
    """Tell how the rules follow the documents, and how their decisions are remembered."""
    measures.watch(families.ACCESS_RELOADS, lambda: access.reloads, "done")
    measures.watch(families.ACCESS_RELOADS, lambda: access.failures, "failed")
    measures.watch(families.ACCESS_STALE, lambda: not access.status.ok)
    measure_cache(measures, "decisions", Decisions(lambda: access.rules.policy))


def measure_issuers(
    measures: Measures, issuers: Callable[[], Sequence[TrustedIssuer]], external: ExternalVerifier
) -> None:
    """Export which issuers' keys cannot be asked for, as this process sees it."""

    def stale() -> Mapping[tuple[str, ...], float]:
        trusted = issuers()
        names = external.stale(trusted)
        return {(issuer.name,): float(issuer.name in names) for issuer in trusted}

    measures.ask(families.ISSUER_KEYS_STALE, stale)


def measure_database(measures: Measures, database: Writes) -> None:
    """Tell about commits and remembered rows."""
    measures.watch_commits(lambda: database.commit_sizes)
    measure_cache(measures, "rows", database)


class Lines(Protocol):
    """A stream of lines."""

    @property
    def lines(self) -> int:
        """How many were written."""
        ...

    @property
    def failures(self) -> int:
        """How many were lost."""
        ...


def measure_audit(measures: Measures, stream: Lines) -> None:
    """Tell how the audit stream does."""
    measures.watch(families.AUDIT_LINES, lambda: stream.lines)
    measures.watch(families.AUDIT_FAILURES, lambda: stream.failures)


def measure_collection(measures: Measures, collected: Mapping[str, int]) -> None:
    """Tell what the collector removed."""
    for what in collected:
        measures.watch(families.COLLECTED, partial(collected.__getitem__, what), what)


def measure_store(measures: Measures, open_uploads: Callable[[], int], data_dir: Path) -> None:
    """Tell what is open and how much room there is."""

    def disk() -> os.statvfs_result:
        return os.statvfs(data_dir)

    measures.ask(families.UPLOADS_OPEN, lambda: {(): open_uploads()})
    measures.ask(families.DISK_FREE, lambda: {(): disk().f_bavail * disk().f_frsize})
    measures.ask(families.DISK_SIZE, lambda: {(): disk().f_blocks * disk().f_frsize})
    measures.ask(families.INFO, lambda: {(__version__,): 1})


def measure_certificate(measures: Measures, ends: Callable[[], float]) -> None:
    """Show when the certificate ends."""
    measures.ask(families.CERTIFICATE_EXPIRY, lambda: {(): ends()})
