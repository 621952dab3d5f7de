"""`adopt`: everything that another registry's data directory serves, into this registry's.

0  everything was taken     1  something is broken there     2  refused, invalid arguments or directories
"""

import argparse
import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TextIO

from simple_registry.backends import local
from simple_registry.backends.moving import KINDS, open_source, users_of
from simple_registry.cli.data_commands import read_settings
from simple_registry.cli.moving import Report, build_intake
from simple_registry.cli.options import Parser, UsageError, config_directories
from simple_registry.config.load import read_documents
from simple_registry.config.rows import PREFIX
from simple_registry.config.settings import Settings
from simple_registry.operations.moving.adopting import Adopter, DryTaker, StoreTaker
from simple_registry.services import build_contents
from simple_registry.storage.sources import Source, Transfer

_ANY = "auto"
_HELP = f"""\
usage: simple-registry adopt DIRECTORY [-dryrun] [-from KIND] [-copy|-link|-reflink] [-json] [-datadir DIRECTORY]

Takes over the data directory of another registry: every tag, manifest and blob that it serves, byte for byte, each
verified by its digest. The other registry must not run; nothing in its directory is changed. What is broken there is
reported and left out. What was taken already is skipped, so a run that broke off can be repeated. A server of this
registry may run meanwhile.

  -dryrun              read and verify everything, and take nothing
  -from KIND           {_ANY} (the default: what fits), {", ".join(KINDS)}
  -copy                copy the bytes
  -reflink             let the file system share them (btrfs, XFS); by default, where that works, and otherwise copy
  -link                give the files a second name; they become read-only, and the other registry must never run again
  -json                one JSON object for each defect, and one for the summary
  -datadir DIRECTORY   this registry's data directory, or the variable {PREFIX}DATADIR (default: ./data); a new one is
                       made
  -cfgdir DIRECTORY... directory of YAML documents: data directory, and the size of manifests

Exit code: 0 everything was taken, 1 something is broken there, 2 refused, invalid arguments or directories.
"""


def adopt(arguments: Sequence[str], environment: Mapping[str, str], stdout: TextIO, stderr: TextIO) -> int:
    """Run the command with the arguments after `adopt`; return the exit code.

    Raises:
        UsageError: an argument is wrong, or the other registry runs.
        ConfigError: a configuration is wrong.
        StorageFault: one of the directories cannot be used.

    """
    parser = Parser("adopt", _HELP)
    parser.add_argument("directory", nargs="?")
    asked = parser.parse_args(arguments)
    if asked.help:
        stdout.write(_HELP)
        return 0
    if not asked.directory:
        raise UsageError("usage: adopt DIRECTORY; see 'adopt -help'")
    kind = vars(asked)["from"] or _ANY
    if kind not in {_ANY, *KINDS}:
        raise UsageError(f"-from is one of {_ANY}, {', '.join(KINDS)}")
    transfer = _transfer(asked)
    documents = read_documents(config_directories(asked.cfgdir, environment))
    settings = read_settings({"datadir": asked.datadir}, environment, documents)
    source = open_source(Path(asked.directory), None if kind == _ANY else kind)
    report = Report(stdout, stderr, as_json=asked.json)
    if asked.dryrun:
        return asyncio.run(_try(settings, source, report))
    _require_unused(Path(asked.directory))
    return asyncio.run(_adopt(settings, source, transfer, report))


def _transfer(asked: argparse.Namespace) -> Transfer:
    given = [transfer for transfer in (Transfer.COPY, Transfer.LINK, Transfer.REFLINK) if vars(asked)[transfer]]
    if len(given) > 1:
        raise UsageError("give only one of -copy, -link and -reflink")
    return given[0] if given else Transfer.AUTO


def _require_unused(directory: Path) -> None:
    users = users_of(directory)
    if users:
        listed = "; ".join(f"process {user.process} ({user.name}): {user.reason}" for user in users)
        raise UsageError(f"{directory} is in use; stop the other registry first. {listed}")


async def _try(settings: Settings, source: Source, report: Report) -> int:
    async with report.shown() as tally:
        await Adopter(DryTaker(), tally, manifest_size=settings.limits.manifest_size).run(source)
    return report.finish(f"{source.format}: would take")


async def _adopt(settings: Settings, source: Source, transfer: Transfer, report: Report) -> int:
    local.make(settings.data_dir)
    async with local.adoption_for_command(settings.data_dir) as (stores, files), report.shown() as tally:
        intake = build_intake(stores, settings, required=None)
        taker = StoreTaker(intake, stores.rows.blobs, build_contents(stores), files, transfer)
        await Adopter(taker, tally, manifest_size=settings.limits.manifest_size).run(source)
    return report.finish(f"{source.format}: took")
