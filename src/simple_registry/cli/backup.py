"""`backup`: copy a data directory, beside the server that uses it, into a directory of backups or an archive.

0  everything was backed up     1  some content is damaged, the rest was backed up     2  no backup was made
"""

import argparse
import json
import os
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TextIO

from simple_registry.backends.backup import Backup
from simple_registry.backends.copying import Copied
from simple_registry.cli.copy_report import CopyProgress, damaged_line, described_damage
from simple_registry.cli.data_commands import read_settings
from simple_registry.cli.options import Parser, UsageError, config_directories
from simple_registry.clock import SystemClock
from simple_registry.config.directories import document_files
from simple_registry.config.load import read_documents
from simple_registry.config.rows import PREFIX
from simple_registry.faults import StorageFault
from simple_registry.server.logging import printable
from simple_registry.sizes import counted

_MIB = 1024 * 1024
_HELP = f"""\
usage: simple-registry backup DIRECTORY
       simple-registry backup ARCHIVE.tar
       simple-registry backup -

Backs up the data directory, while a server uses it or not: all that was acknowledged before the command began. Below
DIRECTORY each backup is a directory named by the time; content that the last one has is linked to it. An archive is
written in one pass, to standard output where it is called -. Run it as the user that runs the server.

  -documents           also copy the YAML documents of -cfgdir, which may hold secrets
  -json                report as one JSON object
  -datadir DIRECTORY   the server's data directory, or the variable {PREFIX}DATADIR (default: ./data)
  -cfgdir DIRECTORY... directory of YAML documents: names the data directory

Exit code: 0 success, 1 some content is damaged and the rest was backed up, 2 no backup was made.
"""


def backup(arguments: Sequence[str], environment: Mapping[str, str], stdout: TextIO, stderr: TextIO) -> int:
    """Run the command with the arguments after `backup`; return the exit code.

    Raises:
        UsageError: an argument is wrong.
        ConfigError: a configuration is wrong.
        StorageFault: no backup was made.

    """
    parser = Parser("backup", _HELP)
    parser.add_argument("to", nargs="?")
    asked = parser.parse_args(arguments)
    if asked.help:
        stdout.write(_HELP)
        return 0
    if not asked.to:
        raise UsageError("say where the backup goes: backup DIRECTORY, backup ARCHIVE.tar or backup -")
    directories = config_directories(asked.cfgdir, environment)
    settings = read_settings({"datadir": asked.datadir}, environment, read_documents(directories))
    progress, began = CopyProgress(stderr, "backup"), time.monotonic()
    making = Backup(settings.data_dir, _documents(asked, directories), progress, SystemClock())
    made, copied = _make(making, asked.to)
    progress.clear()
    _report(asked, made, copied, time.monotonic() - began, stderr if asked.to == "-" else stdout)
    return 1 if copied.damaged else 0


def _make(making: Backup, to: str) -> tuple[str, Copied]:
    """Make the backup; return its path."""
    if to == "-":
        try:
            return to, making.to_archive(sys.stdout.buffer, scratch=None)
        except StorageFault:  # perhaps its reader has exited: nothing more is written at the end of the program
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise
    if not to.endswith(".tar"):
        made, copied = making.to_directory(Path(to))
        return str(made), copied
    return to, making.to_file(Path(to))


def _documents(asked: argparse.Namespace, directories: Sequence[Path]) -> dict[str, bytes]:
    """Return the documents to back up, by their path below the directory that was given."""
    found: dict[str, bytes] = {}
    for directory in directories if asked.documents else ():
        for file in document_files([directory]):
            path = str(file.relative_to(directory))
            if path in found:
                raise UsageError(f"two directories have a document {path}; back up the documents by themselves")
            found[path] = file.read_bytes()
    return found


def _report(asked: argparse.Namespace, made: str, copied: Copied, seconds: float, stream: TextIO) -> None:
    if asked.json:
        facts = {
            "backup": made,
            "contents": copied.contents,
            "bytes": copied.size,
            "linked": copied.linked,
            "damaged": [described_damage(each) for each in copied.damaged],
            "seconds": round(seconds, 3),
        }
        stream.write(json.dumps(facts) + "\n")
    else:
        stream.writelines(_lines(made, copied, seconds))
    stream.flush()


def _lines(made: str, copied: Copied, seconds: float) -> Iterable[str]:
    for each in copied.damaged:
        yield printable(damaged_line(each)) + "\n"
    size = f"{counted(copied.contents, 'content')}, {copied.size / _MIB:.1f} MiB"
    damaged = f"; {len(copied.damaged)} damaged and left out, see 'fsck --deep'" if copied.damaged else ""
    yield printable(f"{made}: {size}, in {seconds:.1f} s{damaged}") + "\n"
    if copied.linked:
        linked = counted(copied.linked, "content")
        yield f"{linked} linked from the previous backup, not read; 'fsck --deep' checks them\n"
