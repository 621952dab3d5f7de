"""The keys of trusted issuers, kept at hand.

    PEM    as configured
    file   read again when it changed, looked at once a second
    URL    kept ten minutes; fetched early for a `kid` that nobody knows, but at most once a minute, whoever sends what

Everybody who waits for the same document waits for one fetch. An issuer that is down costs nothing as long as the keys
fetched last are younger than a day.
"""

import asyncio
import logging
import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from simple_registry.access.issuers import Keys, KeysFromFile, KeysFromPem, KeysFromUrl, TrustedIssuer
from simple_registry.access.jwks import KeysInvalid, PublicKey, parse_jwks, parse_pem_keys
from simple_registry.clock import Clock
from simple_registry.upstream.protocols import DocumentFetcher, UpstreamFault

logger = logging.getLogger("simple_registry")

FRESH = 600.0
"""Seconds for which fetched keys are used without asking again."""

STALE = 24 * 3600.0
"""Seconds for which they are used when the issuer does not answer."""

INTERVAL = 60.0
"""Least seconds between two fetches from one issuer."""

FILE_INTERVAL = 1.0
LARGEST_FILE = 1024 * 1024

_NEVER = float("-inf")


class IssuerKeysUnavailable(Exception):
    """No keys of an issuer can be had; the message is for the log."""


@dataclass(slots=True)
class _Source:
    """What is known of one place where keys come from. Times are monotonic."""

    keys: Sequence[PublicKey] = ()
    got: float = _NEVER
    looked: float = _NEVER
    mark: tuple[int, int, int] | None = None
    problem: str = "not read yet"
    fetching: asyncio.Task[None] | None = None


class IssuerKeys:
    """Finds keys. As long as an issuer's document stays the same, so does the sequence that is returned for it."""

    def __init__(self, fetcher: DocumentFetcher, clock: Clock) -> None:
        """Fetch what the configuration names by URL with `fetcher`."""
        self._fetcher = fetcher
        self._clock = clock
        self._sources: dict[Keys, _Source] = {}

    async def find(self, issuer: TrustedIssuer, kid: str | None) -> Sequence[PublicKey]:
        """Return the keys of an issuer, asked for anew if none of them has the id `kid`.

        Raises: IssuerKeysUnavailable.
        """
        source = self._sources.setdefault(issuer.keys, _Source())
        match issuer.keys:
            case KeysFromPem() as pem:
                _read_pem(pem, source)
            case KeysFromFile() as file:
                await self._read_file(issuer, file, source)
            case KeysFromUrl() as url:
                await self._refresh(issuer, url, source, kid)
        if not source.keys:
            raise IssuerKeysUnavailable(f"no keys of TokenIssuer {issuer.name}: {source.problem}")
        return source.keys

    async def close(self) -> None:
        """Give up the fetches under way."""
        for source in self._sources.values():
            if source.fetching is not None:
                source.fetching.cancel()
                with suppress(asyncio.CancelledError):
                    await source.fetching

    def forget_others(self, issuers: Sequence[TrustedIssuer]) -> None:
        """Drop what is known of issuers that are not configured any more."""
        current = {issuer.keys for issuer in issuers}
        self._sources = {keys: source for keys, source in self._sources.items() if keys in current}

    async def _read_file(self, issuer: TrustedIssuer, file: KeysFromFile, source: _Source) -> None:
        now = self._clock.monotonic()
        if now - source.looked < FILE_INTERVAL:
            return
        source.looked = now
        try:
            known = os.stat(file.path)  # noqa: PTH116 (a path of the configuration, looked at once a second)
            mark = (known.st_ino, known.st_size, known.st_mtime_ns)
            if mark == source.mark:
                return
            data = await asyncio.to_thread(_read, file.path)
            _take(source, parse_jwks(data))
            source.mark = mark
        except (OSError, KeysInvalid) as error:
            _complain(issuer, source, error.strerror or "?" if isinstance(error, OSError) else str(error))

    async def _refresh(self, issuer: TrustedIssuer, url: KeysFromUrl, source: _Source, kid: str | None) -> None:
        now = self._clock.monotonic()
        if now - source.got >= STALE:
            source.keys = ()
        fresh = now - source.got < FRESH and _knows(source.keys, kid)
        if not fresh and source.fetching is None and now - source.looked >= INTERVAL:
            source.looked = now
            source.fetching = asyncio.get_running_loop().create_task(self._fetch(issuer, url, source))
        if not fresh and source.fetching is not None:
            await asyncio.shield(source.fetching)  # one caller who leaves does not take it from the others

    async def _fetch(self, issuer: TrustedIssuer, url: KeysFromUrl, source: _Source) -> None:
        """Ask the issuer once. Whatever comes of it, those who wait look at the source."""
        try:
            _take(source, parse_jwks(await self._fetcher.fetch(url.url)))
            source.got = self._clock.monotonic()
        except (UpstreamFault, KeysInvalid) as error:
            _complain(issuer, source, str(error))
        finally:
            source.fetching = None


def _read_pem(pem: KeysFromPem, source: _Source) -> None:
    if not source.keys:
        try:
            source.keys = parse_pem_keys(pem.keys)
        except KeysInvalid as error:
            source.problem = str(error)


def _read(path: str) -> bytes:
    with Path(path).open("rb") as file:
        data = file.read(LARGEST_FILE + 1)
    if len(data) > LARGEST_FILE:
        raise KeysInvalid(f"it is larger than {LARGEST_FILE} bytes")
    return data


def _knows(keys: Sequence[PublicKey], kid: str | None) -> bool:
    return bool(keys) and (kid is None or any(key.kid in (None, kid) for key in keys))


def _take(source: _Source, keys: Sequence[PublicKey]) -> None:
    if not _same(keys, source.keys):
        source.keys = keys
    source.problem = ""


def _same(some: Sequence[PublicKey], others: Sequence[PublicKey]) -> bool:
    """Tell whether two documents hold the same keys, with the same ids, for the same algorithms."""
    return tuple(some) == tuple(others)


def _complain(issuer: TrustedIssuer, source: _Source, problem: str) -> None:
    kept = "; those known so far stay in use" if source.keys else ""
    source.problem = problem
    logger.warning("the keys of TokenIssuer %s cannot be read: %s%s", issuer.name, problem, kept)
