"""`history` and `resolve`: what happened to a repository or a tag, whether or not a server runs.

0  success     1  no such tag at that time     2  invalid arguments or data directory
"""

import asyncio
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TextIO

from simple_registry.cli.data_commands import open_stores, read_settings, table
from simple_registry.cli.images import parse_image, parse_tagged
from simple_registry.cli.options import Parser, UsageError, config_directories
from simple_registry.clock import SystemClock
from simple_registry.config.load import read_documents
from simple_registry.config.rows import PREFIX
from simple_registry.oci.digests import Digest
from simple_registry.oci.errors import HistoryUnknown
from simple_registry.oci.names import RepositoryName, Tag
from simple_registry.operations.history import JournalEvent, event_document
from simple_registry.server.logging import printable
from simple_registry.services import build_history
from simple_registry.times import TimeInvalid, format_instant, parse_past

_DEFAULT = 100
_PAGE = 1000
_NUMBER = re.compile(r"[0-9]{1,9}", re.ASCII)
_COLUMNS = ("EVENT", "TIME", "ACTION", "TAG", "FROM", "TO", "BY")
_OPTIONS = f"""\
  -json                print JSON
  -datadir DIRECTORY   the server's data directory, or the variable {PREFIX}DATADIR (default: ./data)
  -cfgdir DIRECTORY... directory of YAML documents: names the data directory
"""
_HISTORY_HELP = f"""\
usage: simple-registry history REPOSITORY[:TAG] [-n NUMBER] [-json]

Prints the changes of the tags of a repository, and what was deleted and restored, the newest first. Run it as the user
that runs the server.

  -n NUMBER            at most so many events (default: {_DEFAULT})
{_OPTIONS}
Exit code: 0 success, 2 invalid arguments or data directory.
"""
_RESOLVE_HELP = f"""\
usage: simple-registry resolve REPOSITORY:TAG [-at TIME] [-json]

Prints the digest that a tag points at, or pointed at. Run it as the user that runs the server.

  -at TIME             2027-01-31T12:00:00Z, or a duration such as 2h: so long ago (default: now)
{_OPTIONS}
Exit code: 0 success, 1 the tag did not exist, or the journal does not reach back that far, 2 invalid arguments or data
directory.
"""


def history(arguments: Sequence[str], environment: Mapping[str, str], stdout: TextIO) -> int:
    """Run `history` with these arguments. Return the exit code.

    Raises: UsageError, ConfigError, StorageFault when the data directory cannot be used.
    """
    parser = Parser("history", _HISTORY_HELP)
    parser.add_argument("image", nargs="?")
    asked = parser.parse_args(arguments)
    if asked.help:
        stdout.write(_HISTORY_HELP)
        return 0
    if asked.image is None:
        raise UsageError("usage: history REPOSITORY[:TAG]; see 'history -help'")
    repository, reference = parse_image(asked.image)
    if isinstance(reference, Digest):
        raise UsageError("history is that of a repository or a tag, not of a digest")
    number = _DEFAULT if asked.n is None else int(asked.n) if _NUMBER.fullmatch(asked.n) else 0
    if not number:
        raise UsageError("-n is a number from 1")
    events = asyncio.run(_events(_data_dir(asked.datadir, asked.cfgdir, environment), repository, reference, number))
    if asked.json:
        stdout.write(json.dumps([event_document(event) for event in events], indent=2) + "\n")
    else:
        stdout.writelines(table([_COLUMNS, *map(_cells, events)]))
    stdout.flush()
    return 0


def resolve(arguments: Sequence[str], environment: Mapping[str, str], stdout: TextIO, stderr: TextIO) -> int:
    """Run `resolve` with these arguments. Return the exit code.

    Raises: UsageError, ConfigError, StorageFault when the data directory cannot be used.
    """
    parser = Parser("resolve", _RESOLVE_HELP)
    parser.add_argument("image", nargs="?")
    asked = parser.parse_args(arguments)
    if asked.help:
        stdout.write(_RESOLVE_HELP)
        return 0
    if asked.image is None:
        raise UsageError("usage: resolve REPOSITORY:TAG [-at TIME]; see 'resolve -help'")
    repository, tag = parse_tagged(asked.image)
    now = SystemClock().now()
    try:
        at = now if asked.at is None else parse_past(asked.at, now)
    except TimeInvalid as error:
        raise UsageError(f"-at: {error}") from None
    try:
        digest = asyncio.run(_target(_data_dir(asked.datadir, asked.cfgdir, environment), repository, tag, at))
    except HistoryUnknown as error:
        stderr.write(f"{error.message}\n")
        return 1
    if digest is None:
        stderr.write(f"{repository}:{tag} did not exist at {format_instant(at)}\n")
        return 1
    document = {"name": repository, "tag": tag, "at": format_instant(at), "digest": str(digest)}
    stdout.write(f"{json.dumps(document, indent=2) if asked.json else digest}\n")
    stdout.flush()
    return 0


def _data_dir(given: str | None, directories: Sequence[str], environment: Mapping[str, str]) -> Path:
    documents = read_documents(config_directories(directories, environment))
    return read_settings({"datadir": given}, environment, documents).data_dir


async def _events(data_dir: Path, repository: RepositoryName, tag: Tag | None, number: int) -> Sequence[JournalEvent]:
    found: list[JournalEvent] = []
    async with open_stores(data_dir) as stores:
        operations, before, more = build_history(stores, SystemClock()), None, True
        while more and len(found) < number:
            limit = min(_PAGE, number - len(found))
            page = await operations.page(repository, tag, before=before, limit=limit, visible=lambda _: True)
            found += page.events
            before, more = page.next, page.more
    return found


async def _target(data_dir: Path, repository: RepositoryName, tag: Tag, at: float) -> Digest | None:
    async with open_stores(data_dir) as stores:
        return await build_history(stores, SystemClock()).resolve(repository, tag, at)


def _cells(event: JournalEvent) -> Sequence[str]:
    digests = ("-" if digest is None else str(digest) for digest in (event.before, event.after))
    cells = (str(event.id), format_instant(event.time), event.action, event.tag or "-", *digests, event.actor.identity)
    return [printable(cell) for cell in cells]
