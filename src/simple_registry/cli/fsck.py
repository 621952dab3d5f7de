"""`fsck`: check a data directory, whether or not a server uses it, and repair it.

    0  nothing is wrong, or everything was repaired     1  something remains     2  the check cannot be done

Standard output carries the findings, one a line, and then the summary; progress goes to standard error.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import TextIO

from simple_registry.backends import local
from simple_registry.cli.data_commands import read_settings
from simple_registry.cli.fsck_report import JsonReport, ProgressLine, Report, TextReport
from simple_registry.cli.options import Parser, config_directories
from simple_registry.clock import SystemClock
from simple_registry.config.load import read_documents
from simple_registry.config.rows import PREFIX
from simple_registry.config.settings import Settings
from simple_registry.faults import DatabaseLost
from simple_registry.operations.fsck.findings import Mode, Progress, Summary
from simple_registry.operations.fsck.run import Fsck, broken_database
from simple_registry.periodic import repeat
from simple_registry.services import REQUIRED

_HELP = f"""\
usage: simple-registry fsck [-datadir DIRECTORY] [--deep] [--repair] [--json]

Checks whether rows and files fit together. A server may run, and be busy, meanwhile.

  -deep                also read every byte, and see that it hashes to its digest
  -repair              repair what can be repaired: damaged content is marked and reported as absent, so that clients
                       push it again; content without a row is left to the collector, or moved to quarantine/;
                       nothing is removed that could be needed
  -json                one JSON object for each finding, and one for the summary
  -datadir DIRECTORY   the server's data directory, or the variable {PREFIX}DATADIR (default: ./data)
  -cfgdir DIRECTORY... directory of YAML documents: data directory, and which parts of manifests may be missing

Exit code: 0 nothing is wrong or all was repaired, 1 something remains, 2 the check cannot be done.
"""


def fsck(arguments: Sequence[str], environment: Mapping[str, str], stdout: TextIO, stderr: TextIO) -> int:
    """Run the command with the arguments after `fsck`; return the exit code.

    Raises: UsageError, ConfigError, StorageFault when the data directory cannot be used.
    """
    asked = Parser("fsck", _HELP).parse_args(arguments)
    if asked.help:
        stdout.write(_HELP)
        return 0
    documents = read_documents(config_directories(asked.cfgdir, environment))
    settings = read_settings({"datadir": asked.datadir}, environment, documents)
    mode = Mode(deep=asked.deep, repair=asked.repair)
    report: Report = JsonReport(stdout) if asked.json else TextReport(stdout)
    return asyncio.run(check(settings, mode, report, ProgressLine(stderr, deep=mode.deep)))


async def check(settings: Settings, mode: Mode, report: Report, line: ProgressLine) -> int:
    """Check the data directory of some settings and report what is found. Return the exit code.

    Raises: StorageFault when it cannot be checked.
    """
    began = time.monotonic()
    summary, progress = Summary(), Progress()
    try:
        async with local.inspection_for_command(settings.data_dir) as inspection:
            check = Fsck(inspection, clock=SystemClock(), required=REQUIRED[settings.allow_missing], mode=mode)
            summary, progress = check.summary, check.progress
            async with _shown(line, progress):
                async for finding in check.run():
                    line.clear()
                    report.finding(finding)
    except DatabaseLost as lost:
        finding = broken_database(lost.reason)
        summary.count(finding)
        report.finding(finding)
    report.summary(summary, progress, mode, time.monotonic() - began)
    return 1 if summary.remaining else 0


@asynccontextmanager
async def _shown(line: ProgressLine, progress: Progress) -> AsyncIterator[None]:
    """Show progress from time to time, beside the check."""

    async def show() -> None:
        line.show(progress)

    showing = asyncio.create_task(repeat(show, line.interval, "showing progress"))
    try:
        yield
    finally:
        showing.cancel()
        await asyncio.gather(showing, return_exceptions=True)
        line.clear()
