"""Shared by `export`, `import` and `adopt`: their operations, their report, and their progress."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import TextIO

from simple_registry.cli.command_audit import operator
from simple_registry.cli.fsck_report import ProgressLine
from simple_registry.clock import SystemClock
from simple_registry.config.settings import Settings
from simple_registry.operations.blobs import Blobs
from simple_registry.operations.manifests import Manifests, Required
from simple_registry.operations.moving.intake import Intake
from simple_registry.operations.moving.tally import Tally
from simple_registry.operations.quotas import Quotas
from simple_registry.operations.renewals import Renewals
from simple_registry.periodic import repeat
from simple_registry.server.logging import printable
from simple_registry.services import build_contents, build_uploads
from simple_registry.sizes import counted
from simple_registry.storage.sources import SourceDefect
from simple_registry.storage.stores import Stores

_MIB = 1024 * 1024


def build_intake(stores: Stores, settings: Settings, required: Required | None) -> Intake:
    """Return what takes content into these stores; manifests need these parts of theirs."""
    return Intake(
        build_blobs(stores, settings.garbage_collection.grace),
        build_uploads(stores, SystemClock(), limit=0, share=0),  # blobs come in one piece, without sessions
        build_manifests(stores, required),
        manifest_size=settings.limits.manifest_size,
        actor=operator(),
    )


def build_blobs(stores: Stores, grace: float = float("inf")) -> Blobs:
    """Return the operations on blobs, whose grace is renewed so often that it does not end."""
    return Blobs(stores.rows.blobs, build_contents(stores), Renewals(SystemClock(), grace), keep_parts=True)


def build_manifests(stores: Stores, required: Required | None) -> Manifests:
    """Return the operations on manifests, which need these parts of theirs."""
    rows, clock = stores.rows, SystemClock()
    contents, quotas = build_contents(stores), Quotas(rows.usage, clock)
    return Manifests(rows.manifests, rows.tags, contents, Renewals(clock), required, quotas=quotas, keep_parts=True)


class Report:
    """What a command moved and could not move: lines for people, or JSON objects."""

    def __init__(self, stream: TextIO, stderr: TextIO, *, as_json: bool) -> None:
        """Write to `stream`, and progress to `stderr` if that is a terminal."""
        self.tally = Tally(self._defect)
        self._stream = stream
        self._json = as_json
        self._line = ProgressLine(stderr) if stderr.isatty() else None
        self._began = time.monotonic()

    @asynccontextmanager
    async def shown(self) -> AsyncIterator[Tally]:
        """Show progress during the block, which counts in the tally."""
        line = self._line
        if line is None:
            yield self.tally
            return

        async def show() -> None:
            line.write(", ".join(_counts(self.tally)))

        showing = asyncio.create_task(repeat(show, line.interval, "showing progress"))
        try:
            yield self.tally
        finally:
            showing.cancel()
            await asyncio.gather(showing, return_exceptions=True)
            line.clear()

    def finish(self, done: str) -> int:
        """Write the summary, in which `done` says what was done. Return the exit code."""
        tally, seconds = self.tally, time.monotonic() - self._began
        if self._json:
            self._write_json({"summary": {**_facts(tally), "seconds": round(seconds, 3)}})
        else:
            rest = [f"there already: {counted(tally.present, 'content')}"] if tally.present else []
            rest += [f"{counted(tally.uploads, 'unfinished upload')} left behind"] if tally.uploads else []
            rest.append(counted(tally.defects, "defect") if tally.defects else "no defects")
            self._write(f"{done} {'; '.join((', '.join(_counts(tally)), *rest))} ({seconds:.1f} s)")
        return 1 if tally.defects else 0

    def _defect(self, defect: SourceDefect) -> None:
        if self._line is not None:
            self._line.clear()
        if self._json:
            self._write_json({"defect": {"path": defect.path, "reason": defect.reason}})
        else:
            self._write(f"{defect.path}: {defect.reason}")

    def _write_json(self, value: object) -> None:
        self._write(json.dumps(value, separators=(",", ":")))

    def _write(self, text: str) -> None:
        self._stream.write(printable(text) + "\n")
        self._stream.flush()


def _counts(tally: Tally) -> list[str]:
    return [
        counted(tally.repositories, "repository"),
        counted(tally.tags, "tag"),
        counted(tally.manifests, "manifest"),
        f"{counted(tally.blobs, 'blob')} of {tally.bytes / _MIB:.1f} MiB",
    ]


def _facts(tally: Tally) -> Mapping[str, object]:
    return {
        "repositories": tally.repositories,
        "tags": tally.tags,
        "manifests": tally.manifests,
        "blobs": tally.blobs,
        "bytes": tally.bytes,
        "present": tally.present,
        "uploads": tally.uploads,
        "defects": tally.defects,
    }
