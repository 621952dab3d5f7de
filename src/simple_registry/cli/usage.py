"""`usage`: what repositories use, whether or not a server runs.

0  success     2  invalid arguments or data directory
"""

import argparse
import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TextIO

from simple_registry.cli.data_commands import open_stores, read_settings, table
from simple_registry.cli.options import Parser, UsageError, config_directories
from simple_registry.clock import SystemClock
from simple_registry.config.load import read_documents
from simple_registry.config.rows import PREFIX
from simple_registry.config.settings import Settings
from simple_registry.oci.errors import NameInvalid, NameUnknown
from simple_registry.oci.names import parse_repository_name
from simple_registry.operations.collection import restorable_until
from simple_registry.operations.usage import RepositoryUsages, TotalUsage, Usage
from simple_registry.services import build_collector
from simple_registry.sizes import counted, readable
from simple_registry.storage.records import CollectionRow, Origin
from simple_registry.times import format_moment

_PAGE = 1000
_COLUMNS = ("REPOSITORY", "TAGS", "MANIFESTS", "BLOBS", "SIZE", "UNNEEDED", "DELETED")
_BY = {Origin.SCHEDULE: "the server", Origin.COMMAND: "a command", Origin.REQUEST: "a request"}
_HELP = f"""\
usage: simple-registry usage [REPOSITORY...] [-json]

Shows what these repositories, or all, use: SIZE is what counts for quotas; what is unneeded or deleted can be
restored. A repository is shown with all that it holds, even if others hold it, too. The last lines show what that takes
on the disk, and the last garbage collection.

Run it as the user that runs the server.

  -json                print JSON, with sizes in bytes
  -datadir DIRECTORY   the server's data directory, or the variable {PREFIX}DATADIR (default: ./data)
  -cfgdir DIRECTORY... directory of YAML documents: data directory, garbageCollection.grace

Exit code: 0 success, 2 invalid arguments or data directory.
"""


def usage(arguments: Sequence[str], environment: Mapping[str, str], stdout: TextIO) -> int:
    """Run `usage` with these arguments. Return the exit code.

    Raises:
        UsageError: the arguments are invalid, or there is no such repository.
        ConfigError: a configuration is wrong.
        StorageFault: the data directory cannot be used.

    """
    parser = Parser("usage", _HELP)
    parser.add_argument("repositories", nargs="*")
    asked = parser.parse_args(arguments)
    if asked.help:
        stdout.write(_HELP)
        return 0
    documents = read_documents(config_directories(asked.cfgdir, environment))
    settings = read_settings({"datadir": asked.datadir}, environment, documents)
    asyncio.run(_show(asked, settings, stdout))
    stdout.flush()
    return 0


async def _show(asked: argparse.Namespace, settings: Settings, stdout: TextIO) -> None:
    async with open_stores(settings.data_dir) as stores:
        operations = RepositoryUsages(stores.rows.usage)
        if asked.repositories:
            usages, total = [(name, await _get(operations, name)) for name in asked.repositories], None
        else:
            usages, total = await _all(operations), await operations.total()
        collector = build_collector(settings, stores, SystemClock(), Origin.COMMAND)
        if asked.json:
            document: dict[str, object] = {"repositories": [{"name": name, **asdict(each)} for name, each in usages]}
            if total is not None:
                document["total"] = {**asdict(total), "shared_bytes": total.shared_bytes}
                document["collection"] = await collector.described()
            stdout.write(json.dumps(document, indent=2) + "\n")
        else:
            stdout.writelines(table([_COLUMNS, *(_cells(name, each) for name, each in usages)]))
            if total is not None:
                stdout.writelines(_summary(total))
                stdout.writelines(_collected(await collector.last()))
                stdout.writelines(_undo(restorable_until(await collector.waiting(), settings.garbage_collection.grace)))


async def _all(operations: RepositoryUsages) -> list[tuple[str, Usage]]:
    usages: list[tuple[str, Usage]] = []
    more = True
    while more:
        last = usages[-1][0] if usages else None
        page = await operations.page(last=last, limit=_PAGE, visible=lambda _: True)
        usages, more = [*usages, *page.usages], page.more
    return usages


async def _get(operations: RepositoryUsages, name: str) -> Usage:
    try:
        return await operations.get(parse_repository_name(name))
    except (NameInvalid, NameUnknown):
        raise UsageError(f"no such repository: {name}") from None


def _cells(name: str, each: Usage) -> Sequence[str]:
    sizes = (each.bytes, each.unneeded_bytes, each.deleted_bytes)
    return (name, str(each.tags), str(each.manifests), str(each.blobs), *map(readable, sizes))


def _summary(total: TotalUsage) -> Sequence[str]:
    held = total.usage
    restorable, being_removed = held.unneeded_bytes + held.deleted_bytes, readable(total.condemned_bytes)
    contents = counted(total.contents, "content")
    counts = (
        counted(total.repositories, "repository"),
        counted(held.tags, "tag"),
        counted(held.manifests, "manifest"),
    )
    return (
        f"\n{', '.join(counts)}\n",
        f"held: {readable(held.held_bytes)}, of which shared: {readable(total.shared_bytes)}\n",
        f"restorable until the grace ends: {readable(restorable)}\n",
        f"on the disk: {readable(total.content_bytes)} in {contents}; being removed: {being_removed}\n",
    )


def _collected(collections: Sequence[CollectionRow]) -> Sequence[str]:
    """Return the line of the last collection."""
    if not collections:
        return ("last collection: none yet\n",)
    last = collections[0]
    removed = f"{readable(last.removed.size)} in {counted(last.removed.count, 'content')} removed"
    return (f"last collection: {format_moment(last.ended)}, by {_BY[last.origin]}: {removed}\n",)


def _undo(until: float | None) -> Sequence[str]:
    return () if until is None else (f"deletions can be undone until {format_moment(until)} at the latest\n",)
