"""`garbage-collect`: collect now what the server would collect later, beside it or without one.

    0  success     2  invalid arguments or data directory

Standard output has the report; progress and warnings go to standard error.
"""

import argparse
import asyncio
import json
from collections.abc import Mapping, Sequence
from typing import TextIO

from simple_registry.cli.data_commands import open_stores, read_settings
from simple_registry.cli.fsck_report import ProgressLine
from simple_registry.cli.options import Parser, config_directories
from simple_registry.clock import SystemClock
from simple_registry.config.load import read_documents
from simple_registry.config.rows import PREFIX
from simple_registry.config.settings import Settings
from simple_registry.operations.collection import Report, Swept
from simple_registry.operations.collector import Collector, Wanted
from simple_registry.periodic import repeat
from simple_registry.services import build_collector
from simple_registry.sizes import counted
from simple_registry.storage.records import Origin, Waiting
from simple_registry.times import format_moment, parse_interval

_MIB = 1 << 20
_HELP = f"""\
usage: simple-registry garbage-collect [-dryrun] [-delete-untagged] [-grace DURATION] [-json]

Collects what nothing needs and what was deleted, if that is longer ago than the grace. The server does so by itself,
after a while, and may run meanwhile. Run this as its user.

  -dryrun              show what would be collected; change nothing
  -delete-untagged     manifests without a tag are unneeded, too: they end after another grace
  -grace DURATION      0s: collect now, also what could still be restored (default: garbageCollection.grace)
  -json                print JSON
  -datadir DIRECTORY   the server's data directory, or the variable {PREFIX}DATADIR (default: ./data)
  -cfgdir DIRECTORY... directory of YAML documents: data directory, garbageCollection

Exit code: 0 success, 2 invalid arguments or data directory.
"""


def garbage_collect(arguments: Sequence[str], environment: Mapping[str, str], stdout: TextIO, stderr: TextIO) -> int:
    """Run the command with the arguments after `garbage-collect`; return the exit code.

    Raises:
        UsageError: an argument is wrong.
        ConfigError: a configuration is wrong.
        StorageFault: the data directory cannot be used.

    """
    asked = Parser("garbage-collect", _HELP).parse_args(arguments)
    if asked.help:
        stdout.write(_HELP)
        return 0
    documents = read_documents(config_directories(asked.cfgdir, environment))
    settings = read_settings({"datadir": asked.datadir}, environment, documents)
    wanted = Wanted(None if asked.grace is None else parse_interval(asked.grace), asked.delete_untagged)
    report = asyncio.run(_collect(asked, settings, wanted, stderr))
    stdout.write(json.dumps(report.described(), indent=2) + "\n" if asked.json else _text(report))
    stdout.flush()
    return 0


async def _collect(asked: argparse.Namespace, settings: Settings, wanted: Wanted, stderr: TextIO) -> Report:
    async with open_stores(settings.data_dir) as stores:
        collector = build_collector(settings, stores, SystemClock(), Origin.COMMAND)
        if asked.dryrun:
            return await collector.rehearse(wanted)
        if wanted.grace == 0:
            _warn(await collector.waiting(), stderr)
        return await _run(collector, wanted, stderr)


def _warn(waiting: Waiting, stderr: TextIO) -> None:
    """Say how much can be restored no longer."""
    deleted = waiting.deleted
    if deleted.count:
        stderr.write(f"from now on what was deleted cannot be restored: {_space(deleted.count, deleted.size)}\n")
        stderr.flush()


async def _run(collector: Collector, wanted: Wanted, stderr: TextIO) -> Report:
    """Collect, and show the progress on a terminal."""
    swept, line = Swept(), ProgressLine(stderr)

    async def show() -> None:
        line.write(f"{swept.manifests + swept.blobs} ended, {_space(swept.removed.count, swept.removed.size)} removed")

    showing = asyncio.create_task(repeat(show, line.interval, "showing progress"))
    try:
        return await collector.run(wanted, swept)
    finally:
        showing.cancel()
        await asyncio.gather(showing, return_exceptions=True)
        line.clear()


def _text(report: Report) -> str:
    would = "would be " if report.dry_run else ""
    swept, waiting = report.swept, report.waiting
    lines = [
        f"{would}removed: {_space(swept.removed.count, swept.removed.size)}",
        f"{would}ended: {counted(swept.manifests, 'manifest')} and {counted(swept.blobs, 'blob')} of repositories",
        f"{would}found unneeded: {counted(swept.unneeded, 'manifest')} without a tag",
        f"unneeded, waiting: {_space(waiting.unneeded.count, waiting.unneeded.size)}",
    ]
    if report.restorable_until is not None:
        until = format_moment(report.restorable_until)
        lines.append(f"restorable until {until} at the latest: {_space(waiting.deleted.count, waiting.deleted.size)}")
    return "".join(f"{line}\n" for line in lines)


def _space(count: int, size: int) -> str:
    return f"{counted(count, 'content')}, {size / _MIB:.1f} MiB"
