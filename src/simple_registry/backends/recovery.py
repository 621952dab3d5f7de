"""A lost or broken database, rebuilt from the newest sound copy of it and from the content.

    copies, newest first ─► the first sound one ─► up to date ─► fitted to the content ─► in the place of the database

The broken database is moved aside, never removed. Which repository held what, and where tags pointed, is known from
rows only: of content without a row no guess is made, it is reported.
"""

import re
from collections.abc import Iterator, Set as AbstractSet
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from simple_registry.backends.copying import MAX_LISTED, Damaged
from simple_registry.clock import Clock
from simple_registry.faults import DataDirectoryRefused, StorageFault
from simple_registry.oci.digests import ALGORITHMS, Digest, digest_of, parse_digest
from simple_registry.oci.errors import RegistryError
from simple_registry.oci.manifests import parse_manifest
from simple_registry.storage.filesystem.data_directory import DataDirectory
from simple_registry.storage.filesystem.disk import Disk
from simple_registry.storage.filesystem.placement import is_content
from simple_registry.storage.life import ContentState
from simple_registry.storage.sqlite.copied_rows import CopiedRows
from simple_registry.storage.sqlite.engine.copies import copy_at
from simple_registry.storage.sqlite.engine.migrate import damage_of, migrate
from simple_registry.storage.sqlite.snapshots import snapshots_in
from simple_registry.times import format_stamp

MAX_MANIFEST_SIZE = 64 * 1024 * 1024
"""Bytes of the largest content that is read to see whether it is a manifest."""

_BEFORE = re.compile(r"registry\.db\.before-[0-9]+", re.ASCII)
_LOGS = ("-wal", "-shm")


@dataclass(frozen=True, slots=True)
class Unassigned:
    """Content without a row. One with a media type is a manifest."""

    digest: Digest
    size: int
    media_type: str | None = None


@dataclass(slots=True)
class Recovered:
    """What a recovery did: from which copy, of what time, and what it could not know."""

    damage: str
    copy: str | None = None
    taken: float = 0.0
    skipped: dict[str, str] = field(default_factory=dict)
    moved_to: str | None = None
    damaged: list[Damaged] = field(default_factory=list)
    unassigned: list[Unassigned] = field(default_factory=list)


class Recovery:
    """Recovers the database of one data directory, which no server uses."""

    def __init__(self, data_dir: Path, clock: Clock) -> None:
        """Claim the directory at `data_dir`.

        Raises: DataDirectoryRefused when it is in use, read-only, or none.
        """
        DataDirectory.find(data_dir)
        self._claim = DataDirectory.claim(data_dir)
        self._layout = self._claim.layout
        self._unfinished = f"{self._layout.database}.recovered"
        self._disk = Disk()
        self._clock = clock

    def run(self) -> Recovered | None:
        """Recover the database; `None` if it is sound. Without a sound copy, only the content is looked at.

        Raises: StorageFault; then the database is as it was, or moved aside, and the recovery can be repeated.
        """
        try:
            return self._run()
        finally:
            self._claim.release()

    def _run(self) -> Recovered | None:
        if self._claim.read_only:
            raise DataDirectoryRefused(self._layout.root, "it is read-only; make it writable")
        damage = damage_of(self._layout.database)
        if damage is None:
            return None
        recovered = Recovered(damage)
        self._choose(recovered)
        if recovered.copy is None:
            recovered.unassigned = [each for prefix in _prefixes() for each in self._unassigned(prefix, frozenset())]
            return recovered
        self._bring_up_to_date()
        with CopiedRows(self._unfinished) as rows:
            rows.resume(self._clock.now())
            rows.forget_condemned()
            for prefix in _prefixes():
                self._fit(prefix, rows, recovered)
        self._put_in_place(recovered)
        return recovered

    def _choose(self, recovered: Recovered) -> None:
        """Copy the newest sound copy of the database."""
        for taken, path in self._copies():
            name = self._layout.relative(path)
            try:
                copy_at(path, self._unfinished)
                damage = damage_of(self._unfinished)
            except StorageFault as fault:
                damage = str(fault)
            if damage is None:
                recovered.copy, recovered.taken = name, taken
                return
            recovered.skipped[name] = damage

    def _copies(self) -> list[tuple[float, str]]:
        """Return the time and path of each copy of the database, the newest first."""
        paths = (
            Path(self._layout.root, name) for name in self._disk.names(self._layout.root) if _BEFORE.fullmatch(name)
        )
        before = [(path.stat().st_mtime, str(path)) for path in paths]
        return sorted((*snapshots_in(self._layout.snapshots), *before), reverse=True)

    def _bring_up_to_date(self) -> None:
        migrate(self._unfinished)
        unfinished = Path(self._unfinished)
        for surplus in unfinished.parent.glob(f"{unfinished.name}.before-*"):
            surplus.unlink()

    def _fit(self, prefix: str, rows: CopiedRows, recovered: Recovered) -> None:
        """Mark content as damaged whose bytes are gone, and report content without a row."""
        known = rows.stored_under(prefix)
        damaged = [
            (digest, reason)
            for digest, (size, state) in known.items()
            if state is ContentState.WHOLE and (reason := self._flaw(digest, size))
        ]
        rows.mark_damaged([digest for digest, _reason in damaged])
        for text, reason in damaged:
            digest = parse_digest(text)
            recovered.damaged.append(Damaged(digest, reason, rows.uses(digest, MAX_LISTED)))
        recovered.unassigned.extend(self._unassigned(prefix, known.keys()))

    def _flaw(self, digest: str, size: int) -> str | None:
        found = self._disk.stat(self._layout.blob(parse_digest(digest)))
        if found is None or not is_content(found):
            return "it is missing"
        return None if found.st_size == size else f"it has {found.st_size} bytes of {size}"

    def _unassigned(self, prefix: str, known: AbstractSet[str]) -> Iterator[Unassigned]:
        """Yield content that has no row."""
        algorithm, _, shard = prefix.partition(":")
        directory = self._layout.shard(algorithm, shard)
        names = self._disk.names(directory) if self._disk.stat(directory) is not None else ()
        for name in sorted(names):
            if f"{algorithm}:{name}" not in known:
                with suppress(RegistryError):  # a name that is no digest
                    digest = parse_digest(f"{algorithm}:{name}")
                    found = self._disk.stat(self._layout.blob(digest))
                    if found is not None and is_content(found):
                        yield self._look_at(digest, found.st_size)

    def _look_at(self, digest: Digest, size: int) -> Unassigned:
        """Return what content is, which nothing but its bytes says."""
        data = self._read(digest) if size <= MAX_MANIFEST_SIZE else b""
        if data.lstrip().startswith(b"{") and digest_of(data, digest.algorithm) == digest:
            with suppress(RegistryError):
                manifest = parse_manifest(data, None)
                return Unassigned(digest, size, manifest.media_type)
        return Unassigned(digest, size)

    def _read(self, digest: Digest) -> bytes:
        """Return small content that may be a document; only the beginning of any other."""
        fd = self._disk.open_read(self._layout.blob(digest))
        if fd is None:
            return b""
        try:
            begin = self._disk.read(fd, 4096, 0)
            return self._disk.read(fd, MAX_MANIFEST_SIZE, 0) if begin.lstrip().startswith(b"{") else b""
        finally:
            self._disk.close(fd)

    def _put_in_place(self, recovered: Recovered) -> None:
        """Move the broken database aside, then give its name to the recovered one.

        The database goes before its log: while it is missing beside a log, no server starts.
        """
        database = self._layout.database
        aside = f"{database}.broken-{format_stamp(self._clock.now())}"
        for suffix in ("", *_LOGS):
            if self._disk.stat(database + suffix) is not None:
                self._disk.rename(database + suffix, aside + suffix)
                recovered.moved_to = self._layout.relative(aside)
        self._disk.fsync_directory(self._layout.root)
        self._disk.rename(self._unfinished, database)
        self._disk.fsync_directory(self._layout.root)


def _prefixes() -> Iterator[str]:
    return (f"{algorithm}:{shard:02x}" for algorithm in ALGORITHMS for shard in range(256))
