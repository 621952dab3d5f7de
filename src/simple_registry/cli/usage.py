"""`usage`: what repositories use, whether or not a server runs.

0  success     2  invalid arguments or data directory
"""

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TextIO

from simple_registry.cli.data_commands import open_stores, read_settings, table
from simple_registry.cli.options import Parser, UsageError, config_directories
from simple_registry.config.load import read_documents
from simple_registry.config.rows import PREFIX
from simple_registry.oci.errors import NameInvalid, NameUnknown
from simple_registry.oci.names import parse_repository_name
from simple_registry.operations.usage import RepositoryUsages, TotalUsage, Usage
from simple_registry.sizes import counted, readable

_PAGE = 1000
_COLUMNS = ("REPOSITORY", "TAGS", "MANIFESTS", "BLOBS", "SIZE", "UNNEEDED", "DELETED")
_HELP = f"""\
usage: simple-registry usage [REPOSITORY...] [-json]

Shows what these repositories, or all, use: SIZE is what counts for quotas; what is unneeded or deleted can be
restored. A repository is shown with all that it holds, even if others hold it, too. The last lines show what that takes
on the disk.

Run it as the user that runs the server.

  -json                print JSON, with sizes in bytes
  -datadir DIRECTORY   the server's data directory, or the variable {PREFIX}DATADIR (default: ./data)
  -cfgdir DIRECTORY... directory of YAML documents: names the data directory

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
    data_dir = read_settings({"datadir": asked.datadir}, environment, documents).data_dir
    usages, total = asyncio.run(_read(data_dir, asked.repositories))
    if asked.json:
        described = [{"name": name, **asdict(each)} for name, each in usages]
        together = {} if total is None else {"total": {**asdict(total), "shared_bytes": total.shared_bytes}}
        stdout.write(json.dumps({"repositories": described, **together}, indent=2) + "\n")
    else:
        stdout.writelines(table([_COLUMNS, *(_cells(name, each) for name, each in usages)]))
        stdout.writelines(() if total is None else _summary(total))
    stdout.flush()
    return 0


async def _read(data_dir: Path, repositories: Sequence[str]) -> tuple[Sequence[tuple[str, Usage]], TotalUsage | None]:
    """Return what repositories use; without any, what all use, and the total."""
    async with open_stores(data_dir) as stores:
        operations = RepositoryUsages(stores.rows.usage)
        if repositories:
            return [(name, await _get(operations, name)) for name in repositories], None
        usages: list[tuple[str, Usage]] = []
        more = True
        while more:
            last = usages[-1][0] if usages else None
            page = await operations.page(last=last, limit=_PAGE, visible=lambda _: True)
            usages, more = [*usages, *page.usages], page.more
        return usages, await operations.total()


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
