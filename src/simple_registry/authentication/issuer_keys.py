"""The keys of trusted issuers, refreshed in the background.

    PEM    as configured
    file   checked once a second, read again when it changed
    URL    cached for ten minutes; fetched early for an unknown `kid`, but at most once a minute, whatever clients send

    a source that answers       its answer counts: a key that is no longer in it, even the last one, is withdrawn
    a source that fails         the keys of its last answer stay in use for a day, and are reported as stale

A token waits only if no cached key can be its own, and then for one fetch together with all others that wait.
"""

import asyncio
import logging
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from simple_registry.access.issuers import Keys, KeysFromFile, KeysFromPem, KeysFromUrl, TrustedIssuer
from simple_registry.access.jwks import Jwks, KeysInvalid, PublicKey, parse_jwks, parse_pem_keys
from simple_registry.clock import Clock
from simple_registry.files import FileStamp, open_regular
from simple_registry.periodic import repeat
from simple_registry.upstream.protocols import DocumentFetcher, UpstreamFault

logger = logging.getLogger("simple_registry")

FRESH = 600.0
"""Seconds for which fetched keys are used without another fetch."""

STALE = 24 * 3600.0
"""Seconds for which keys are used while their file or issuer fails."""

INTERVAL = 60.0
"""Seconds between two fetches from one issuer, at least."""

FILE_INTERVAL = 1.0
MAX_FILE = 1024 * 1024

_NEVER = float("-inf")


class IssuerKeysFault(Exception):
    """There are no usable keys of an issuer; the message is for the log."""


@dataclass(slots=True)
class _Source:
    """The state of one source of keys. Times are monotonic."""

    answer: Jwks | None = None
    answered: float = _NEVER
    asked: float = _NEVER
    stamp: FileStamp | None = None
    fault: str | None = None
    """Why the last refresh failed."""
    asking: asyncio.Task[None] | None = None

    def keys(self, now: float) -> Sequence[PublicKey]:
        """Return the usable keys."""
        return self.answer.keys if self.answer is not None and now - self.answered < STALE else ()

    def is_due(self, place: Keys, kid: str | None, now: float) -> bool:
        """Return whether a refresh is due, for a token that names the key `kid`."""
        match place:
            case KeysFromPem():
                return now - self.asked >= FRESH
            case KeysFromFile():
                return now - self.asked >= FILE_INTERVAL
            case KeysFromUrl():
                fresh = now - self.answered < FRESH and self.knows(kid, now)
                return not fresh and now - self.asked >= INTERVAL

    def knows(self, kid: str | None, now: float) -> bool:
        """Return whether a token that names the key `kid` can be verified without a refresh."""
        return any(kid is None or key.kid in (None, kid) for key in self.keys(now))


class IssuerKeys:
    """Finds keys. While the answer of an issuer stays the same, so does the sequence that is returned for it."""

    def __init__(self, fetcher: DocumentFetcher, clock: Clock) -> None:
        self._fetcher = fetcher
        self._clock = clock
        self._sources: dict[Keys, _Source] = {}
        self._thread = ThreadPoolExecutor(
            1, "issuer keys"
        )  # its own, so that no request delays the withdrawal of a key

    async def find(self, issuer: TrustedIssuer, kid: str | None) -> Sequence[PublicKey]:
        """Return the keys of an issuer, refreshed first if none of them has the id `kid`.

        Raises: IssuerKeysFault.
        """
        source = self.source_of(issuer, kid)
        if source.asking is not None and not source.knows(kid, self._clock.monotonic()):
            await asyncio.shield(source.asking)  # a request that is cancelled must not cancel it for the others
        keys = source.keys(self._clock.monotonic())
        if not keys:
            reason = source.fault or "there is none that verifies signatures"
            raise IssuerKeysFault(f"no keys of TokenIssuer {issuer.name}: {reason}")
        return keys

    def source_of(self, issuer: TrustedIssuer, kid: str | None = None) -> _Source:
        """Return the source of an issuer's keys, after starting a refresh in the background if one is due."""
        source = self._sources.setdefault(issuer.keys, _Source())
        now = self._clock.monotonic()
        if source.asking is None and source.is_due(issuer.keys, kid, now):
            source.asked = now
            source.asking = asyncio.get_running_loop().create_task(self._ask(issuer, source))
        return source

    def stale(self, issuers: Sequence[TrustedIssuer]) -> Sequence[str]:
        """Return the names of the issuers whose last refresh failed."""
        sources = [(issuer.name, self._sources.get(issuer.keys)) for issuer in issuers]
        return [name for name, source in sources if source is not None and source.fault is not None]

    async def close(self) -> None:
        """Cancel the refreshes under way."""
        for source in self._sources.values():
            if source.asking is not None:
                source.asking.cancel()
                with suppress(asyncio.CancelledError):
                    await source.asking

    def forget_others(self, issuers: Sequence[TrustedIssuer]) -> None:
        """Drop the keys of issuers that are not configured any more."""
        current = {issuer.keys for issuer in issuers}
        self._sources = {keys: source for keys, source in self._sources.items() if keys in current}

    async def _ask(self, issuer: TrustedIssuer, source: _Source) -> None:
        """Refresh a source once. The result, or the fault, is in the source afterwards."""
        try:
            answer = await self._answer(issuer.keys, source)
        except (UpstreamFault, KeysInvalid, OSError) as error:
            _fail(issuer, source, (error.strerror if isinstance(error, OSError) else None) or str(error))
        except Exception as defect:  # noqa: BLE001 (if it were not reported, withdrawn keys would stay in use)
            _fail(issuer, source, f"an unexpected failure: {defect!r}", defect)
        else:
            source.fault = None
            source.answered = self._clock.monotonic()
            if answer is not None and answer != source.answer:
                source.answer = answer
                _report(issuer, answer)
        finally:
            source.asking = None

    async def _answer(self, place: Keys, source: _Source) -> Jwks | None:
        """Return the present answer of a source, or `None` if a file has not changed.

        Raises: UpstreamFault, KeysInvalid, OSError.
        """
        match place:
            case KeysFromPem(keys):
                return Jwks(tuple(parse_pem_keys(keys)))
            case KeysFromFile(path):
                loop = asyncio.get_running_loop()
                stamp, data = await loop.run_in_executor(self._thread, _read, path, source.stamp)
                answer = None if data is None else parse_jwks(data)
                source.stamp = stamp  # after parsing: a file that cannot be parsed is read again
                return answer
            case KeysFromUrl(url):
                return parse_jwks(await self._fetcher.fetch(url))


class KeyRefresh:
    """Refreshes the keys of all issuers in time, so that requests do not wait, and faults show before they matter."""

    def __init__(self, keys: IssuerKeys, issuers: Callable[[], Sequence[TrustedIssuer]]) -> None:
        """Refresh the keys of the issuers that are trusted at each moment."""
        self._keys = keys
        self._issuers = issuers

    async def run(self) -> None:
        """Check once a second until cancelled."""
        await repeat(self._look, FILE_INTERVAL, "looking at the keys of issuers", at_once=True)

    async def _look(self) -> None:
        for issuer in self._issuers():
            self._keys.source_of(issuer)


def _read(path: str, known: FileStamp | None) -> tuple[FileStamp, bytes | None]:
    """Return a file's stamp, and its content unless the stamp is the known one."""
    with open_regular(Path(path)) as file:
        stamp = FileStamp.of(os.fstat(file.fileno()))
        if stamp == known:
            return stamp, None
        data = file.read(MAX_FILE + 1)
    if len(data) > MAX_FILE:
        raise KeysInvalid(f"it is larger than {MAX_FILE} bytes")
    return stamp, data


def _fail(issuer: TrustedIssuer, source: _Source, fault: str, defect: Exception | None = None) -> None:
    if fault != source.fault:
        kept = "; those known so far stay in use for a day" if source.answer is not None else ""
        logger.warning("the keys of TokenIssuer %s cannot be read: %s%s", issuer.name, fault, kept, exc_info=defect)
    source.fault = fault


def _report(issuer: TrustedIssuer, answer: Jwks) -> None:
    for reason in answer.rejected:
        logger.warning("the keys of TokenIssuer %s are used without some: %s", issuer.name, reason)
    if not answer.keys:
        logger.warning("TokenIssuer %s has no keys: its tokens are refused", issuer.name)
