"""`restore`: make a data directory from a backup, verify it, and report what is missing.

0  everything was restored     1  something was damaged in the backup; the rest was restored     2  nothing usable
"""

import asyncio
import sys
from collections.abc import Mapping, Sequence
from io import StringIO
from pathlib import Path
from typing import TextIO

from simple_registry.backends.restore import Restore
from simple_registry.cli.copy_report import CopyProgress
from simple_registry.cli.data_commands import read_settings
from simple_registry.cli.fsck import check
from simple_registry.cli.fsck_report import JsonReport, ProgressLine, Report, TextReport
from simple_registry.cli.options import Parser, UsageError, config_directories
from simple_registry.clock import SystemClock
from simple_registry.config.load import read_documents
from simple_registry.config.rows import PREFIX
from simple_registry.files import is_directory
from simple_registry.operations.fsck.findings import Mode

_HELP = f"""\
usage: simple-registry restore BACKUP -datadir DIRECTORY
       simple-registry restore ARCHIVE.tar -datadir DIRECTORY
       simple-registry restore - -datadir DIRECTORY

Makes a data directory from a backup. Each content is compared with its digest on the way; then rows and files are
compared as by 'fsck', whose findings are the report. What is damaged in the backup is left out.

  -json                report as 'fsck -json' does
  -datadir DIRECTORY   a directory that is made, or is empty, or the variable {PREFIX}DATADIR (default: ./data)
  -cfgdir DIRECTORY... directory of YAML documents: data directory, and which parts of manifests may be missing

Exit code: 0 success, 1 something was damaged in the backup, 2 nothing was restored.
"""


def restore(arguments: Sequence[str], environment: Mapping[str, str], stdout: TextIO, stderr: TextIO) -> int:
    """Run the command with the arguments after `restore`; return the exit code.

    Raises:
        UsageError: an argument is wrong.
        ConfigError: a configuration is wrong.
        StorageFault: the backup, or the new directory, cannot be used.

    """
    parser = Parser("restore", _HELP)
    parser.add_argument("backup", nargs="?")
    asked = parser.parse_args(arguments)
    if asked.help:
        stdout.write(_HELP)
        return 0
    if not asked.backup:
        raise UsageError("name the backup: restore BACKUP -datadir DIRECTORY")
    documents = read_documents(config_directories(asked.cfgdir, environment))
    settings = read_settings({"datadir": asked.datadir}, environment, documents)
    progress = CopyProgress(stderr, "restore")
    _restore(Restore(settings.data_dir, progress, SystemClock()), asked.backup)
    progress.clear()
    report: Report = JsonReport(stdout) if asked.json else TextReport(stdout)
    line = ProgressLine(stderr if stderr.isatty() else StringIO(), deep=False)
    return asyncio.run(check(settings, Mode(), report, line))


def _restore(restoring: Restore, backup: str) -> None:
    if backup == "-":
        restoring.from_archive(sys.stdin.buffer, "standard input")
    elif is_directory(Path(backup)):
        restoring.from_directory(Path(backup))
    else:
        restoring.from_file(Path(backup))
